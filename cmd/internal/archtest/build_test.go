package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// portable are the packages that have to build for every machine.
var portable = []string{"./leyline/...", "./subsystems/...", "./projections/..."}

// TestCrossBuild builds for machines that fuse and machines that do not.
func TestCrossBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for other machines take a while when nothing is cached")
	}
	module(t) // the test cache has to see the files that the go command will read
	for _, target := range [][]string{{"GOARCH=arm64"}, {"GOARCH=amd64", "GOAMD64=v3"}} {
		t.Run(strings.Join(target, " "), func(t *testing.T) {
			if out, err := goBuild(t, mustModuleDir(t), target, portable...); err != nil {
				t.Errorf("cannot build: %v\n%s", err, out)
			}
		})
	}
}

// TestNoFusedInstructions compiles the pure packages for arm64, where the
// compiler fuses wherever the language lets it, and reads the instructions.
func TestNoFusedInstructions(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for another machine take a while when nothing is cached")
	}
	args := []string{"-gcflags=-S"}
	for _, p := range module(t).Packages {
		if rule, _ := ruleFor(Table, p.Path); rule.Purity == Pure && len(p.Files) > 0 {
			args = append(args, "./"+p.Path)
		}
	}
	out, err := goBuild(t, mustModuleDir(t), []string{"GOARCH=arm64"}, args...)
	if err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	if !strings.Contains(out, "STEXT") {
		t.Fatal("the compiler printed no instructions")
	}
	for _, where := range fused(out) {
		t.Errorf("%s: the compiler fuses a product with a sum here; write float64(a * b)", where)
	}
}

// TestPlantedFusedInstructions shows that the look at instructions finds what
// the look at expressions cannot.
func TestPlantedFusedInstructions(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for another machine take a while when nothing is cached")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.26\n",
		"a.go": `package m

func Product(a, b float64) float64 { return a * b }

func Inlined(a, b, s float64) float64 { return s + Product(a, b) }

func Across(a, b, s float32) float32 {
	p := a * b
	return s - p
}

func Rounded(a, b, s float64) float64 { return s + float64(a*b) }
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := goBuild(t, dir, []string{"GOARCH=arm64"}, "-gcflags=-S", ".")
	if err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	got := strings.Join(fused(out), " ")
	if !strings.Contains(got, "a.go:5") || !strings.Contains(got, "a.go:9") || strings.Contains(got, "a.go:12") {
		t.Errorf("found %q, want lines 5 and 9 of a.go and not line 12", got)
	}
}

var fusedInstruction = regexp.MustCompile(`\(([^()\s]+:\d+)\)\s+FN?M(?:ADD|SUB)[SD]\s`)

// fused returns the places of fused instructions in a listing for arm64, each once.
func fused(listing string) []string {
	var places []string
	seen := map[string]bool{}
	for _, m := range fusedInstruction.FindAllStringSubmatch(listing, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			places = append(places, m[1])
		}
	}
	return places
}

func goBuild(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), append(env, "CGO_ENABLED=0")...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustModuleDir(t *testing.T) string {
	t.Helper()
	dir, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
