package cli

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
)

// The environment of a child process: what TestKillLoop and TestFullDisk ask of
// it. ackFile is the descriptor on which it says what it has released.
const (
	envKill  = "ESPERTEST_KILL"  // "POINT KIND N": die at the Nth record of a kind, at a point
	envAcks  = "ESPERTEST_ACKS"  // write "SEQ AT" of every released record to ackFile
	envLimit = "ESPERTEST_LIMIT" // bytes that a file can grow to, as on a full disk
	envShm   = "ESPERTEST_SHM"   // directory of shared memory
	envPeek  = "ESPERTEST_PEEK"  // socket whose probes are asked when the plane has ended
	ackFile  = 3
)

// TestMain lets the test binary be esper itself.
func TestMain(m *testing.M) {
	testscript.Main(apart{m}, map[string]func(){"esper": func() { os.Exit(child()) }})
}

// apart gives all tests a directory of shared memory of their own: what is killed
// leaves its fast tier behind.
type apart struct{ *testing.M }

// Run implements testscript.TestingM.
func (m apart) Run() int {
	dir, err := os.MkdirTemp("", "esper-shm-*")
	if err == nil {
		err = os.Setenv(envShm, dir)
	}
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) // of tests
	return m.M.Run()
}

// child is esper with the seams of the tests.
func child() int {
	a := &app{out: os.Stdout, err: os.Stderr, shm: os.Getenv(envShm)}
	var probes []func(plane.Point, leyline.Record)
	if os.Getenv(envAcks) != "" {
		probes = append(probes, acknowledge(os.NewFile(ackFile, "acks")))
	}
	if s := os.Getenv(envKill); s != "" {
		probes = append(probes, kill(s))
	}
	if s := os.Getenv(envLimit); s != "" {
		limitFiles(s)
	}
	if s := os.Getenv(envPeek); s != "" {
		a.err = &peeker{os.Stderr, s}
	}
	a.probe = func(at plane.Point, r leyline.Record) {
		for _, p := range probes {
			p(at, r)
		}
	}
	return run(os.Args[1:], a)
}

// acknowledge writes down every record that was released, before the plane goes
// on.
func acknowledge(f *os.File) func(plane.Point, leyline.Record) {
	return func(at plane.Point, r leyline.Record) {
		if at == plane.PointReleased {
			if _, err := fmt.Fprintf(f, "%d %d\n", r.Seq, r.At); err != nil {
				panic(err)
			}
		}
	}
}

// kill ends this very process as the power would.
func kill(plan string) func(plane.Point, leyline.Record) {
	var point plane.Point
	var kind string
	var n int
	if _, err := fmt.Sscanf(plan, "%s %s %d", &point, &kind, &n); err != nil {
		panic(err)
	}
	return func(at plane.Point, r leyline.Record) {
		if at != point || !holds(r, kind) {
			return
		}
		if n--; n > 0 {
			return
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			panic(err)
		}
		select {}
	}
}

// holds reports whether a record is, or caused, something of a kind.
func holds(r leyline.Record, kind string) bool {
	if r.Input.InputKind().String() == kind {
		return true
	}
	for _, e := range r.Events {
		if e.EventKind().String() == kind {
			return true
		}
	}
	return false
}

// limitFiles makes writes fail as on a full disk.
func limitFiles(s string) {
	var n uint64
	if _, err := fmt.Sscan(s, &n); err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		panic(err)
	}
}
