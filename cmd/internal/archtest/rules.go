package archtest

// Rule says what one package, or one subtree of packages, may do. Paths are
// relative to the module; a trailing "/..." means the package and all below.
type Rule struct {
	Package string
	Own     []string // packages of this module that it may import
	Third   []string // modules of others that it may import
	Purity  Purity
}

// Purity is how much of the world a package may see.
//
// enum: local because it describes source code and is never stored.
type Purity int

// The levels of purity.
const (
	Free     Purity = iota // no restriction
	Timeless               // no clock, no os, no net, no randomness
	Pure                   // a function of its arguments and nothing else
)

const (
	bbolt   = "go.etcd.io/bbolt"
	gonum   = "gonum.org/v1/gonum"
	hclog   = "github.com/hashicorp/go-hclog"
	msgpack = "github.com/vmihailenco/msgpack/v5"
	xsys    = "golang.org/x/sys"
)

var (
	// logModules are what the event log is built of.
	logModules = []string{
		"github.com/tidwall/wal", "golang.org/x/mod", "github.com/transparency-dev/formats",
		"github.com/klauspost/compress", xsys, hclog,
	}
	// deciderImports are what every decider and its leaves may see.
	deciderImports = []string{"leyline", "leyline/guard", "projections", "subsystems/breaker", "subsystems/effect", "subsystems/detmath"}
	// decisionImports are what a caller of the deciders may see.
	decisionImports = []string{
		"leyline", "leyline/guard", "leyline/sign", "leyline/wire", "projections",
		"subsystems/tolaria", "subsystems/tamiyo", "subsystems/kasmina",
	}
	replayImports = append([]string{"subsystems/decider"}, decisionImports...)
	planeImports  = append([]string{
		"subsystems/decider", "subsystems/detmath", "subsystems/effect", "subsystems/worker", "subsystems/telemetry", "subsystems/snapstore",
		"subsystems/kernelcache", "subsystems/kernelfile", "subsystems/policyfile", "subsystems/sheetstore", "subsystems/tolaria/...", "subsystems/tamiyo/...", "subsystems/kasmina/...",
	}, decisionImports...)
)

