package archtest

import (
	"strings"
	"testing"
	"testing/fstest"
)

// A plant is a small tree with one violation, or with none where want is empty.
type plant struct {
	name  string
	files map[string]string
	want  string // part of the one finding
}

// pure is a tree whose file leyline/a.go, in a pure package, has this text.
func pure(body string) map[string]string {
	return map[string]string{"leyline/a.go": "package leyline\n" + body}
}

// at is a tree with a file at a path.
func at(path, text string) map[string]string { return map[string]string{path: text} }

func tree(t *testing.T, files map[string]string) *Source {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.org/m\n\ngo 1.26\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	src, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func expect(t *testing.T, check func(*Source) []Finding, plants []plant) {
	t.Helper()
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			got := check(tree(t, p.files))
			switch {
			case p.want == "" && len(got) > 0:
				t.Errorf("found %v, want nothing", got)
			case p.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), p.want)):
				t.Errorf("found %v, want one finding with %q", got, p.want)
			}
		})
	}
}

func TestPlantedImports(t *testing.T) {
	expect(t, func(s *Source) []Finding { return CheckImports(s, Table) }, []plant{
		{"allowed", at("projections/a.go", `package projections; import _ "example.org/m/leyline"`), ""},
		{"no rule", at("helpers/a.go", "package helpers"), "helpers: no rule names this package"},
		{"no rule for a root package", at("a.go", "package m"), "no rule names"},
		{"leyline imports nothing", pure(`import _ "example.org/m/projections"`), "leyline may not import projections"},
		{"eventlog knows no events", at("eventlog/a.go", `package eventlog; import _ "example.org/m/leyline"`), "eventlog may not import leyline"},
		{"projections see no log", at("projections/a.go", `package projections; import _ "example.org/m/eventlog"`), "may not import eventlog"},
		{"plane sees no log", at("subsystems/plane/a.go", `package plane; import _ "example.org/m/eventlog"`), "may not import eventlog"},
		{"replay sees no log", at("replay/a.go", `package replay; import _ "example.org/m/eventlog"`), "may not import eventlog"},
		{"nobody below imports cmd", at("replay/a.go", `package replay; import _ "example.org/m/cmd/internal/cli"`), "may not import cmd/internal/cli"},
		{"deciders do not know each other", at("subsystems/tamiyo/a.go", `package tamiyo; import _ "example.org/m/subsystems/kasmina"`), "may not import subsystems/kasmina"},
		{"only verify decodes", at("subsystems/kasmina/a.go", `package kasmina; import _ "example.org/m/leyline/wire"`), "may not import leyline/wire"},
		{"verify decodes", at("subsystems/kasmina/verify/a.go", `package verify; import _ "example.org/m/leyline/wire"`), ""},
		{"track is a leaf", at("subsystems/tolaria/track/a.go", `package track; import _ "example.org/m/leyline"`), "may not import leyline"},
		{"libraries", at("leyline/wire/a.go", `package wire; import _ "go.etcd.io/bbolt"`), "leyline/wire may not import go.etcd.io/bbolt"},
		{"libraries allowed", at("leyline/wire/a.go", `package wire; import _ "github.com/vmihailenco/msgpack/v5/msgpcode"`), ""},
		{"a library of another major version", at("leyline/wire/a.go", `package wire; import _ "github.com/vmihailenco/msgpack/v4"`), "may not import"},
		{"tests may look anywhere", at("projections/a_test.go", `package projections; import _ "example.org/m/eventlog/memlog"`), ""},
		{"tests may not look up into cmd", at("projections/a_test.go", `package projections_test; import _ "example.org/m/cmd/internal/cli"`), "a test outside cmd"},
		{"tests in cmd may", at("cmd/internal/cli/a_test.go", `package cli; import _ "example.org/m/cmd/internal/logging"`), ""},
		{"test libraries", at("projections/a_test.go", `package projections; import _ "github.com/google/go-cmp/cmp"`), ""},
		{"other test libraries", at("projections/a_test.go", `package projections; import _ "github.com/stretchr/testify/assert"`), "no rule allows"},
	})
}

func TestPlantedPureImports(t *testing.T) {
	expect(t, func(s *Source) []Finding { return CheckPureImports(s, Table) }, []plant{
		{"free", at("eventlog/a.go", `package eventlog; import _ "os"`), ""},
		{"harmless", pure(`import _ "crypto/ed25519"`), ""},
		{"os", pure(`import _ "os"`), "imports os,"},
		{"os/exec", pure(`import _ "os/exec"`), "imports os/exec"},
		{"net/http", pure(`import _ "net/http"`), "imports net/http"},
		{"math/rand", pure(`import _ "math/rand/v2"`), "imports math/rand/v2"},
		{"crypto/rand", at("leyline/sign/a.go", `package sign; import _ "crypto/rand"`), "imports crypto/rand"},
		{"cgo", pure(`import "C"`), "imports C"},
		{"sync", pure(`import _ "sync/atomic"`), "imports sync/atomic"},
		{"tests are free", at("leyline/a_test.go", `package leyline; import _ "os"`), ""},
		{"boltstore is free", at("projections/boltstore/a.go", `package boltstore; import _ "os"`), ""},
		{"timeless may lock", at("subsystems/telemetry/a.go", `package telemetry; import _ "sync"`), ""},
		{"timeless may not touch files", at("subsystems/telemetry/a.go", `package telemetry; import _ "os"`), "imports os"},
	})
}

