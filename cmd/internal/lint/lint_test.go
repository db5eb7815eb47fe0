package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said is what a linter prints in a test.
type said struct {
	stdout, stderr string
	failed         bool
	err            error
}

const twoFunctions = `[{"FuncName":"(*T).Hard","Complexity":13,"Pos":{"Filename":"a/b.go","Line":7}},
	{"FuncName":"Plain","Complexity":1,"Pos":{"Filename":"a/b.go","Line":3}}]`

// quiet is a run of all linters without a warning; each test changes some.
func quiet(change map[string]said) executor {
	return func(_ string, command []string) ([]byte, []byte, bool, error) {
		all := strings.Join(command, " ")
		for part, s := range change {
			if strings.Contains(all, part) {
				return []byte(s.stdout), []byte(s.stderr), !s.failed, s.err
			}
		}
		if strings.Contains(all, "gocognit") {
			return []byte(twoFunctions), []byte("a note"), true, nil
		}
		return nil, nil, true, nil
	}
}

// module makes a small module and returns its root.
func module(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":            "module example.org/m\n",
		"a/b.go":            "package a\n\n//lint:ignore U1000 it is a test\nvar x int //nolint:all\n",
		"a/c.go":            "//go:build linux\n\npackage a\n" + strings.Repeat("\n", 300),
		"testdata/keep.txt": "",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestSnapshot(t *testing.T) {
	o := options{goCommand: "go", root: module(t), update: true}
	if err := run(o, new(strings.Builder), quiet(nil)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(o.root, snapshotFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ngofmt        -       0\n", "\nstaticcheck  v", "\n   0    0    1  a\n", "\n13 a (*T).Hard\n", "\n303 a/c.go\n",
		"\na/b.go: //lint:ignore U1000 it is a test\na/b.go: //nolint:all\na/c.go: //go:build linux\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "Plain") {
		t.Errorf("names a simple function:\n%s", text)
	}
}

func TestDifferencesFail(t *testing.T) {
	o := options{goCommand: "go", root: module(t)}
	if err := run(o, new(strings.Builder), quiet(nil)); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "make lint-update") {
		t.Errorf("without a file: %v", err)
	}
	o.update = true
	if err := run(o, new(strings.Builder), quiet(nil)); err != nil {
		t.Fatal(err)
	}
	o.update = false
	if err := run(o, new(strings.Builder), quiet(nil)); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	grown := strings.Replace(twoFunctions, "13", "14", 1)
	var w strings.Builder
	err := run(o, &w, quiet(map[string]said{"gocognit": {stdout: grown}}))
	if !errors.Is(err, errDiffers) || !strings.Contains(err.Error(), "make lint-update") {
		t.Errorf("a function has grown: %v", err)
	}
	if want := "- 13 a (*T).Hard\n+ 14 a (*T).Hard\n"; w.String() != want {
		t.Errorf("the difference is told as\n%swant\n%s", w.String(), want)
	}
}

func TestWarningsFail(t *testing.T) {
	hard := strings.Replace(twoFunctions, "13", "16", 1)
	for name, c := range map[string]struct {
		change map[string]said
		want   string // in what is told, or in the error
	}{
		"unformatted":     {map[string]said{"gofmt": {stdout: "a/b.go\n"}}, "gofmt: a/b.go\n"},
		"vet":             {map[string]said{"go vet": {stderr: "# m/a\na/b.go:1: wrong\n", failed: true}}, "vet: a/b.go:1: wrong\n"},
		"staticcheck":     {map[string]said{"staticcheck": {stdout: "a/b.go:1: wrong\n", stderr: "exit status 1", failed: true}}, "staticcheck: a/b.go:1: wrong\n"},
		"complex":         {map[string]said{"gocognit": {stdout: hard}}, "gocognit: a/b.go:7: the complexity of (*T).Hard is 16, more than 15\n"},
		"untidy":          {map[string]said{"mod tidy": {stdout: "-\tx\n", failed: true}}, "tidy: -\tx\n"},
		"silent":          {map[string]said{"go vet": {failed: true}}, "vet failed and did not say why"},
		"absent":          {map[string]said{"gofmt": {err: os.ErrNotExist}}, "cannot run gofmt"},
		"no functions":    {map[string]said{"gocognit": {stdout: "[]"}}, "found no function"},
		"no list":         {map[string]said{"gocognit": {stdout: "?"}}, "cannot read what gocognit says"},
		"gocognit failed": {map[string]said{"gocognit": {stderr: "syntax error", failed: true}}, "gocognit: syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{goCommand: "go", root: module(t), update: true}
			var w strings.Builder
			err := run(o, &w, quiet(c.change))
			if err == nil || !strings.Contains(w.String()+err.Error(), c.want) {
				t.Errorf("%v, told %q, want %q", err, w.String(), c.want)
			}
			if _, err := os.Stat(filepath.Join(o.root, snapshotFile)); err == nil {
				t.Error("a file was written all the same")
			}
		})
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"x\ny\n", "x\ny\n", ""},
		{"x\ny\n", "x\nz\n", "- y|+ z"},
		{"x\nx\n", "x\n", "- x"},
		{"x\ny\n", "y\nx\n", "the same lines in another order"},
	} {
		if got := strings.Join(diff(c.a, c.b), "|"); got != c.want {
			t.Errorf("%q and %q differ by %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestDirectives(t *testing.T) {
	for comment, want := range map[string]bool{
		"//lint:ignore X y": true, "//lint:file-ignore X y": true, "//nolint": true, "// nolint:x": true, "//go:build a": true,
		"// +build a": true, "// lint is here": false, "//go:embed a": false, "/* nolint */": false,
	} {
		if got := isDirective(comment); got != want {
			t.Errorf("%s: %v, want %v", comment, got, want)
		}
	}
}
