package cli

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// encodeConfig returns the bytes of a configuration that the admin key signs, and
// their SHA-256, which config.adopted records.
func encodeConfig(c leyline.ExecutionConfig) ([]byte, leyline.Digest, error) {
	b, err := wire.EncodeConfig(c)
	return b, sha256.Sum256(b), err
}

// namedConfig is a configuration and what it was asked for by.
type namedConfig struct {
	Name   string
	Digest leyline.Digest // of the bytes that the admin key signs
	config leyline.ExecutionConfig
}

func nameConfig(name string, c leyline.ExecutionConfig) (namedConfig, error) {
	_, digest, err := encodeConfig(c)
	return namedConfig{name, digest, c}, err
}

// findConfig finds what an argument names: `defaults`, workload:NAME, a file, a data
// directory or an incident bundle. A file is put upon base. seq chooses a record of
// the last two; 0 is their end.
func (a *app) findConfig(arg string, base leyline.ExecutionConfig, seq leyline.Seq) (namedConfig, error) {
	name, isWorkload := strings.CutPrefix(arg, "workload:")
	inLog, err := false, error(nil)
	if arg != "defaults" && !isWorkload {
		inLog, err = holdsRecords(arg)
	}
	c := leyline.DefaultConfig()
	switch {
	case err != nil:
	case inLog:
		c, err = a.configAt(arg, seq)
	case seq != 0:
		err = usagef("--seq %d chooses a record, but %s is no data directory and no bundle", seq, arg)
	case isWorkload:
		c, err = workloadConfig(name)
	case arg != "defaults":
		c, err = (&settings{file: arg}).load(base, nil)
	}
	if err != nil {
		return namedConfig{}, err
	}
	if seq != 0 {
		arg = fmt.Sprintf("%s at %d", arg, seq)
	}
	return nameConfig(arg, c)
}

// holdsRecords tells a data directory and a bundle from a configuration file. TOML
// has no byte 0, and a bundle begins with some.
func holdsRecords(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, usagef("%s is no configuration: want `defaults`, workload:NAME, a TOML file, a data directory or a bundle: %w", path, err)
	}
	if info.IsDir() {
		return true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, usagef("cannot read the configuration: %w", err)
	}
	defer f.Close() // only read
	head, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return false, usagef("cannot read the configuration: %w", err)
	}
	return bytes.IndexByte(head, 0) >= 0, nil
}

// configAt is what is in force in a data directory or a bundle when record seq is
// decided, or with 0 at its end.
func (a *app) configAt(path string, seq leyline.Seq) (leyline.ExecutionConfig, error) {
	o, err := openSource(path)
	if err != nil {
		return leyline.ExecutionConfig{}, err
	}
	defer o.close() // a reader; nothing is lost when closing it fails
	if o.note != "" {
		a.notice("%s", o.note)
	}
	return inForce(o, seq)
}

// recorded is the configuration that was in force last.
func recorded(o opened) (leyline.ExecutionConfig, error) { return inForce(o, 0) }

// inForce is the configuration that record seq was decided by, or with 0 the last
// one: what a record adopts is in force from the next one on.
func inForce(o opened, seq leyline.Seq) (leyline.ExecutionConfig, error) {
	c := o.config
	var first, last leyline.Seq
	for r, err := range decoded(o.source, 1) {
		if err != nil {
			return c, err
		}
		if first == 0 {
			first = r.Seq
		}
		if seq != 0 && r.Seq >= seq {
			return c, o.begins(first, seq)
		}
		last = r.Seq
		for _, ev := range r.Events {
			if x, ok := ev.(leyline.ConfigAdopted); ok {
				c = x.Config
			}
		}
	}
	if seq > last {
		return c, usagef("--seq %d: the last decision is record %d; leave out --seq for what is in force now", seq, last)
	}
	return c, nil
}

// begins refuses a record before the first one of a bundle: what was in force there
// is not in it.
func (o *opened) begins(first, seq leyline.Seq) error {
	if o.start != nil && seq < first {
		return usagef("--seq %d: the bundle begins with record %d", seq, first)
	}
	return nil
}
