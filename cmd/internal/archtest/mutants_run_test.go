//go:build mutants

package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// verdict is how a test says that it failed.
var verdict = regexp.MustCompile(`(?m)^--- FAIL: .*|^panic: .*`)

// TestMutantsAreKilled runs the tests that each mutant names, with the mutant and
// without it. With it one of them must fail; a mutant that does not compile, or
// that vet refuses, was not killed by a test.
func TestMutantsAreKilled(t *testing.T) {
	for pkg, run := range filters() {
		t.Run("without mutants/"+pkg, func(t *testing.T) {
			t.Parallel()
			if out, err := goTest(t, "", pkg, run); err != nil || strings.Contains(out, "no tests to run") {
				t.Errorf("the tests do not pass without a mutant: %v\n%s", err, tail(out))
			}
		})
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			out, err := goTest(t, overlay(t, m), m.pkg, m.run)
			switch {
			case err == nil:
				t.Errorf("the mutant survives: it %s, and %s of %s passes\n%s", m.does, m.run, m.pkg, tail(out))
			case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
				t.Errorf("the mutant does not compile:\n%s", tail(out))
			case strings.Contains(out, "panic: test timed out"):
				t.Errorf("the tests hang instead of failing:\n%s", tail(out))
			case !verdict.MatchString(out):
				t.Errorf("no test failed, the go command did: %v\n%s", err, tail(out))
			default:
				t.Logf("killed: %s", verdict.FindString(out))
			}
		})
	}
}

// filters joins what mutants run of each package.
func filters() map[string]string {
	out := map[string]string{}
	for _, m := range mutants {
		if out[m.pkg] != "" {
			out[m.pkg] += "|"
		}
		out[m.pkg] += m.run
	}
	return out
}

// overlay writes the changed file and the overlay that puts it in place.
func overlay(t *testing.T, m mutant) string {
	t.Helper()
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	doc, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(mustModuleDir(t), m.file): changed},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{changed: m.plant(t), filepath.Join(dir, "overlay.json"): string(doc)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "overlay.json")
}

func goTest(t *testing.T, overlay, pkg, run string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-short", "-count=1", "-timeout=2m", "-overlay="+overlay, "-run", run, "./"+pkg)
	cmd.Dir = mustModuleDir(t)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// tail is the end of what the go command said.
func tail(out string) string { return out[max(0, len(out)-3000):] }
