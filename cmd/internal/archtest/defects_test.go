package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// An entry of testdata/defects.toml says what became of a defect of the
// reference or of one of its test oracles: tests that keep it out, or why it
// cannot occur here.
type entry struct {
	ID     string   `toml:"id"`
	Says   string   `toml:"says"`
	Tests  []string `toml:"tests"`
	Reason string   `toml:"reason"`
}

type defectFile struct {
	Defects []entry `toml:"defect"`
	Oracles []entry `toml:"oracle"`
}

// defectIDs are the 101 defects of SPEC.md section 7: 45 of Tolaria, two of
// whose 34 numbers are split into letters, 27 of Tamiyo, 23 of Kasmina, 6 shared.
func defectIDs() []string {
	var all []string
	for _, group := range []struct {
		letter string
		last   int
	}{{"T", 34}, {"A", 27}, {"K", 23}, {"S", 6}} {
		for n := 1; n <= group.last; n++ {
			id := fmt.Sprintf("D-%s%d", group.letter, n)
			letters := map[string]string{"D-T8": "abcdefgh", "D-T9": "abcde"}[id]
			for _, l := range letters {
				all = append(all, id+string(l))
			}
			if letters == "" {
				all = append(all, id)
			}
		}
	}
	return all
}

// oracleCounts says how many oracles each part of SPEC.md section 8 has: 8.1
// Leyline, 8.2 Tolaria, 8.3 Tamiyo, 8.4 Kasmina, 8.5 what they share.
var oracleCounts = []struct {
	prefix string
	count  int
}{{"O-L", 10}, {"O-T", 52}, {"O-A", 52}, {"O-K", 46}, {"O-S", 37}}

func oracleIDs() []string {
	var all []string
	for _, c := range oracleCounts {
		for n := 1; n <= c.count; n++ {
			all = append(all, fmt.Sprintf("%s-%d", c.prefix, n))
		}
	}
	return all
}

// TestDefects holds testdata/defects.toml against the lists above and against
// the tests of the module.
func TestDefects(t *testing.T) {
	src, dir := module(t), mustModuleDir(t)
	text, err := os.ReadFile(filepath.Join(dir, "testdata", "defects.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if ids := defectIDs(); len(ids) != 101 {
		t.Fatalf("%d defects are expected, SPEC.md has 101", len(ids))
	}
	file, err := parseDefects(text)
	if err != nil {
		t.Fatal(err)
	}
	index := testIndex{src: src, scripts: func(pkg, name string) bool {
		_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(pkg), "testdata", name+".txtar"))
		return err == nil
	}, python: func(path string) (string, bool) {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		return string(text), err == nil
	}}
	for _, problem := range slices.Concat(
		checkIDs(file.Defects, defectIDs()), checkIDs(file.Oracles, oracleIDs()),
		checkEntries(file.Defects, index), checkEntries(file.Oracles, index),
	) {
		t.Error(problem)
	}
}

func parseDefects(text []byte) (defectFile, error) {
	var file defectFile
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&file)
	return file, err
}

// checkIDs wants every id once and in order, and no other.
func checkIDs(all []entry, want []string) []string {
	var problems []string
	seen := map[string]bool{}
	for _, e := range all {
		switch {
		case !slices.Contains(want, e.ID):
			problems = append(problems, fmt.Sprintf("%s is no id of SPEC.md", e.ID))
		case seen[e.ID]:
			problems = append(problems, e.ID+" occurs twice")
		}
		seen[e.ID] = true
	}
	for _, id := range want {
		if !seen[id] {
			problems = append(problems, id+" is missing")
		}
	}
	if len(problems) == 0 && !slices.EqualFunc(all, want, func(e entry, id string) bool { return e.ID == id }) {
		problems = append(problems, "the entries from "+want[0]+" on are not in the order of SPEC.md")
	}
	return problems
}

// checkEntries wants exactly one answer of each entry and holds it against the
// source.
func checkEntries(all []entry, index testIndex) []string {
	var problems []string
	for _, e := range all {
		answers := 0
		for _, given := range []bool{len(e.Tests) > 0, e.Reason != ""} {
			if given {
				answers++
			}
		}
		switch {
		case len(e.Says) < 10:
			problems = append(problems, e.ID+" does not say what it is")
		case answers != 1:
			problems = append(problems, e.ID+" wants exactly one of tests and reason")
		case e.Reason != "" && len(e.Reason) < 20:
			problems = append(problems, e.ID+" gives no reason that says anything")
		}
		for _, name := range e.Tests {
			if why := index.check(name); why != "" {
				problems = append(problems, fmt.Sprintf("%s names %s: %s", e.ID, name, why))
			}
		}
	}
	return problems
}

// testIndex finds tests in the source of a module.
type testIndex struct {
	src     *Source
	scripts func(pkg, name string) bool      // whether a package has a script of that name
	python  func(path string) (string, bool) // the text of a file of tests in Python
}

var testName = regexp.MustCompile(`^(\S+)\.((?:Test|Fuzz)\w+)(?:/(\S+))?$`)

var pythonName = regexp.MustCompile(`^(\S+)\.(\w+)\.(\w+)\.(test_\w+)$`)