func TestPlantedPurity(t *testing.T) {
	timeless := func(body string) map[string]string {
		return at("subsystems/telemetry/a.go", "package telemetry\n"+body)
	}
	expect(t, func(s *Source) []Finding { return CheckPurity(s, Table) }, []plant{
		{"constants of time", pure(`import "time"; const d = 3 * time.Second; func f(a, b time.Time) bool { return a.After(b) }`), ""},
		{"clock", pure(`import "time"; var x = time.Now`), "time.Now"},
		{"clock under another name", pure(`import z "time"; func f() z.Duration { return z.Since(z.Time{}) }`), "time.Since"},
		{"clock under no name", pure(`import . "time"; func f() { Sleep(1) }`), "time.Sleep"},
		{"timer", pure(`import "time"; var x *time.Timer`), "time.Timer"},
		{"local zone", pure(`import "time"; func f(t time.Time) time.Time { return t.Local() }`), "time.Time.Local"},
		{"timeless clock", timeless(`import "time"; var x = time.Now()`), "time.Now"},
		{"timeless goroutine", timeless(`func f() { c := make(chan int); go func() { c <- 1 }(); <-c }`), ""},
		{"free", at("subsystems/worker/a.go", `package worker; import "time"; var x = time.Now()`), ""},
		{"test file", at("leyline/a_test.go", `package leyline; import "time"; var x = time.Now()`), ""},

		{"goroutine", pure(`func f() { go f() }`), "starts a goroutine"},
		{"channel type", pure(`type c chan int`), "uses a channel"},
		{"receive", pure(`import "context"; func f(c context.Context) { <-c.Done() }`), "uses a channel"},
		{"channel range", pure(`import "context"; func f(c context.Context) { for range c.Done() { } }`), "uses a channel"},
		{"close", pure(`type c interface{ ~chan int }`), "uses a channel"},
		{"missing package", pure(`import "example.org/m/eventlog"; var x = eventlog.C`), "no package eventlog"},
		{"select", pure(`func f() { select {} }`), "uses a channel"},
		{"print", pure(`import "fmt"; func f() { fmt.Println() }`), "fmt.Println"},
		{"println", pure(`func f() { println() }`), "println"},
		{"sprint", pure(`import "fmt"; var s = fmt.Sprint(1)`), ""},

		{"map range", pure(`func f(m map[int]int) { for range m { } }`), "ranges over a map"},
		{"map range of a named type", pure(`type t map[int]int; func f(m t) { for k := range m { _ = k } }`), "ranges over a map"},
		{"map range of a parameter type", pure(`func f[M ~map[K]V, K comparable, V any](m M) { for range m { } }`), "ranges over a map"},
		{"slice range of a parameter type", pure(`func f[S ~[]E, E any](s S) { for range s { } }`), ""},
		{"map keys", pure(`import "maps"; func f(m map[int]int) { for range maps.Keys(m) { } }`), "maps.Keys"},
		{"sorted map keys", pure(`import ("maps"; "slices"); func f(m map[int]int) { for range slices.Sorted(maps.Keys(m)) { } }`), ""},
		{"collected map keys", pure(`import ("maps"; "slices"); func f(m map[int]int) []int { return slices.Collect(maps.Keys(m)) }`), "maps.Keys"},
		{"reflected map", pure(`import "reflect"; func f(v reflect.Value) { v.MapRange() }`), "MapRange"},
		{"unknown type", pure(`func f() { for range m { } }`), "cannot resolve"},

		{"package variable", pure(`var n int; func f() { n = 1 }`), "writes to the package variable n"},
		{"package counter", pure(`var n struct{ a []int }; func f() { n.a[0]++ }`), "package variable n"},
		{"loop into a package variable", pure(`var n int; func f(s []int) { for n = range s { } }`), "package variable n"},
		{"local variable", pure(`func f(p *struct{ a []int }) { n := 0; n = 1; p.a[n]++ }`), ""},

		{"exp", pure(`import "math"; var f = math.Exp`), "math.Exp"},
		{"fma", pure(`import "math"; var f = math.FMA`), "math.FMA"},
		{"exact", pure(`import "math"; func f(x float64) bool { return math.Sqrt(x) > math.Pi && math.Float64bits(x) < math.MaxUint32 }`), ""},
	})
}

func TestPlantedFusing(t *testing.T) {
	f := func(expr string) map[string]string {
		return pure("type F float64; func f(a, b, s float64, i, j int, p, q F, z complex128) any { " + expr + " }")
	}
	expect(t, func(s *Source) []Finding { return CheckPurity(s, Table) }, []plant{
		{"sum", f(`return s + a*b`), "[fusing]"},
		{"difference", f(`return a*b - s`), "[fusing]"},
		{"accumulate", f(`s += a * b; return s`), "[fusing]"},
		{"subtract in place", f(`s -= (a * b); return s`), "[fusing]"},
		{"behind a sign", f(`return s + (-(a * b))`), "[fusing]"},
		{"named float", f(`return p + p*q`), "[fusing]"},
		{"complex", f(`return z + z*z`), "[fusing]"},
		{"parameter type", pure(`func f[T ~float64 | ~int](a, b T) T { return a + a*b }`), "[fusing]"},
		{"integer parameter type", pure(`func f[T ~int | ~int64](a, b T) T { return a + a*b }`), ""},
		{"rounded", f(`s += float64(a * b); return s - float64(a*b)`), ""},
		{"rounded to a named float", f(`return p + F(p*q)`), ""},
		{"integers", f(`return i + i*j`), ""},
		{"constants", f(`const c = 2.0; return s + c*3.0`), ""},
		{"quotient", f(`return s + a/b`), ""},
		{"product of sums", f(`return (s + a) * b`), ""},
	})
}
