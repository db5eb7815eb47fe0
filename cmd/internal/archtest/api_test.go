package archtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/api after a deliberate change of an exported surface")

// TestAPI holds what every package exports against its file in testdata/api: a
// file for each package, so that a review shows whose surface has changed and
// a package that is gone leaves a file too many.
func TestAPI(t *testing.T) {
	all, err := API(module(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mustModuleDir(t), "testdata", "api")
	want := map[string]string{} // by file name
	for pkg, text := range all {
		want[strings.ReplaceAll(pkg, "/", ".")+".txt"] = text
	}
	if *update {
		rewriteAPI(t, dir, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	for name := range want {
		if diff := cmp.Diff(strings.Split(got[name], "\n"), strings.Split(want[name], "\n")); diff != "" {
			t.Errorf("testdata/api/%s is not what the package exports (-file +source); go test ./cmd/internal/archtest -update rewrites it:\n%s", name, diff)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("testdata/api/%s belongs to no package; go test ./cmd/internal/archtest -update removes it", name)
	}
}

func rewriteAPI(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlantedAPI shows every form of declaration as the listing has it.
func TestPlantedAPI(t *testing.T) {
	src := tree(t, map[string]string{
		"leyline/a.go": `package leyline

type Code uint8

const (
	One   Code = iota + 1
	Third      = 1.0 / 3
	Name       = "n\n"
	small      = 1
)

// Pair has a field of every sort.
type Pair[K comparable, V any] struct {
	Key  K ` + "`toml:\"key\"`" + `
	inner
	Code
	note string
}

type inner struct{ N int }

func (inner) Inside() bool { return true }

func (p *Pair[K, V]) Put(k K, vs ...V) (err error) { return nil }
func (p Pair[K, V]) hidden()                     {}

type Ints = Pair[int, int]

type Sealed interface {
	Open() error
	seal()
}

type Number interface{ ~int | ~float64 }

type Visit func(Code) (more bool)

var Err error

func Sum[T Number](all []T, by map[string]func(T)) T { var t T; return t }
func private()                                    {}
`,
		"projections/a.go": `package projections

import "example.org/m/leyline"

func Of(c leyline.Code) leyline.Ints { return leyline.Ints{} }
`,
		"cmd/esper/a.go": "package main\n\nvar Exported int\n",
	})
	got, err := API(src)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"leyline": `type Code uint8
var Err error
type Ints = Pair[int, int]
const Name untyped string = "n\n"
type Number interface
	~int | ~float64
const One Code = 1
type Pair[K comparable, V any] struct
	Key K ` + "`toml:\"key\"`" + `
	N int
	Code
	// and fields that are not exported
	func (*Pair[K, V]) Put(k K, vs ...V) (err error)
	func (Pair[K, V]) Inside() bool
type Sealed interface
	Open() error
	// and the method seal, so that no other package can implement it
func Sum[T Number](all []T, by map[string]func(T)) T
const Third untyped float = 0.3333333333333333
type Visit func(Code) (more bool)
`,
		"projections": "func Of(c leyline.Code) leyline.Ints\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := API(tree(t, pure("var X = nowhere.Y"))); err == nil || !strings.Contains(err.Error(), "leyline") {
		t.Errorf("a package that cannot be resolved gives %v", err)
	}
}
