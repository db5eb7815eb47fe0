package archtest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// checks are all that the module has to pass.
var checks = []struct {
	name  string
	check func(*Source) []Finding
}{
	{"imports", func(s *Source) []Finding { return CheckImports(s, Table) }},
	{"pure imports", func(s *Source) []Finding { return CheckPureImports(s, Table) }},
	{"purity", func(s *Source) []Finding { return CheckPurity(s, Table) }},
	{"one source", func(s *Source) []Finding { return CheckOneSource(s, Table) }},
	{"package comments", CheckPackageComments},
	{"module file", CheckModule},
	{"top level", CheckTopLevel},
	{"environment", CheckEnvironment},
	{"text", CheckText},
	{"enums", CheckEnums},
	{"goroutines", func(s *Source) []Finding { return CheckGoroutines(s, Spawners) }},
	{"one worker", CheckOneWorker},
	{"constants", CheckConstants},
	{"settings", CheckSettings},
}

// TestModule holds this module against every check.
func TestModule(t *testing.T) {
	src := module(t)
	if len(src.Packages) < 5 {
		t.Fatalf("found only %d packages; is the walk broken?", len(src.Packages))
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range c.check(src) {
				t.Error(f)
			}
		})
	}
}

var loadModule = sync.OnceValues(func() (*Source, error) {
	dir, err := moduleDir()
	if err != nil {
		return nil, err
	}
	return Load(os.DirFS(dir))
})

// module loads this module; the test process opens every file itself.
func module(t *testing.T) *Source {
	t.Helper()
	src, err := loadModule()
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// moduleDir walks from the directory of the test up to the one with go.mod.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", os.ErrNotExist
		}
		dir = up
	}
}
