package replay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

const origin, runID, seedID = "esper-replay", leyline.RunID("run-1"), leyline.SeedID("seed-a")

// history is a plane without a process that keeps what it decided. Its methods
// say what happens to it.
type history struct {
	t      testing.TB
	state  *projections.State
	at     leyline.Instant
	seq    leyline.Seq // of the last record; 1 is the log's origin, which is no transition
	inc    leyline.Incarnation
	admin  sign.Signer
	tamiyo sign.Signer
	config leyline.ExecutionConfig
	log    []leyline.Record
}

func key(t testing.TB, b byte) sign.Signer {
	s, err := sign.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)))
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testConfig() leyline.ExecutionConfig {
	c := leyline.DefaultConfig()
	c.Tolaria.SnapshotEvery, c.Tolaria.SnapshotKeep = 5, 2
	c.Tamiyo.WindowSteps, c.Tamiyo.WarmupSteps, c.Tamiyo.TrainSteps = 2, 4, 6
	c.Tamiyo.BlendSteps, c.Tamiyo.BlendTemperature, c.Tamiyo.CooldownMs = 6, 0.6, 0
	c.Kasmina.MinTrainSteps = 4
	return c
}

// begin boots a plane of a rule version, with keys, configuration, blueprint
// and one run.
func begin(t testing.TB, version uint32, tasks ...leyline.TaskID) *history {
	t.Helper()
	h := &history{
		t: t, state: &projections.State{}, at: 1_700_000_000_000_000_000, seq: 1, inc: 1,
		admin: key(t, 1), tamiyo: key(t, 2), config: testConfig(),
	}
	h.boot("b1", version)
	h.feed(leyline.KeyAdded{Envelope: h.admin.Sign(leyline.PayloadKey, encoded(t, wire.EncodeKey, leyline.Key{
		ID: h.tamiyo.KeyID(), Public: h.tamiyo.Public(), Issuer: "tamiyo", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandOptimizer, leyline.CommandPause},
	}))})
	h.configure(h.config)
	h.feed(leylinetest.Blueprint("bp-1", []byte("kernel")))
	if len(tasks) == 0 {
		tasks = []leyline.TaskID{"a", "b"}
	}
	h.feed(h.plan(tasks))
	return h
}

func (h *history) boot(name string, version uint32) {
	h.feed(leyline.PlaneStarted{Boot: name, Origin: origin, AdminKey: h.admin.Public(), Decider: version, Clean: true,
		Build: leyline.Build{Version: "test", Go: "go1.26", Modules: []string{"m v1"}}})
}

func (h *history) configure(c leyline.ExecutionConfig) {
	h.config = c
	h.feed(leyline.ConfigApplied{Envelope: h.admin.Sign(leyline.PayloadConfig, encoded(h.t, wire.EncodeConfig, c))})
}

func (h *history) plan(tasks []leyline.TaskID) leyline.RunOpened {
	return leyline.RunOpened{
		Run: runID, Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff}, Tasks: tasks, Seeds: []leyline.SeedID{seedID, "seed-b"},
		Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"bp-1"}, Parameters: 10, Seed: 7, Steps: 100,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
}

func encoded[T any](t testing.TB, encode func(T) ([]byte, error), v T) []byte {
	t.Helper()
	b, err := encode(v)
	must(t, err)
	return b
}

func sum(s string) leyline.Digest { return sha256.Sum256([]byte(s)) }

// feed decides an input a millisecond after the last one; proposals are signed
// and fed at once.
func (h *history) feed(in leyline.Input) []leyline.Event {
	h.at = h.at.Add(time.Millisecond)
	return h.decide(in)
}

func (h *history) decide(in leyline.Input) []leyline.Event {
	h.seq++
	m := leyline.Meta{Seq: h.seq, At: h.at, Run: leyline.RunOf(in)}
	events := decider.Decide(h.state, m, in)
	h.log = append(h.log, leyline.Record{Seq: m.Seq, At: m.At, Wall: m.At + 3, Run: m.Run, Input: in, Events: events})
	for i, e := range events {
		if p, ok := e.(leyline.CommandProposed); ok {
			h.send(fmt.Sprintf("cmd-%d.%d", m.Seq, i), leyline.Command{Kind: p.Kind, Seed: p.Seed, Pause: p.Pause, Optimizer: p.Optimizer})
		}
	}
	return events
}

// command signs and feeds a SEED command.
func (h *history) command(id string, seed leyline.SeedCommand) {
	h.send(id, leyline.Command{Kind: leyline.CommandSeed, Seed: seed})
}

// send signs and feeds what Tamiyo commands.
func (h *history) send(id string, c leyline.Command) {
	c.Issuer, c.Audience, c.ID = "tamiyo", leyline.Audience{Origin: origin, Run: runID}, leyline.CommandID(id)
	c.Sequence, c.IssuedAt = h.state.Kasmina.High(h.tamiyo.KeyID())+1, h.at
	env := h.tamiyo.Sign(leyline.PayloadCommand, encoded(h.t, wire.EncodeCommand, c))
	h.decide(leyline.CommandReceived{Envelope: env, Peer: leyline.PeerPolicy, PeerName: "test"})
}