// Table is the import table of the module. The first rule that matches a
// package applies to it.
var Table = []Rule{
	{Package: "leyline", Purity: Pure},
	{Package: "leyline/wire", Own: []string{"leyline"}, Third: []string{msgpack}, Purity: Timeless},
	{Package: "leyline/guard", Own: []string{"leyline"}, Purity: Pure},
	{Package: "leyline/sign", Own: []string{"leyline"}, Purity: Pure},
	{Package: "leyline/leylinetest", Own: []string{"leyline"}},
	{Package: "leyline/signal", Own: []string{"leyline"}, Third: []string{xsys}},
	{Package: "leyline/python", Purity: Timeless},
	{Package: "leyline/frame", Purity: Timeless},
	{Package: "leyline/protocol", Own: []string{"leyline"}, Purity: Timeless},
	{Package: "leyline/client", Own: []string{"leyline", "leyline/protocol", "leyline/frame"}},

	{Package: "eventlog", Own: []string{"eventlog/internal/...", "eventlog/tree"}, Third: logModules},
	{Package: "eventlog/internal/...", Own: []string{"eventlog/internal/..."}, Third: logModules},
	{Package: "eventlog/tree", Third: []string{"golang.org/x/mod", "github.com/transparency-dev/formats"}},
	{Package: "eventlog/fsck", Own: []string{"eventlog", "eventlog/internal/...", "eventlog/tree"}},
	{Package: "eventlog/memlog", Own: []string{"eventlog"}},
	{Package: "eventlog/eventlogtest", Own: []string{"eventlog"}, Third: testModules},

	{Package: "projections", Own: []string{"leyline"}, Purity: Pure},
	{Package: "projections/boltstore", Own: []string{"leyline", "leyline/wire", "projections"}, Third: []string{bbolt}},

	{Package: "subsystems/detmath", Purity: Pure},
	{Package: "subsystems/effect", Own: []string{"leyline", "projections"}, Purity: Pure},
	{Package: "subsystems/breaker", Own: []string{"leyline", "projections"}, Purity: Pure},
	{Package: "subsystems/tolaria/lr", Own: []string{"leyline", "subsystems/detmath"}, Purity: Pure},
	{Package: "subsystems/tolaria/track", Own: []string{"subsystems/detmath"}, Purity: Pure},
	{Package: "subsystems/tolaria/aggregate/vectors", Own: []string{"subsystems/tolaria/aggregate"}, Third: []string{gonum}, Purity: Timeless}, // its bits are nobody's: what the decider sees of it is recorded
	{Package: "subsystems/tolaria/...", Own: with(deciderImports, "subsystems/tolaria/..."), Third: []string{gonum}, Purity: Pure},
	{Package: "subsystems/tamiyo/sheet", Own: with(deciderImports, "leyline/sign", "leyline/wire"), Purity: Pure},
	{Package: "subsystems/tamiyo/...", Own: with(deciderImports, "subsystems/tamiyo/..."), Third: []string{gonum}, Purity: Pure},
	{Package: "subsystems/kasmina/verify/detail", Own: []string{"leyline"}, Purity: Pure},
	{Package: "subsystems/kasmina/verify", Own: with(deciderImports, "leyline/sign", "leyline/wire", "subsystems/kasmina/verify/detail"), Purity: Pure},
	{Package: "subsystems/kasmina/...", Own: with(deciderImports, "subsystems/kasmina/...", "leyline/sign"), Third: []string{gonum}, Purity: Pure},
	{Package: "subsystems/decider", Own: with(decisionImports, "subsystems/effect"), Purity: Pure},
	{Package: "subsystems/tensorfile", Purity: Pure},
	{Package: "subsystems/snapstore", Own: []string{"leyline", "subsystems/tensorfile"}},
	{Package: "subsystems/kernelcache"},
	{Package: "subsystems/sheetstore", Own: []string{"leyline", "leyline/sign"}},
	{Package: "subsystems/kernelfile", Own: []string{"leyline", "subsystems/tensorfile"}},
	{Package: "subsystems/reports", Own: []string{"leyline", "subsystems/telemetry/webhook"}},
	{Package: "subsystems/policyfile", Own: []string{"leyline", "leyline/guard", "subsystems/tensorfile"}, Third: []string{"github.com/pelletier/go-toml/v2"}},
	{Package: "subsystems/worker", Third: []string{"golang.org/x/sync"}},
	{Package: "subsystems/telemetry", Own: []string{"leyline"}, Purity: Timeless},
	{Package: "subsystems/telemetry/webhook", Own: []string{"leyline", "subsystems/telemetry"}},
	{Package: "subsystems/plane", Own: planeImports, Third: []string{hclog}},
	{Package: "subsystems/plane/planetest", Own: []string{"leyline", "leyline/sign", "leyline/wire", "eventlog", "eventlog/memlog", "subsystems/plane", "subsystems/snapstore", "testdata"}, Third: []string{hclog}},
	{Package: "subsystems/server/sse", Own: []string{"leyline", "subsystems/telemetry", "subsystems/server"}},
	{Package: "subsystems/server/strictjson"},
	{Package: "subsystems/server/attack"},
	{Package: "subsystems/server/lane", Own: []string{"leyline", "leyline/frame", "leyline/protocol", "subsystems/server", "subsystems/server/strictjson", "subsystems/server/trainer"}, Third: []string{hclog}},
	{Package: "subsystems/server/admin", Own: []string{"leyline", "leyline/protocol", "leyline/wire", "projections", "subsystems/server", "subsystems/server/strictjson"}},
	{Package: "subsystems/server/trainer", Own: []string{"leyline", "leyline/frame", "leyline/protocol", "projections", "subsystems/server"}, Third: []string{hclog}},
	{Package: "subsystems/server", Own: []string{"subsystems/plane", "leyline", "leyline/wire"}, Third: []string{hclog, xsys}},

	{Package: "replay", Own: replayImports},
	{Package: "replay/recheck", Own: []string{"leyline", "leyline/sign", "leyline/wire", "subsystems/kasmina/verify/detail"}, Purity: Timeless}, // an auditor need not trust the deciders
	{Package: "replay/workload/gauge", Third: []string{xsys}},
	{Package: "replay/workload", Own: with(replayImports, "replay/workload/gauge", "replay", "subsystems/plane", "subsystems/tamiyo/policy", "subsystems/kasmina/blend", "subsystems/detmath", "subsystems/snapstore", "subsystems/tensorfile", "subsystems/kernelfile", "testdata"), Third: []string{gonum}},
	{Package: "replay/sla", Own: with(replayImports, "replay", "subsystems/plane"), Third: []string{gonum}},
	{Package: "replay/harness", Own: with(replayImports, "leyline/sign", "leyline/client", "replay/...", "subsystems/plane", "subsystems/server", "subsystems/server/trainer", "subsystems/snapstore", "subsystems/kernelfile", "subsystems/sheetstore", "subsystems/telemetry", "testdata"), Third: []string{gonum, xsys, hclog}},
	{Package: "replay/value", Own: with(replayImports, "replay", "replay/harness", "replay/workload", "subsystems/plane", "subsystems/detmath"), Third: []string{gonum, xsys}},

	{Package: "cmd/esper", Own: []string{"cmd/internal/cli"}},
	{Package: "cmd/internal/cli", Own: []string{"..."}, Third: []string{
		"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/pelletier/go-toml/v2", "golang.org/x/term",
		"github.com/guptarohit/asciigraph", xsys, hclog,
	}},
	{Package: "cmd/internal/datadir", Own: []string{"..."}, Third: []string{hclog, xsys}},
	{Package: "cmd/internal/console", Own: []string{"..."}},
	{Package: "cmd/internal/metrics", Own: []string{"..."}, Third: []string{"github.com/prometheus/client_golang"}},
	{Package: "cmd/internal/supervise"},
	{Package: "cmd/internal/logging", Own: []string{"..."}, Third: []string{hclog}},
	{Package: "cmd/internal/archtest"},
	{Package: "cmd/internal/lint", Own: []string{"cmd/internal/archtest"}},

	{Package: "testdata"},
}

