package python_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// interpreter is a python3 of the oldest version that the package runs on, or a newer
// one; without it nothing of Python is tested.
func interpreter(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("nothing of Python is tested: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), path, "-c", "import sys; print(sys.version_info >= (3, 10), sys.version)").Output()
	if err != nil || !strings.HasPrefix(string(out), "True") {
		t.Skipf("nothing of Python is tested: %s is older than 3.10: %s %v", path, out, err)
	}
	return path
}

// program builds esper.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program and runs planes")
	}
	path := filepath.Join(t.TempDir(), "esper")
	c := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/esper")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// depend makes the result depend on everything that the program and the tests are made
// of: the go command takes a result from its cache if nothing has changed that a test
// has looked at itself, and what its processes read it cannot know.
func depend(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"../../cmd", "../../eventlog", "../../leyline", "../../projections", "../../replay", "../../subsystems"} {
		if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

var ran = regexp.MustCompile(`(?m)^Ran ([0-9]+) tests? in`)

// TestPython runs the tests of the package, the ones against a real plane included.
func TestPython(t *testing.T) {
	depend(t)
	path := interpreter(t)
	c := exec.CommandContext(t.Context(), path, "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-t", ".")
	c.Env = append(os.Environ(), "PYTHONPATH=", "PYTHONDONTWRITEBYTECODE=1", "ESPER_BINARY="+program(t))
	out, err := c.CombinedOutput()
	if err != nil || !ran.Match(out) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", ran.Find(out))
}

// TestSourcesCompile holds every source to the grammar that its interpreter knows, the
// ones that need packages which are not there included.
func TestSourcesCompile(t *testing.T) {
	path := interpreter(t)
	const compile = `
import ast, pathlib, sys
found = sorted(p for p in pathlib.Path(".").rglob("*.py"))
for p in found:
    ast.parse(p.read_text(encoding="utf-8"), str(p), feature_version=(3, 10))
print(len(found))
`
	if out, err := exec.CommandContext(t.Context(), path, "-W", "error", "-c", compile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
