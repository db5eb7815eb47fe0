package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
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
// mistake; in one that is, every mistake is collected, in the order of lines.
func (l *loader) readFile(name string) error {
	b, err := readBounded(name)
	if err != nil {
		return usagef("cannot read the configuration: %w", err)
	}
	return l.read(name, b)
}

// read takes every setting of the bytes of a file.
func (l *loader) read(name string, b []byte) error {
	var doc map[string]any
	err := toml.Unmarshal(b, &doc)
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
	order := slices.SortedFunc(maps.Keys(values), func(x, y string) int {
		return cmp.Or(lineOf(found, x)-lineOf(found, y), strings.Compare(x, y))
	})
	for _, key := range order {
		l.assign(key, fmt.Sprintf("%s:%d", name, lineOf(found, key)), values[key])
	}
	return nil
}

// flatten lists the values of a document by dotted key. Tables within a section
// and empty foreign sections are listed as they are: no setting has their name.
func flatten(out map[string]any, prefix string, table map[string]any) {
	for name, v := range table {
		name = bare(name)
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

// bare returns a name, in quotes unless it is one that a setting could have: a
// quoted "a.b" is not b in section a, no message repeats control characters, and the
// empty name can be seen.
func bare(name string) string {
	if name == "" {
		return `""`
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return strconv.Quote(name)
		}
	}
	return name
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
		parts = append(parts, bare(string(n.Data)))
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
