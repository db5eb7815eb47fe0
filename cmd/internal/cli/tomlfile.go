package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxConfig bounds a configuration file: far more than every key with its
// comment takes.
const maxConfig = 64 << 10

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	}
	return b, err
}

// readFile takes every setting of a TOML file. A file that is no TOML is one
// mistake; in one that is, every mistake is collected.
func (l *loader) readFile(name string) error {
	b, err := readBounded(name)
	if err != nil {
		return usagef("cannot read the configuration: %w", err)
	}
	var doc map[string]any
	err = toml.Unmarshal(b, &doc)
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return usagef("%s:%d:%d is no TOML: %w", name, row, col, bad)
	}
	if err != nil {
		return usagef("%s is no TOML: %w", name, err)
	}
	found := lines(b)
	values := map[string]any{}
	flatten(values, "", doc)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		l.assign(key, fmt.Sprintf("%s:%d", name, lineOf(found, key)), values[key])
	}
	return nil
}

// flatten lists the values of a document by dotted key. Tables within a section
// and empty foreign sections are listed as they are: no setting has their name.
func flatten(out map[string]any, prefix string, table map[string]any) {
	for name, v := range table {
		sub, isTable := v.(map[string]any)
		switch {
		case !isTable:
			out[prefix+name] = v
		case len(sub) == 0 && !slices.ContainsFunc(keys(), func(k string) bool { return strings.HasPrefix(k, name+".") }):
			out[prefix+name] = "an empty table"
		default:
			flatten(out, prefix+name+".", sub)
		}
	}
}

// lines finds the line of every key and table of a valid document.
func lines(b []byte) map[string]int {
	out := map[string]int{}
	var p unstable.Parser
	p.Reset(b)
	prefix := ""
	for p.NextExpression() {
		e := p.Expression()
		key, line := dotted(&p, e)
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			prefix = key + "."
			out[key] = line
		case unstable.KeyValue:
			out[prefix+key] = line
		}
	}
	return out
}

func dotted(p *unstable.Parser, e *unstable.Node) (string, int) {
	var parts []string
	line := 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		parts = append(parts, string(n.Data))
		line = p.Shape(n.Raw).Start.Line
	}
	return strings.Join(parts, "."), line
}

// lineOf is the line of a key, or of the table that it stands in.
func lineOf(found map[string]int, key string) int {
	for {
		if line, ok := found[key]; ok {
			return line
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return 1
		}
		key = key[:i]
	}
}