// testModules may be imported by test files only, beside all modules of Table.
var testModules = []string{
	"github.com/google/go-cmp", "github.com/rogpeppe/go-internal",
	"github.com/santhosh-tekuri/jsonschema/v6", "github.com/cockroachdb/datadriven", "pgregory.net/rapid", "github.com/transparency-dev/merkle",
}

// topLevel lists what may lie in the root of the repository, beside names that
// begin with a dot and what .gitignore names.
var topLevel = []string{
	"cmd", "eventlog", "leyline", "projections", "replay", "subsystems", "testdata",
	"Makefile", "go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md", "RUNBOOK.md",
}

// nestedModules are directories with a go.mod of their own, whose dependencies
// are not those of the program.
var nestedModules = []string{"eventlog/internal/peerbench"}

// envPackage is the only package that reads the environment.
const envPackage = "cmd/internal/cli"

// envFunctions read the environment, by package.
var envFunctions = map[string][]string{
	"net/http":              {"DefaultTransport", "DefaultClient", "Get", "Head", "Post", "PostForm", "ProxyFromEnvironment"}, // ask it for a proxy
	"os":                    {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "TempDir", "UserHomeDir", "UserCacheDir", "UserConfigDir"},
	"syscall":               {"Getenv", "Environ"},
	"golang.org/x/sys/unix": {"Getenv", "Environ"},
}

// Spawners are the packages whose compiled code starts goroutines. All other slow
// work is a job of the shared worker. A new entry needs a reason: what the
// goroutine is for, and what ends it.
var Spawners = []Spawner{
	{Package: "subsystems/worker", Why: "runs the jobs: a bounded number, each with a deadline; Close ends them"},
	{Package: "subsystems/plane", Why: "the loop, its committer, the saver of projections, the watcher of the disk, and the news of a refused job, which the loop cannot bring itself; all end with the plane"},
	{Package: "subsystems/server", Why: "answers connections; ends with the server"},
	{Package: "subsystems/server/lane", Why: "one accepts, one waits while the lane drains, and two serve each connection: one reads, one writes; all end with the lane"},
	{Package: "subsystems/sheetstore", Why: "closes a file whose read hangs when its lookup is given up; it runs once, and ends with that"},
	{Package: "eventlog", Why: "groups records, hashes a group while it is synced, seals segments, signs checkpoints; Close waits for all of them"},
	{Package: "eventlog/eventlogtest", Files: []string{"follow.go", "grow.go"}, Why: "the acceptance suite of logs reads while it appends; only tests call it, and they wait"},
	{Package: "replay/harness", Files: []string{"prefetch_burst.go"}, Why: "the clients and the sources of a burst: a bounded number; the scenario waits for them"},
	{Package: "subsystems/policyfile", Files: []string{"store.go"}, Why: "closes a file whose read has passed its deadline, so that the read ends; it is unhooked when the read is over"},
	{Package: "replay/value", Files: []string{"experiment.go"}, Why: "trains the runs of an experiment, as many at a time as were asked for, each with a plane and a worker of its own; the experiment waits for them"},
	{Package: "replay/workload", Files: []string{"drills.go"}, Why: "a drill keeps every processor busy; training waits for them before it returns"},
	{Package: "cmd/internal/lint", Why: "runs the linters beside each other; the program waits for them"},
	{Package: "cmd/internal/supervise", Why: "starts and stops the parts of a process within their budgets, so each is waited for beside a clock; what does not come back is named and left"},
	{Package: "cmd/internal/cli", Files: []string{"run_notify.go"}, Why: "keeps the service manager's watchdog fed while the loop answers; close ends it"},
	{Package: "cmd/internal/cli", Files: []string{"bench_signal_child.go"}, Why: "keeps every core busy in a child of the benchmark; it ends with its process"},
	{Package: "cmd/internal/cli", Files: []string{"cli.go"}, Why: "waits for a signal, for as long as the process lives"},
	{Package: "cmd/internal/cli", Files: []string{"sink.go"}, Why: "one goroutine writes a file of telemetry beside a run: the loop must not wait for the file, and it has to outlive the plane and its worker to write what their end causes; stop waits for it"},
	{Package: "cmd/internal/cli", Files: []string{"run_telemetry.go"}, Why: "posts alerts to a webhook, which may be slow or away: the loop must not wait for it; stop ends it and waits"},
	{Package: "cmd/internal/cli", Files: []string{"compare.go"}, Why: "trains the control runs, each with a plane and a worker of its own, as many at a time as there are processors; the command waits for them"},
	{Package: "leyline/client", Files: []string{"lane.go"}, Why: "a context that ends moves the deadline of the read that it bounds; it is unhooked when the read is over"},
	{Package: "cmd/internal/cli", Files: []string{"bench_serve_child.go", "bench_serve_load.go"}, Why: "reads on what a plane process says until it ends, and lets trainers report beside each other; the command waits for them"},
	{Package: "cmd/internal/cli", Files: []string{"bench_append.go", "bench_group.go"}, Why: "measures the log under many producers; the command waits for them"},
}

