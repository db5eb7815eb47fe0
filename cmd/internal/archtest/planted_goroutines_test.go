package archtest

import (
	"maps"
	"testing"
)

func TestPlantedGoroutines(t *testing.T) {
	list := []Spawner{
		{Package: "subsystems/worker", Why: "runs jobs"},
		{Package: "eventlog/...", Why: "groups records"},
		{Package: "cmd/internal/cli", Files: []string{"sink.go", "main.go"}, Why: "writes beside a run"},
	}
	in := func(path, imports, body string) map[string]string {
		return at(path, "package p\nimport ("+imports+")\nfunc f() { "+body+" }")
	}
	replay := func(imports, body string) map[string]string { return in("replay/a.go", imports, body) }
	with := func(trees ...map[string]string) map[string]string {
		all := map[string]string{}
		for _, t := range trees {
			maps.Copy(all, t)
		}
		return all
	}
	sink, main := in("cmd/internal/cli/sink.go", "", "go f()"), in("cmd/internal/cli/main.go", "", "go f()")
	const at2 = "replay/a.go:3:"
	expect(t, func(s *Source) []Finding { return CheckGoroutines(s, list) }, []plant{
		{"none", replay("", "f()"), ""},
		{"statement", replay("", "go f()"), at2 + "12: a go statement"},
		{"statement in a literal", replay("", "g := func() { go f() }; g()"), "a go statement"},
		{"statement in another package of the tree", in("eventlog/internal/x/a.go", "", "go f()"), ""},
		{"statement where it is allowed", in("subsystems/worker/a.go", "", "go f()"), ""},
		{"statement in a package with a name that goes on", in("subsystems/workers/a.go", "", "go f()"), "a go statement"},
		{"test", in("replay/a_test.go", "", "go f()"), ""},
		{"program", at("replay/gen.go", "//go:build ignore\n\npackage main\nfunc f() { go f() }"), ""},

		{"timer", replay(`"time"`, "time.AfterFunc(1, f)"), "AfterFunc starts"},
		{"timer under another name", replay(`z "time"`, "z.AfterFunc(1, f)"), "AfterFunc starts"},
		{"timer under no name", replay(`. "time"`, "AfterFunc(1, f)"), "AfterFunc starts"},
		{"timer as a value", replay(`"time"`, "g := time.AfterFunc; g(1, f)"), "AfterFunc starts"},
		{"timer without a function", replay(`"time"`, "time.NewTimer(1)"), ""},
		{"context", replay(`"context"`, "context.AfterFunc(context.Background(), f)"), "AfterFunc starts"},
		{"signal", replay(`"os/signal"`, "signal.NotifyContext(nil)"), "NotifyContext starts"},
		{"group", replay(`"sync"`, "var w sync.WaitGroup; w.Go(f)"), "Go starts"},
		{"group of another file", replay("", "x.idle.Go(f)"), "Go starts"},
		{"group behind an interface", replay("", "var g interface{ Go(func()) }; g.Go(f)"), "Go starts"},
		{"group with errors", replay(`"golang.org/x/sync/errgroup"`, "new(errgroup.Group).Go(nil)"), "Go starts"},
		{"group that tries", replay(`"golang.org/x/sync/errgroup"`, "new(errgroup.Group).TryGo(nil)"), "TryGo starts"},
		{"field", replay("", "_ = build.Go"), ""},
		{"server", replay(`"net/http"`, "http.ListenAndServe(``, nil)"), "ListenAndServe starts"},
		{"server of another file", with(replay("", "x.Serve(l)"), in("replay/b.go", `_ "net/http"`, "")), "replay/a.go:3:12: Serve starts"},
		{"no server", replay("", "x.Serve(l)"), ""},

		{"allowed files", with(sink, main), ""},
		{"another file", with(sink, main, in("cmd/internal/cli/run.go", "", "go f()")), "cli/run.go:3:12: a go statement"},
		{"file that starts nothing", with(sink, in("cmd/internal/cli/main.go", "", "")), "cli/main.go: starts no goroutine"},
		{"file that is gone", sink, "cli/main.go: starts no goroutine"},
		{"package that starts nothing", in("subsystems/worker/a.go", "", ""), "subsystems/worker: starts no goroutine"},
		{"tree that starts nothing", in("eventlog/tree/a.go", "", ""), "eventlog/...: starts no goroutine"},
	})
	expect(t, func(s *Source) []Finding { return CheckGoroutines(s, []Spawner{{Package: "replay"}}) }, []plant{
		{"no reason", replay("", "go f()"), "for no reason"},
	})
}

func TestPlantedWorkers(t *testing.T) {
	made := func(path, imports, body string) map[string]string {
		return at(path, "package p\nimport "+imports+"\n"+body)
	}
	const imports = `"example.org/m/subsystems/worker"`
	plane := made("subsystems/plane/a.go", imports, "var w = worker.New()")
	beside := func(path, text string) map[string]string {
		all := maps.Clone(plane)
		all[path] = text
		return all
	}
	expect(t, CheckOneWorker, []plant{
		{"one", plane, ""},
		{"two in one file", made("subsystems/plane/a.go", imports, "var w = worker.New()\nvar v = worker.New()"), "plane/a.go:4:9: makes a worker"},
		{"two in two files", beside("subsystems/plane/b.go", "package p\nimport "+imports+"\nvar v = worker.New()"), "plane/b.go:3:9: makes a worker"},
		{"elsewhere", beside("replay/a.go", "package p\nimport "+imports+"\nvar v = worker.New"), "replay/a.go:3:9: makes a worker"},
		{"under another name", beside("replay/a.go", "package p\nimport w "+imports+"\nvar v = w.New()"), "makes a worker"},
		{"under no name", beside("replay/a.go", "package p\nimport . "+imports+"\nvar v = New()"), "under no name"},
		{"in a test", beside("replay/a_test.go", "package p\nimport "+imports+"\nvar v = worker.New()"), ""},
		{"something else that is new", beside("replay/a.go", "package p\nimport worker \"errors\"\nvar v = worker.New"), ""},
		{"none", at("subsystems/plane/a.go", "package p"), "makes no worker"},
	})
}
