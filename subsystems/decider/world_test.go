package decider_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// world is a plane without a process: a state, a clock and keys. Its methods
// read like what happens to a plane.
type world struct {
	t      *testing.T
	s      *projections.State
	seq    leyline.Seq
	at     leyline.Instant
	admin  sign.Signer
	tamiyo sign.Signer
	config leyline.ExecutionConfig
	inc    leyline.Incarnation
	last   []leyline.Event
	log    []leyline.Record

	lockstep bool                 // of the run that is opened
	watch    func(leyline.Record) // sees every record right after it was decided; nil: nobody does
}

type entropy struct{ *detmath.PCG }

func (e entropy) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e.Uint64())
	}
	return len(b), nil
}

func signer(t *testing.T, n uint64) sign.Signer {
	t.Helper()
	s, err := sign.Generate(entropy{detmath.NewPCG(n, n)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newWorld boots a plane with a quick configuration, Tamiyo's key and a
// blueprint. change may alter the configuration first.
func newWorld(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	c := leyline.DefaultConfig()
	c.Tolaria.SnapshotEvery, c.Tolaria.Stall = 5, 600_000
	c.Tamiyo.WindowSteps, c.Tamiyo.WarmupSteps, c.Tamiyo.TrainSteps = 2, 4, 6
	c.Tamiyo.BlendSteps, c.Tamiyo.BlendTemperature = 6, 0.6
	c.Tamiyo.ShadowSteps, c.Tamiyo.Probes = 4, 2
	c.Kasmina.MinTrainSteps, c.Kasmina.MinObserveSteps, c.Kasmina.ProbeEvery, c.Kasmina.EmbargoSteps = 4, 2, 2, 5
	c.Tamiyo.CooldownMs, c.Tamiyo.CooldownSteps = 0, 0 // what waits for it has a test of its own
	for _, f := range change {
		f(&c)
	}
	w := &world{
		t: t, s: &projections.State{}, at: 1_700_000_000_000_000_000,
		admin: signer(t, 1), tamiyo: signer(t, 2), config: c,
	}
	w.must(leyline.PlaneStarted{Boot: "b1", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version, Clean: true})
	body, err := wire.EncodeKey(leyline.Key{
		ID: w.tamiyo.KeyID(), Public: w.tamiyo.Public(), Issuer: "tamiyo",
		Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandPause, leyline.CommandOptimizer},
	})
	w.check(err)
	w.must(leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)})
	body, err = wire.EncodeConfig(c)
	w.check(err)
	w.must(leyline.ConfigApplied{Envelope: w.admin.Sign(leyline.PayloadConfig, body)})
	w.must(leylinetest.Blueprint("bp-1", []byte("kernel")))
	return w
}

func digest(s string) leyline.Digest { return sha256.Sum256([]byte(s)) }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// feed decides an input a millisecond after the last one. Proposals are signed
// and fed at once, as the loop does.
func (w *world) feed(in leyline.Input) []leyline.Event {
	w.t.Helper()
	w.at = w.at.Add(time.Millisecond)
	return w.feedNow(in)
}

func (w *world) feedNow(in leyline.Input) []leyline.Event {
	w.t.Helper()
	w.seq++
	m := leyline.Meta{Seq: w.seq, At: w.at, Run: leyline.RunOf(in)}
	events := decider.Decide(w.s, m, in)
	w.log = append(w.log, leyline.Record{Seq: m.Seq, At: m.At, Wall: m.At, Run: m.Run, Input: in, Events: events})
	w.last = events
	if w.watch != nil {
		w.watch(w.log[len(w.log)-1])
	}
	for i, e := range events {
		if p, ok := e.(leyline.CommandProposed); ok {
			w.feedNow(w.received(leyline.Command{
				Issuer: "tamiyo", Audience: leyline.Audience{Origin: "esper-test", Run: p.Run},
				ID:       leyline.CommandID(fmt.Sprintf("cmd-%d.%d", m.Seq, i)),
				Sequence: w.s.Kasmina.High(w.tamiyo.KeyID()) + 1, IssuedAt: w.at, Kind: p.Kind, Seed: p.Seed, Pause: p.Pause, Optimizer: p.Optimizer, Metadata: p.Metadata,
			}))
		}
	}
	return events
}

func (w *world) received(c leyline.Command) leyline.CommandReceived {
	body, err := wire.EncodeCommand(c)
	w.check(err)
	return leyline.CommandReceived{Envelope: w.tamiyo.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerPolicy, PeerName: "test"}
}

// must feeds an input that has to be admitted.
func (w *world) must(in leyline.Input) []leyline.Event {
	w.t.Helper()
	events := w.feed(in)
	if v, ok := first[leyline.DependencyViolated](events); ok {
		w.t.Fatalf("%s was refused: %v", in.InputKind(), &v.Refusal)
	}
	return events
}