// checkPython is check for names of the form folder.module.Class.test_name.
func (x testIndex) checkPython(folder, module, class, test string) string {
	text, ok := x.python(folder + "/" + module + ".py")
	if !ok {
		return "there is no such file"
	}
	_, body, ok := strings.Cut(text, "\nclass "+class+"(")
	if !ok {
		return "the file has no such class"
	}
	body, _, _ = strings.Cut(body, "\nclass ")
	if !strings.Contains(body, "\n    def "+test+"(self") {
		return "the class has no such test"
	}
	return ""
}

// check says why a name of the form package/path.TestName or
// package/path.TestName/subtest, or that of a test in Python, is no test, or nothing. A subtest is one if its
// text, with underscores for spaces, is a literal in the test's file, or the
// name of a script.
func (x testIndex) check(name string) string {
	if m := pythonName.FindStringSubmatch(name); m != nil {
		return x.checkPython(m[1], m[2], m[3], m[4])
	}
	m := testName.FindStringSubmatch(name)
	if m == nil {
		return "want package/path.TestName, package/path.TestName/subtest or folder.module.Class.test_name"
	}
	for _, p := range x.src.Packages {
		if p.Path != m[1] {
			continue
		}
		for _, f := range p.Tests {
			if declares(f, m[2]) {
				if m[3] == "" || hasText(f, m[3]) || x.scripts(p.Path, m[3]) {
					return ""
				}
				return "the test has no such subtest"
			}
		}
		return "the package has no such test"
	}
	return "there is no such package"
}

func declares(f *File, test string) bool {
	return slices.ContainsFunc(f.AST.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && fn.Name.Name == test
	})
}

// hasText says whether a string literal of a file is the name of a subtest.
func hasText(f *File, subtest string) bool {
	found := false
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			text, err := strconv.Unquote(lit.Value)
			found = found || err == nil && strings.ReplaceAll(text, " ", "_") == subtest
		}
		return true
	})
	return found
}

func TestPlantedDefects(t *testing.T) {
	src := tree(t, map[string]string{
		"leyline/a_test.go": "package leyline\n\nfunc TestOne() { t.Run(\"a b\", nil) }\n\nfunc helper() {}\n",
	})
	index := testIndex{src: src, scripts: func(_, name string) bool { return name == "script" }, python: func(path string) (string, bool) {
		return "\nclass A(T):\n    def test_a(self):\n\nclass B(T):\n    def test_b(self):\n", path == "py/test_x.py"
	}}
	good := entry{ID: "D-1", Says: "what it is about", Tests: []string{"leyline.TestOne"}}
	for name, c := range map[string]struct {
		change func(e *entry)
		want   string
	}{
		"tests":         {func(*entry) {}, ""},
		"subtest":       {func(e *entry) { e.Tests[0] += "/a_b" }, ""},
		"script":        {func(e *entry) { e.Tests[0] += "/script" }, ""},
		"reason":        {func(e *entry) { e.Tests, e.Reason = nil, "there is nothing of that kind here" }, ""},
		"no answer":     {func(e *entry) { e.Tests = nil }, "exactly one"},
		"two answers":   {func(e *entry) { e.Reason = "there is nothing of that kind here" }, "exactly one"},
		"short reason":  {func(e *entry) { e.Tests, e.Reason = nil, "impossible" }, "gives no reason"},
		"no text":       {func(e *entry) { e.Says = "" }, "does not say what it is"},
		"python":        {func(e *entry) { e.Tests[0] = "py.test_x.A.test_a" }, ""},
		"no file":       {func(e *entry) { e.Tests[0] = "py.test_y.A.test_a" }, "no such file"},
		"no class":      {func(e *entry) { e.Tests[0] = "py.test_x.C.test_a" }, "no such class"},
		"another class": {func(e *entry) { e.Tests[0] = "py.test_x.A.test_b" }, "has no such test"},
		"no package":    {func(e *entry) { e.Tests[0] = "eventlog.TestOne" }, "no such package"},
		"no test":       {func(e *entry) { e.Tests[0] = "leyline.TestTwo" }, "no such test"},
		"no subtest":    {func(e *entry) { e.Tests[0] += "/a" }, "no such subtest"},
		"no test name":  {func(e *entry) { e.Tests[0] = "leyline.helper" }, "want package/path.TestName"},
	} {
		e := good
		e.Tests = slices.Clone(good.Tests)
		c.change(&e)
		got := strings.Join(checkEntries([]entry{e}, index), "; ")
		if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, c := range []struct{ ids, want string }{
		{"a b", ""}, {"a", "b is missing"}, {"a b b", "b occurs twice"}, {"a b c", "c is no id"}, {"b a", "not in the order"},
	} {
		var all []entry
		for _, id := range strings.Fields(c.ids) {
			all = append(all, entry{ID: id})
		}
		got := strings.Join(checkIDs(all, []string{"a", "b"}), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("ids %s: %q, want %q", c.ids, got, c.want)
		}
	}
	if _, err := parseDefects([]byte("[[defect]]\nid = \"D-T1\"\nfixed = true\n")); err == nil {
		t.Error("an unknown key was accepted")
	}
}
