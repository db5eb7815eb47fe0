package cli

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/esper-plane/esper/leyline"
)

// specGroups counts the settings of the specification, by section; those of 5.8 are
// in tables of their own.
var specGroups = map[string]int{
	"1.4 performance budgets": 14, "1.4 memory budgets": 9, "1.4 system limits": 10,
	"2.1 loop configuration": 21, "3.13 Tamiyo's service": 8, "4.1 Kasmina's manager": 23, "5.1 async worker": 4,
	"5.3 Oona": 12, "5.7 other environment variables": 4, "5.8 documented but not implemented": 3, "6.2 thresholds": 9,
}

// specVariables is how many environment settings the specification has (5.8).
const specVariables = 94

// specEntry is what became of one setting of the specification.
type specEntry map[string]any

func (e specEntry) text(name string) string {
	s, _ := e[name].(string)
	return s
}

// specForms are the fields that an entry has, by what became of the setting.
var specForms = [][]string{
	{"key", "spec", "was"}, {"default", "key", "spec", "was", "why"}, {"owner", "was", "what"}, {"reason", "was"},
}

// problem says what is wrong with an entry, or nothing.
func (e specEntry) problem() string {
	if have := slices.Sorted(maps.Keys(e)); !slices.ContainsFunc(specForms, func(form []string) bool { return slices.Equal(form, have) }) {
		return "has the fields " + strings.Join(have, ", ") + ": neither a key, nor an owner, nor a reason"
	}
	for _, name := range []string{"why", "what", "reason"} {
		if _, ok := e[name]; ok && !strings.HasSuffix(e.text(name), ".") {
			return name + " is no sentence"
		}
	}
	switch {
	case e.text("was") == "":
		return "has no default of the specification"
	case e["owner"] != nil && !regexp.MustCompile(`^0[34567]$`).MatchString(e.text("owner")):
		return "has an owner that is no issue to come"
	case e["key"] != nil:
		return e.keyProblem()
	}
	return ""
}

// keyProblem compares the defaults of a setting that exists here.
func (e specEntry) keyProblem() string {
	c := leyline.DefaultConfig()
	all := c.Settings()
	i := slices.IndexFunc(all, func(s leyline.Setting) bool { return s.Key == e.text("key") })
	if i < 0 {
		return "names the key " + e.text("key") + ", which is no setting"
	}
	ours := settingText(all[i].Value)
	same := textOf(all[i].Value, e["spec"]) == ours
	switch stated, ok := e["default"]; {
	case same && ok:
		return "gives a default that the specification has as well"
	case !same && !ok:
		return "has another default here, " + ours + ", and does not say why"
	case !same && textOf(all[i].Value, stated) != ours:
		return "gives a default that is not ours, " + ours
	}
	return ""
}

// textOf renders a value as one of a setting; nothing if it cannot be one.
func textOf(like reflect.Value, value any) string {
	v := reflect.New(like.Type()).Elem()
	if setField(v, value) != "" {
		return ""
	}
	return settingText(v)
}

// readSpecList reads the list: groups of entries, and what is new here.
func readSpecList(t *testing.T) (map[string]map[string]specEntry, map[string]string) {
	t.Helper()
	b, err := os.ReadFile("../../../testdata/settings.toml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]map[string]any
	if err := toml.Unmarshal(b, &doc); err != nil { // it refuses a name that is listed twice in a group
		t.Fatal(err)
	}
	groups, fresh := map[string]map[string]specEntry{}, map[string]string{}
	for key, v := range doc["new"] {
		fresh[key], _ = v.(string)
	}
	delete(doc, "new")
	for group, names := range doc {
		groups[group] = map[string]specEntry{}
		for name, v := range names {
			groups[group][name], _ = v.(map[string]any)
		}
	}
	return groups, fresh
}

// TestEverySettingOfTheSpecification holds testdata/settings.toml, which says what
// became of every setting of the specification, against the settings here.
func TestEverySettingOfTheSpecification(t *testing.T) {
	groups, fresh := readSpecList(t)
	listed, where := map[string]bool{}, map[string]string{}
	counts, variables := map[string]int{}, 0
	for group, names := range groups {
		for name, e := range names {
			if p := e.problem(); p != "" {
				t.Errorf("%s: %s %s", group, name, p)
			}
			if other := where[name]; other != "" && strings.ToUpper(name) == name {
				t.Errorf("%s is in %s and in %s", name, other, group)
			}
			where[name] = group
			listed[e.text("key")] = true
		}
		if _, ok := specGroups[group]; ok || !strings.HasPrefix(group, "5.8 ") {
			counts[group] = len(names)
		} else {
			variables += len(names)
		}
	}
	if d := cmp.Diff(specGroups, counts); d != "" {
		t.Error(d)
	}
	if variables != specVariables {
		t.Errorf("%d settings of section 5.8, want %d", variables, specVariables)
	}
	for _, key := range keys() {
		switch sentence, isNew := fresh[key]; {
		case !listed[key] && !isNew:
			t.Errorf("%s became of no setting of the specification; say under [new] what it is for", key)
		case listed[key] && isNew:
			t.Errorf("%s is not new: an entry names it", key)
		case isNew && !strings.HasSuffix(sentence, "."):
			t.Errorf("what %s is for is no sentence: %q", key, sentence)
		}
		delete(fresh, key)
	}
	for key := range fresh {
		t.Errorf("[new] lists %s, which is no setting", key)
	}
}

// TestSpecEntryProblems shows that a wrong entry is found.
func TestSpecEntryProblems(t *testing.T) {
	for _, c := range []struct {
		entry specEntry
		want  string
	}{
		{specEntry{"was": "8", "key": "plane.workers", "spec": int64(8)}, ""},
		{specEntry{"was": "4", "key": "plane.workers", "spec": int64(4), "default": int64(8), "why": "So."}, ""},
		{specEntry{"was": "none", "key": "plane.workers", "spec": "none", "default": int64(8), "why": "So."}, ""},
		{specEntry{"was": "4", "key": "plane.workers", "spec": int64(4)}, "has another default here, 8"},
		{specEntry{"was": "4", "key": "plane.workers", "spec": int64(4), "default": int64(9), "why": "So."}, "not ours, 8"},
		{specEntry{"was": "8", "key": "plane.workers", "spec": int64(8), "default": int64(8), "why": "So."}, "has as well"},
		{specEntry{"was": "8", "key": "plane.worker", "spec": int64(8)}, "which is no setting"},
		{specEntry{"was": "8", "key": "plane.workers", "spec": int64(8), "reason": "So."}, "neither"},
		{specEntry{"was": "8"}, "neither"},
		{specEntry{"was": "8", "reason": "so"}, "no sentence"},
		{specEntry{"was": "8", "owner": "08", "what": "So."}, "no issue to come"},
		{specEntry{"was": "", "reason": "So."}, "no default"},
		{nil, "neither"},
	} {
		if got := c.entry.problem(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.entry, got, c.want)
		}
	}
}