// spawnNames are the functions and methods of the standard library and of
// golang.org/x/sync that start a goroutine, under whatever name they are imported.
// The method Go of sync.WaitGroup and errgroup.Group is looked for separately,
// because fields may have that name.
var spawnNames = []string{"AfterFunc", "NotifyContext", "TryGo"}

// serveNames start a goroutine for each connection, in package net/http.
var serveNames = []string{"ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS"}

const (
	workerPackage = "subsystems/worker"
	onlyWorker    = "subsystems/plane" // makes the worker that all subsystems share
)

// enumPackage is where enums, names and numbers live that more than one part
// knows. enumExcuse in the comment of a type allows an enum elsewhere, and
// constantExcuse a constant.
const (
	enumPackage    = "leyline"
	enumExcuse     = "enum: local because"
	constantExcuse = "constant: local because"
)

// outsideImports reach outside the process. The rule covers packages below too.
var outsideImports = map[string]string{
	"C":             "calls foreign code",
	"crypto/rand":   "draws random numbers",
	"database/sql":  "does I/O",
	"hash/maphash":  "has a random seed",
	"io/ioutil":     "does I/O",
	"log":           "writes to the outside",
	"math/rand":     "draws random numbers; use detmath's generator",
	"net":           "reaches the network",
	"os":            "reaches the operating system",
	"path/filepath": "depends on the operating system; use path",
	"plugin":        "loads foreign code",
	"syscall":       "reaches the operating system",
	"testing":       "belongs in tests",
}

// sharedImports share memory between goroutines or break the type system.
var sharedImports = map[string]string{
	"context": "carries deadlines; pass a value instead",
	"runtime": "depends on the process",
	"sync":    "shares memory; a pure package has no goroutine",
	"unique":  "shares memory",
	"unsafe":  "sees addresses",
	"weak":    "depends on the garbage collector",
}

// clockFunctions read a clock, wait for one, or depend on the local time zone.
// A method is listed after its type.
var clockFunctions = map[string][]string{
	"time": {
		"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep",
		"Timer", "Ticker", "Local", "LoadLocation", "Time.Local",
	},
}

// impureFunctions are banned in pure packages beside the clock.
var impureFunctions = map[string][]string{
	"fmt":     {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"maps":    {"All", "Keys", "Values"}, // but slices.Sorted(maps.Keys(m)) is fine
	"reflect": {"Value.MapRange", "Value.MapKeys", "Value.Seq", "Value.Seq2", "ChanOf", "MakeChan", "Select"},
}

// impureBuiltins are banned in pure packages.
var impureBuiltins = []string{"close", "print", "println"}

// exactMath lists the functions of package math whose result is the same on
// every machine. Constants are always allowed; every other function is not.
var exactMath = []string{
	"Abs", "Ceil", "Copysign", "Floor", "Float32bits", "Float32frombits", "Float64bits",
	"Float64frombits", "Inf", "IsInf", "IsNaN", "Max", "Min", "NaN", "Signbit", "Sqrt", "Trunc",
}
