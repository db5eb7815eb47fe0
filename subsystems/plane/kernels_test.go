package plane_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/testdata"
)

// countedFS counts how often files are opened.
type countedFS struct {
	fs.FS
	opened *atomic.Int32
}

func (c countedFS) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	c.opened.Add(1)
	return f, err
}

// garden is a plane with a run whose slots can be planted by hand.
type garden struct {
	*bench
	p    *plane.Plane
	log  store
	sent uint64
}

func newGarden(t *testing.T, b *bench, seeds int) *garden {
	t.Helper()
	b.config.Tamiyo.Enabled = false
	operator := testKey(9)
	b.operator = &operator
	g := &garden{bench: b, log: b.newLog()}
	g.begin(t)
	t.Cleanup(func() { g.end(t) })
	x := leyline.RunOpened{
		Run: "run-1", Workload: "penguins", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"}, Parameters: 1, Seed: 1, Steps: 10,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
	for i := range seeds {
		x.Seeds = append(x.Seeds, leyline.SeedID(fmt.Sprintf("seed-%d", i)))
	}
	if _, err := g.p.Open(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *garden) begin(t *testing.T) {
	t.Helper()
	var err error
	if g.p, err = g.start(t.Context(), g.log); err != nil {
		t.Fatal(err)
	}
}

func (g *garden) end(t *testing.T) {
	t.Helper()
	if err := g.p.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func (g *garden) send(t *testing.T, c leyline.Command) {
	t.Helper()
	key, issuer := g.tamiyo, leyline.IssuerTamiyo
	if !leyline.PolicyMay(c.Kind) {
		key, issuer = *g.operator, "ada"
	}
	err := g.p.View(t.Context(), func(s *projections.State) {
		g.sent++
		c.Issuer, c.Audience = issuer, leyline.Audience{Origin: g.origin.Name, Run: "run-1"}
		c.ID, c.Sequence, c.IssuedAt = leyline.CommandID(fmt.Sprintf("hand-%d", g.sent)), s.Kasmina.High(key.KeyID())+1, s.At
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.EncodeCommand(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.p.Command(t.Context(), leyline.CommandReceived{Envelope: key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator}); err != nil {
		t.Fatal(err)
	}
}

func (g *garden) plant(t *testing.T, seed int) {
	t.Helper()
	g.send(t, leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{
		Operation: leyline.OpGerminate, Seed: leyline.SeedID(fmt.Sprintf("seed-%d", seed)), Blueprint: "residual-mlp-16", Mesh: []string{"trunk"},
	}})
}

func (g *garden) cull(t *testing.T, seed int) {
	t.Helper()
	g.send(t, leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: leyline.OpCull, Seed: leyline.SeedID(fmt.Sprintf("seed-%d", seed))}})
}

// ack answers every command that waits for the trainer.
func (g *garden) ack(t *testing.T) {
	t.Helper()
	var acks []leyline.CommandAcked
	if err := g.p.View(t.Context(), func(s *projections.State) {
		for _, p := range s.Kasmina.Pending {
			acks = append(acks, leyline.CommandAcked{Run: p.Run, Incarnation: s.Tolaria.Run(p.Run).Incarnation, Command: p.Command, Outcome: leyline.OutcomeOK})
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, a := range acks {
		if _, err := g.p.Ack(t.Context(), a, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// until waits for something in the state.
func (g *garden) until(t *testing.T, what string, ok func(*projections.State) bool) {
	t.Helper()
	for t.Context().Err() == nil {
		done := false
		if err := g.p.View(t.Context(), func(s *projections.State) { done = ok(s) }); err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s did not happen", what)
}

func (g *garden) ready(t *testing.T, seed int) {
	t.Helper()
	g.until(t, "the kernel's arrival", func(s *projections.State) bool {
		return s.Kasmina.Seed("run-1", leyline.SeedID(fmt.Sprintf("seed-%d", seed))).Kernel.Ready
	})
}

func settled(t *testing.T, g *garden) (out []leyline.PrefetchSettled) {
	for _, r := range records(t, g.log) {
		for _, e := range r.Events {
			if x, ok := e.(leyline.PrefetchSettled); ok {
				out = append(out, x)
			}
		}
	}
	return out
}

// pipe is a kernel store whose only file is a named pipe: reading it takes as long as
// its writer likes.
func pipe(t *testing.T) (fs.FS, *os.File) {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "residual-mlp-16.safetensors")
	if err := syscall.Mkfifo(at, 0o600); err != nil {
		t.Fatalf("cannot make a named pipe: %v", err)
	}
	w, err := os.OpenFile(at, os.O_RDWR, 0) // for both, so that neither end waits for the other to open
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return os.DirFS(dir), w
}

// TestTwoSeedsOneRead: two seeds of one blueprint at the same time read its file once,
// and both live.
func TestTwoSeedsOneRead(t *testing.T) {
	b := newBench(t)
	b.config.Kasmina.PrefetchTimeout = 20_000
	b.config.Kasmina.CacheWaitWarn = 0
	store, w := pipe(t)
	opened := new(atomic.Int32)
	b.kernels = countedFS{store, opened}
	g := newGarden(t, b, 2)
	g.plant(t, 0)
	g.plant(t, 1)
	g.until(t, "the fetches", func(s *projections.State) bool { return opened.Load() == 1 && g.p.KernelStats().Waiting == 1 })
	kernel, err := testdata.Kernel("residual-mlp-16")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(kernel); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	g.ready(t, 0)
	g.ready(t, 1)
	if n := opened.Load(); n != 1 {
		t.Errorf("the file was opened %d times", n)
	}
	origins := map[leyline.KernelOrigin]leyline.PrefetchSettled{}
	for _, e := range settled(t, g) {
		origins[e.Origin] = e
	}
	if e := origins[leyline.KernelFromFlight]; e.WaitNs == 0 || !e.Contended || e.Prewarm.Samples != 5 || e.Prewarm.P95Ns < e.Prewarm.P50Ns {
		t.Errorf("the one that waited: %+v", e)
	}
	if e := origins[leyline.KernelFromStore]; e.WaitNs != 0 || e.Prewarm.P50Ns == 0 {
		t.Errorf("the one that read: %+v", e)
	}
	staged, err := fs.ReadFile(g.p.Kernels(), "residual-mlp-16.safetensors")
	if err != nil || string(staged) != string(kernel) {
		t.Errorf("the trainer reads %d bytes, %v", len(staged), err)
	}
	if s := g.p.KernelStats(); s.Kernels != 1 || s.Held != 0 || s.Bytes != uint64(len(kernel)) {
		t.Errorf("%+v", s)
	}
	mustRedecide(t, g.log)
}

// TestCullStopsTheJob: the job of a fetch whose seed is given up ends at once, also
// when its read hangs, and a plane that stops says what it has cancelled.
func TestCullStopsTheJob(t *testing.T) {
	b := newBench(t)
	b.config.Kasmina.PrefetchTimeout, b.config.Kasmina.CommandDeadline = 200_000, 300_000
	b.kernels, _ = pipe(t)
	g := newGarden(t, b, 3)
	g.plant(t, 0)
	g.ack(t)
	g.until(t, "the fetch", func(*projections.State) bool { return g.p.WorkerStats().Running == 1 })
	g.cull(t, 0)
	g.until(t, "the end of the job", func(*projections.State) bool {
		s := g.p.WorkerStats()
		return s.Cancelled == 1 && s.Running == 0 && s.Leaked == 0
	})
	g.plant(t, 1)
	g.plant(t, 2)
	g.end(t)
	var requests uint32
	for _, r := range records(t, g.log) {
		for _, e := range r.Events {
			if x, ok := e.(leyline.PrefetchesCancelled); ok {
				requests += x.Requests
			}
		}
	}
	all := settled(t, g)
	if requests != 2 || len(all) != 3 || all[0].Reason != "seed_retired" || all[2].Reason != "shutdown" {
		t.Errorf("%d requests in the summary; settled %+v", requests, all)
	}
	g.kernels = testdata.Kernels()
	g.begin(t)
	g.ready(t, 1)
	g.ready(t, 2)
	mustRedecide(t, g.log)
}

// TestHungStoreTimesOut: the deadline really ends a read.
func TestHungStoreTimesOut(t *testing.T) {
	b := newBench(t)
	b.config.Kasmina.PrefetchTimeout = 50
	b.kernels, _ = pipe(t)
	g := newGarden(t, b, 1)
	g.plant(t, 0)
	g.until(t, "the timeout", func(s *projections.State) bool {
		return s.Tolaria.Run("run-1").Breaker(leyline.BreakerKernel).Failures == 1 && g.p.WorkerStats().Leaked == 0
	})
	if e := settled(t, g)[0]; e.Outcome != leyline.OutcomeDeadline {
		t.Errorf("%+v", e)
	}
}

// TestTypedFailures: what is wrong with a kernel is told by its kind.
func TestTypedFailures(t *testing.T) {
	kernel, err := testdata.Kernel("residual-mlp-16")
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), kernel...)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		bytes []byte // nil: there is no file
		want  leyline.RefusalKind
	}{
		"missing":  {nil, leyline.RefusalMissingKernel},
		"changed":  {flipped, leyline.RefusalKernelDigest},
		"cut off":  {kernel[:len(kernel)/2], leyline.RefusalKernelDigest},
		"extended": {append(append([]byte(nil), kernel...), 0), leyline.RefusalKernelDigest},
	} {
		b := newBench(t)
		dir := t.TempDir()
		if c.bytes != nil {
			if err := os.WriteFile(filepath.Join(dir, "residual-mlp-16.safetensors"), c.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.kernels = os.DirFS(dir)
		g := newGarden(t, b, 1)
		g.plant(t, 0)
		g.until(t, "the failure", func(s *projections.State) bool {
			return s.Tolaria.Run("run-1").Breaker(leyline.BreakerKernel).Failures == 1
		})
		if e := settled(t, g)[0]; e.Kind != c.want || e.Outcome != leyline.OutcomeFailed {
			t.Errorf("%s: %+v", name, e)
		}
		if s := g.p.KernelStats(); s.Kernels != 0 || s.Bytes != 0 {
			t.Errorf("%s: something was staged: %+v", name, s)
		}
	}
}

// TestCleanupEmptiesTheCache by command, and the next fetch reads again.
func TestCleanupEmptiesTheCache(t *testing.T) {
	opened := new(atomic.Int32)
	b := newBench(t)
	b.kernels = countedFS{testdata.Kernels(), opened}
	g := newGarden(t, b, 3)
	g.plant(t, 0)
	g.ready(t, 0)
	g.plant(t, 1)
	g.ready(t, 1)
	if n := opened.Load(); n != 1 {
		t.Errorf("the second fetch has opened the file: %d times", n)
	}
	g.send(t, leyline.Command{Kind: leyline.CommandEmergency, Emergency: leyline.EmergencyCommand{Action: leyline.EmergencyCleanup, Reason: "memory is short"}})
	g.until(t, "the cleanup", func(*projections.State) bool { return g.p.KernelStats().Kernels == 0 })
	g.until(t, "its record", func(s *projections.State) bool {
		for _, p := range s.Kasmina.Pending {
			if p.Emergency != 0 {
				return false
			}
		}
		return true
	})
	g.plant(t, 2)
	g.ready(t, 2)
	if n := opened.Load(); n != 2 {
		t.Errorf("after the cleanup the file was opened %d times", n)
	}
	found := false
	for _, r := range records(t, g.log) {
		for _, e := range r.Events {
			if x, ok := e.(leyline.EmergencyCleaned); ok {
				found = x.Kernels == 1 && x.Bytes > 0
			}
		}
	}
	if !found {
		t.Error("the log does not say what was freed")
	}
	if _, err := g.p.Kernels().Open("no-such-kernel"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	mustRedecide(t, g.log)
}