func (h *history) run() *projections.Run { return h.state.Tolaria.Run(runID) }

// report is the step that comes next, with tasks that conflict.
func (h *history) report() leyline.StepObserved {
	k := len(h.run().Plan.Tasks)
	step := h.run().Track.Step + 1
	x := leyline.StepObserved{Run: runID, Incarnation: h.inc, Step: step, Seed: 42 + uint64(step), Samples: 32, LearnRate: 0.1, ForwardNs: 9e5}
	for i := range k {
		x.Losses = append(x.Losses, 1/float64(i+1)+1/float64(step))
		for j := range k {
			x.Gram = append(x.Gram, map[bool]float64{true: 2 + float64(i), false: -0.3}[i == j])
		}
	}
	for _, s := range h.state.Kasmina.Run(runID).Seeds {
		if leyline.Grafted(s.Stage) {
			x.Seeds = append(x.Seeds, leyline.SeedObserved{Seed: s.ID, Alpha: s.Alpha, GradNorm: 0.5, HostNorm: 1, Cosine: 0.1, Stage: s.Stage})
		}
	}
	return x
}

// steps trains n steps, answers every command, delivers every kernel and takes
// a snapshot when one is due.
func (h *history) steps(n int) {
	for range n {
		h.feed(h.report())
		for _, s := range h.state.Kasmina.Run(runID).Seeds {
			if k := s.Kernel; !k.Request.IsZero() {
				h.feed(leyline.KernelReady{Request: k.Request, Run: runID, Seed: s.ID, Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
			}
		}
		h.acknowledge()
		if s := h.run().Track.Step; s%leyline.Step(h.config.Tolaria.SnapshotEvery) == 0 {
			id := leyline.SnapshotID(fmt.Sprintf("s-%d-%d", h.inc, s))
			h.feed(leyline.SnapshotTaken{Run: runID, Incarnation: h.inc, Step: s, Snapshot: id, Tier: leyline.TierFull,
				File: string(id), Bytes: 10, Digest: sum(string(id)), Measured: sum(string(id))})
		}
	}
}

// acknowledge answers what was accepted so far; a halted run refuses that.
func (h *history) acknowledge() {
	for _, p := range slices.Clone(h.state.Kasmina.Pending) {
		h.feed(leyline.CommandAcked{Run: runID, Incarnation: h.inc, Command: p.Command, Outcome: leyline.OutcomeOK, TookNs: 7})
	}
}

// fault reports a step with a NaN, of a payload that must survive.
func (h *history) fault() {
	x := h.report()
	x.Losses[0] = math.Float64frombits(0x7ff8_0000_dead_beef)
	h.feed(x)
}

// rollback carries out the rollback under way.
func (h *history) rollback() {
	b := h.run().Rollback
	d := h.run().Snapshot(b.Snapshot).Digest
	for _, phase := range []leyline.RollbackPhase{leyline.PhasePrepare, leyline.PhaseCommit} {
		h.feed(leyline.RollbackReported{Run: runID, Incarnation: h.inc, Rollback: b.ID, Phase: phase, Tier: b.Tier, Bytes: 10, Outcome: leyline.OutcomeOK, Digest: d, TookNs: 5})
	}
	h.inc = h.run().Incarnation
}

// incident is the history most tests replay: germination, grafting, snapshots,
// a NaN, its rollback, a refused report, a restart with a resume.
func incident(t testing.TB) *history {
	h := begin(t, decider.Version)
	h.steps(13)
	h.fault()
	h.feed(h.report()) // refused: a rollback is under way
	h.rollback()
	h.steps(9)
	h.feed(leyline.EpochObserved{Run: runID, Incarnation: h.inc, Step: h.run().Track.Step, Epoch: 1, Losses: []float64{1, 2},
		Accuracies: []float64{0.5, 0.25}, Samples: 8})
	h.command("too-early", leyline.SeedCommand{Operation: leyline.OpStabilize, Seed: "seed-b"})
	h.boot("b2", decider.Version)
	again := h.run().Plan
	again.Resume = true
	h.feed(again)
	h.inc = h.run().Incarnation
	h.steps(6)
	h.feed(leyline.RunClosed{Run: runID, Incarnation: h.inc, Step: h.run().Track.Step, Outcome: leyline.OutcomeOK, Digest: sum("end")})
	return h
}

// find returns the first record with an event of a kind.
func (h *history) find(kind leyline.EventKind) leyline.Record {
	h.t.Helper()
	for _, r := range h.log {
		for _, e := range r.Events {
			if e.EventKind() == kind {
				return r
			}
		}
	}
	h.t.Fatalf("no record holds %s", kind)
	return leyline.Record{}
}

// entries encodes the history.
func (h *history) entries() Entries { return encode(h.t, h.log) }

func encode(t testing.TB, log []leyline.Record) Entries {
	t.Helper()
	var out Entries
	for _, r := range log {
		b, err := wire.AppendRecord(nil, r)
		must(t, err)
		out = append(out, Entry{Seq: r.Seq, At: r.At, Payload: b})
	}
	return out
}

func replayed(t testing.TB, src Source, o Options) Report {
	t.Helper()
	r, err := Run(context.Background(), src, o)
	must(t, err)
	return r
}
