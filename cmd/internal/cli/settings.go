package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
)

// envPrefix begins every environment variable that is a setting:
// ESPER_TOLARIA_SNAPSHOT_EVERY is tolaria.snapshot_every.
const envPrefix = "ESPER_"

// envBinary names this program to the Python client, which starts it; it is no setting.
const envBinary = envPrefix + "BINARY"

// settings are the places a configuration comes from: defaults, then a file,
// then the environment, then flags.
type settings struct {
	file string
	set  []string
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.file, "config", "", "configuration in TOML from `FILE`; 'esper config show' prints every key")
	s.setFlag(f)
}

func (s *settings) setFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&s.set, "set", nil, "one setting as `KEY=VALUE`, for example tolaria.snapshot_every=25; may be repeated")
}

// given reports whether anything but defaults and environment was asked for.
func (s *settings) given() bool { return s.file != "" || len(s.set) > 0 }

// load returns the effective configuration over a base, validated, or every
// mistake in it as a *leyline.ConfigError, joined to why the file cannot be read.
// environ are NAME=VALUE pairs.
func (s *settings) load(base leyline.ExecutionConfig, environ []string) (leyline.ExecutionConfig, error) {
	l := loader{config: base, origin: map[string]string{}}
	var unread error
	if s.file != "" {
		unread = l.readFile(s.file)
	}
	for _, v := range environ {
		l.variable(v)
	}
	for _, kv := range s.set {
		key, value, _ := strings.Cut(kv, "=")
		l.assign(key, "--set "+kv, written(value))
	}
	l.partial = unread != nil
	switch err := l.finish(); {
	case unread == nil:
		return l.config, err
	case err == nil:
		return base, unread
	default:
		return base, errors.Join(unread, err)
	}
}

// loader collects settings and mistakes.
type loader struct {
	config   leyline.ExecutionConfig
	origin   map[string]string // where a key was set last
	problems []leyline.ConfigProblem
	partial  bool // a file could not be read: what two settings are to each other is not known
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
			if bad[p.Key] || l.partial && p.Other != "" {
				continue
			}
			p.Reason = l.places(p) + p.Reason
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		return &leyline.ConfigError{Problems: problems}
	}
	return nil
}

// places says where the values of a problem were set, as far as they were.
func (l *loader) places(p leyline.ConfigProblem) string {
	var where []string
	if at := l.origin[p.Key]; at != "" {
		where = append(where, at)
	}
	if at := l.origin[p.Other]; at != "" {
		where = append(where, p.Other+": "+at)
	}
	if where == nil {
		return ""
	}
	return "(" + strings.Join(where, "; ") + ") "
}

// variable takes one environment variable. A name that begins like a setting
// and is none is a mistake: it would be ignored silently.
func (l *loader) variable(v string) {
	name, value, _ := strings.Cut(v, "=")
	if !strings.HasPrefix(name, envPrefix) || name == envBinary {
		return
	}
	names := map[string]string{}
	for _, key := range keys() {
		names[envName(key)] = key
	}
	if key, ok := names[name]; ok {
		l.assign(key, "environment", written(value))
		return
	}
	fix := "unset it"
	if best, ok := nearest(name, slices.Sorted(maps.Keys(names))); ok {
		fix += ", or did you mean " + best + "?"
	}
	l.problem(name, "environment", "is no setting", fix+"; "+everyKey)
}

// assign sets a key to a value: written text from a flag or the environment, or a
// TOML value from a file.
func (l *loader) assign(key, where string, value any) {
	all := l.config.Settings()
	i := slices.IndexFunc(all, func(s leyline.Setting) bool { return s.Key == key })
	if i < 0 {
		l.problem(key, where, "is no setting", suggest(key))
		return
	}
	l.origin[key] = where
	if want := setField(all[i].Value, value); want != "" {
		if strings.HasPrefix(want, oneOf) {
			want = all[i].Allowed() // a rule may allow fewer members than the enum has
		}
		l.problem(key, where, "is "+valueText(value), "write "+want)
	}
}

// keys lists every key in the order of declaration.
func keys() []string {
	var c leyline.ExecutionConfig
	var out []string
	for _, s := range c.Settings() {
		out = append(out, s.Key)
	}
	return out
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// everyKey says where the right keys are.
const everyKey = "`esper config show` prints every key"

// suggest says what to write instead of a key that is none.
func suggest(key string) string {
	var sections []string
	for _, k := range keys() {
		section, _, _ := strings.Cut(k, ".")
		sections = append(sections, section)
	}
	sections = slices.Compact(sections)
	if slices.Contains(sections, key) {
		return "it is a section: write its settings as " + key + ".NAME or below [" + key + "]; " + everyKey
	}
	if best, ok := nearest(key, keys()); ok {
		return "did you mean " + best + "? " + everyKey
	}
	return "the sections are " + strings.Join(sections, ", ") + "; " + everyKey
}

// nearest returns the name that is most like a wrong one, if one is like it: two
// thirds of the characters agree.
func nearest(wrong string, names []string) (string, bool) {
	wrong = clip(wrong, 2*maxName) // a name that is longer is like none
	best := slices.MinFunc(names, func(a, b string) int { return distance(wrong, a) - distance(wrong, b) })
	return best, 3*distance(wrong, best) <= max(len(wrong), len(best))
}

// maxName is longer than the name of any setting.
const maxName = 64

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
