package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
)

// envPrefix begins every environment variable that is a setting:
// ESPER_TOLARIA_SNAPSHOT_EVERY is tolaria.snapshot_every.
const envPrefix = "ESPER_"

// settings are the places a configuration comes from: defaults, then a file,
// then the environment, then flags.
type settings struct {
	file string
	set  []string
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.file, "config", "", "configuration in TOML from `FILE`; 'esper config show' prints every key")
	f.StringArrayVar(&s.set, "set", nil, "one setting as `KEY=VALUE`, for example tolaria.snapshot_every=25; may be repeated")
}

// given reports whether anything but defaults and environment was asked for.
func (s *settings) given() bool { return s.file != "" || len(s.set) > 0 }

// load returns the effective configuration over a base, validated, or every
// mistake in it as a *leyline.ConfigError. environ are NAME=VALUE pairs.
func (s *settings) load(base leyline.ExecutionConfig, environ []string) (leyline.ExecutionConfig, error) {
	l := loader{config: base, origin: map[string]string{}}
	if s.file != "" {
		if err := l.readFile(s.file); err != nil {
			return base, err
		}
	}
	for _, v := range environ {
		l.variable(v)
	}
	for _, kv := range s.set {
		key, value, _ := strings.Cut(kv, "=")
		l.assign(key, "--set "+kv, value)
	}
	return l.config, l.finish()
}

// loader collects settings and mistakes.
type loader struct {
	config   leyline.ExecutionConfig
	origin   map[string]string // where a key was set last
	problems []leyline.ConfigProblem
}

func (l *loader) problem(key, where, reason, fix string) {
	l.problems = append(l.problems, leyline.ConfigProblem{Key: key, Reason: "(" + where + ") " + reason, Fix: fix})
}

// finish adds what Validate finds in values that could be read.
func (l *loader) finish() error {
	problems := l.problems
	bad := map[string]bool{}
	for _, p := range problems {
		bad[p.Key] = true
	}
	if err, ok := l.config.Validate().(*leyline.ConfigError); ok {
		for _, p := range err.Problems {
			if bad[p.Key] {
				continue
			}
			if where := l.origin[p.Key]; where != "" {
				p.Reason = "(" + where + ") " + p.Reason
			}
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		return &leyline.ConfigError{Problems: problems}
	}
	return nil
}

// variable takes one environment variable. A name that begins like a setting
// and is none is a mistake: it would be ignored silently.
func (l *loader) variable(v string) {
	name, value, _ := strings.Cut(v, "=")
	if !strings.HasPrefix(name, envPrefix) {
		return
	}
	for _, key := range keys() {
		if envName(key) == name {
			l.assign(key, "environment", value)
			return
		}
	}
	l.problem(name, "environment", "is no setting", "unset it; `esper config show` prints every key")
}

// assign sets a key to a value: text from a flag or the environment, or a TOML
// value from a file.
func (l *loader) assign(key, where string, value any) {
	field := l.field(key)
	if !field.IsValid() {
		l.problem(key, where, "is no setting", "did you mean "+nearest(key)+"? `esper config show` prints every key")
		return
	}
	l.origin[key] = where
	if want := setField(field, value); want != "" {
		l.problem(key, where, fmt.Sprintf("is %q", fmt.Sprint(value)), "write "+want)
	}
}

// field returns the field of a key, or nothing.
func (l *loader) field(key string) reflect.Value {
	section, name, _ := strings.Cut(key, ".")
	s := byTag(reflect.ValueOf(&l.config).Elem(), section)
	if !s.IsValid() {
		return s
	}
	return byTag(s, name)
}

func byTag(v reflect.Value, tag string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == tag {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// keys lists every key in the order of declaration.
func keys() []string {
	var out []string
	root := reflect.TypeFor[leyline.ExecutionConfig]()
	for i := range root.NumField() {
		section := root.Field(i)
		for j := range section.Type.NumField() {
			out = append(out, section.Tag.Get("toml")+"."+section.Type.Field(j).Tag.Get("toml"))
		}
	}
	return out
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// nearest returns the known key that is most like a wrong one.
func nearest(key string) string {
	return slices.MinFunc(keys(), func(a, b string) int { return distance(key, a) - distance(key, b) })
}

// distance counts the edits between two texts (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
