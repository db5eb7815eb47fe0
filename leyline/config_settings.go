package leyline

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Setting is one setting of a configuration.
type Setting struct {
	Key     string        // section.name, as in TOML
	Meaning string        // a sentence or two
	Value   reflect.Value // the field itself: what is set there is set in the configuration
}

// Settings lists every setting of c in the order of declaration.
func (c *ExecutionConfig) Settings() []Setting {
	var out []Setting
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		section, fields := root.Type().Field(i).Tag.Get("toml"), root.Field(i)
		for j := range fields.NumField() {
			f := fields.Type().Field(j)
			key := section + "." + f.Tag.Get("toml")
			out = append(out, Setting{Key: key, Meaning: f.Tag.Get("comment"), Value: fields.Field(j)})
		}
	}
	return out
}

// Validate reports every mistake at once as a *ConfigError.
func (c ExecutionConfig) Validate() error {
	var problems []ConfigProblem
	all := c.Settings()
	for _, s := range all {
		if r := ruleOf(s.Key, s.Value); r.broken != nil {
			if reason, fix := r.broken(s.Value); reason != "" {
				problems = append(problems, ConfigProblem{Key: s.Key, Reason: reason, Fix: fix})
			}
		}
		problems = append(problems, brokenRelations(s.Key, all)...)
	}
	if p, ok := c.Tolaria.broken(); ok {
		problems = append(problems, p)
	}
	if p, ok := c.Tamiyo.broken(); ok {
		problems = append(problems, p)
	}
	if p, ok := c.Tamiyo.brokenRisk(); ok {
		problems = append(problems, p)
	}
	if p, ok := c.Posture.broken(); ok {
		problems = append(problems, p)
	}
	if len(problems) > 0 {
		return &ConfigError{problems}
	}
	return nil
}

// brokenRelations lists what is wrong between a setting and others.
func brokenRelations(key string, all []Setting) []ConfigProblem {
	var problems []ConfigProblem
	for _, r := range relations {
		if p, ok := r.problem(wholeOf(all, r.low), wholeOf(all, r.high)); ok && p.Key == key {
			problems = append(problems, p)
		}
	}
	return problems
}

// wholeOf returns the value of a whole number. Invariant: every key of a relation
// names one.
func wholeOf(all []Setting, key string) uint64 {
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })
	return all[i].Value.Uint()
}

// Allowed says which values Validate accepts, in words.
func (s Setting) Allowed() string {
	words := []string{ruleOf(s.Key, s.Value).allowed}
	for _, r := range relations {
		low, high := r.words()
		switch s.Key {
		case r.low:
			words = append(words, low+" "+r.high)
		case r.high:
			words = append(words, high+" "+r.low)
		}
	}
	return strings.Join(words, ", ")
}

// ConfigProblem is one mistake in a configuration.
type ConfigProblem struct {
	Key    string // TOML key, dotted
	Other  string `json:",omitempty"` // the other key, where the mistake is between two settings
	Reason string // what is wrong with which value
	Fix    string // what to write instead
}

// ConfigError lists every mistake in a configuration.
type ConfigError struct{ Problems []ConfigProblem }

// Error lists the problems, one per line.
func (e *ConfigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "configuration has %d mistake(s)", len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s %s; %s", p.Key, p.Reason, p.Fix)
	}
	return b.String()
}