// refused feeds an input that has to be refused, and returns why.
func (w *world) refused(in leyline.Input) leyline.Refusal {
	w.t.Helper()
	before := projections.DigestOf(w.s.Tolaria)
	events := w.feed(in)
	v, ok := first[leyline.DependencyViolated](events)
	if !ok || len(events) != 1 {
		w.t.Fatalf("%s was not refused alone: %s", in.InputKind(), kinds(events))
	}
	if projections.DigestOf(w.s.Tolaria) != before {
		w.t.Fatalf("refusing %s changed the runs", in.InputKind())
	}
	return v.Refusal
}

func first[E leyline.Event](events []leyline.Event) (E, bool) {
	for _, e := range events {
		if x, ok := e.(E); ok {
			return x, true
		}
	}
	var none E
	return none, false
}

func one[E leyline.Event](w *world, events []leyline.Event) E {
	w.t.Helper()
	e, ok := first[E](events)
	if !ok {
		w.t.Fatalf("no %s among %s", e.EventKind(), kinds(events))
	}
	return e
}

func kinds(events []leyline.Event) string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.EventKind().String()
	}
	return strings.Join(names, " ")
}

func plan() leyline.RunOpened {
	return leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff}, Tasks: []leyline.TaskID{"a", "b"},
		Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"bp-1"}, Parameters: 10, Seed: 7, Steps: 100,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
}

func (w *world) open() {
	w.t.Helper()
	e := one[leyline.RunStarted](w, w.must(plan()))
	w.inc = e.Incarnation
}

// report is the step that comes next, with two conflicting tasks.
func (w *world) report() leyline.StepObserved {
	x := leyline.StepObserved{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step + 1, Losses: []float64{1, 0.5},
		Gram: []float64{2, -1, -1, 1}, Seed: 42, Samples: 32, LearnRate: 0.1,
	}
	for _, s := range w.s.Kasmina.Run("run-1").Seeds {
		if leyline.Grafted(s.Stage) {
			x.Seeds = append(x.Seeds, leyline.SeedObserved{Seed: s.ID, Alpha: s.Alpha, GradNorm: 0.5, HostNorm: 1, Cosine: 0.1, Stage: s.Stage})
		}
	}
	return x
}

func (w *world) run() *projections.Run   { return w.s.Tolaria.Run("run-1") }
func (w *world) seed() *projections.Seed { return w.s.Kasmina.Seed("run-1", "seed-a") }

// steps reports n healthy steps, answers every command, delivers every kernel
// and takes a snapshot when one is due.
func (w *world) steps(n int) {
	w.t.Helper()
	for range n {
		w.must(w.report())
		w.serve()
		w.measure(0.02)
		if s := w.run().Track.Step; s%leyline.Step(w.config.Tolaria.SnapshotEvery) == 0 {
			w.must(w.snapshot(fmt.Sprintf("s-%d-%d", w.inc, s)))
		}
	}
}

// serve does what worker and trainer would do.
func (w *world) serve() {
	w.t.Helper()
	if k := w.seed().Kernel; !k.Request.IsZero() {
		w.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
	}
	for len(w.s.Kasmina.Pending) > 0 {
		w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	}
}

// measure reports the contributions that are due, each of a gain in accuracy.
func (w *world) measure(gain float64) {
	w.t.Helper()
	for _, id := range w.s.Kasmina.ProbesDue("run-1", w.run().Track.Step) {
		w.must(w.probe(id, gain))
	}
}

func (w *world) probe(id leyline.SeedID, gain float64) leyline.SeedProbed {
	return leyline.SeedProbed{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Seed: id, Alpha: 1,
		Losses: []float64{1, 1}, LossesAt0: []float64{1.25, 1}, Accuracies: []float64{0.5 + gain, 0.5 + gain}, AccuracyAt0: []float64{0.5, 0.5}, Samples: 100,
	}
}

func (w *world) snapshot(id string) leyline.SnapshotTaken {
	return leyline.SnapshotTaken{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Snapshot: leyline.SnapshotID(id), Tier: leyline.TierFull,
		File: id + ".safetensors", Bytes: 10, Digest: digest(id), Measured: digest(id), Check: 7,
	}
}

// fault reports a step whose loss is NaN.
func (w *world) fault() []leyline.Event {
	w.t.Helper()
	x := w.report()
	x.Losses = []float64{math.NaN(), 1}
	return w.must(x)
}

func (w *world) rollback(phase leyline.RollbackPhase, d leyline.Digest) leyline.RollbackReported {
	return leyline.RollbackReported{
		Run: "run-1", Incarnation: w.inc, Rollback: w.run().Rollback.ID, Phase: phase, Tier: w.run().Rollback.Tier,
		Outcome: leyline.OutcomeOK, Digest: d, Bytes: 10, TookNs: 5,
	}
}
