package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a way to mask a failure, planted into a copy of one file. The law
// that no path in the tree substitutes a value is not a pattern that could be
// searched for; that the tests notice each of the ways in which it is commonly
// broken is a fact that can be shown. `make mutants` shows it.
//
// A mutant is planted through an overlay of the go command and not behind a
// build tag in the product: product code has no second meaning that a tag could
// turn on, and pure packages may hold no build constraint at all. Only the run
// is behind a tag, since it compiles the module once for every mutant. That no
// mutant is stale is an ordinary test.
type mutant struct {
	name string
	does string // what the changed program would do
	file string // relative to the module
	old  string // occurs exactly once in file
	new  string
	pkg  string // whose tests notice it
	run  string // these of them, as -run takes it
}

// plant returns the file with the mutant in it. It says so when the mutant is
// stale: then the code was changed and the mutant has to follow.
func (m mutant) plant(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(mustModuleDir(t), m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("the mutant is stale: its text occurs %d times in %s, want once:\n%s", n, m.file, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1)
}

func TestMutantsAreNotStale(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if names[m.name] || m.does == "" || m.pkg == "" || m.run == "" {
				t.Errorf("the mutant is not told apart, or not described: %+v", m)
			}
			names[m.name] = true
			if m.plant(t) == "" || m.old == m.new {
				t.Error("the mutant changes nothing")
			}
		})
	}
	if len(names) < 14 {
		t.Errorf("only %d mutants", len(names))
	}
}
