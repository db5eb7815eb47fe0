package trainer_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

var _ trainer.Plane = (*plane.Plane)(nil)

const steps = "/v1/runs/run-1/steps"

// TestLife opens a run, reports of every kind and closes it, in each form, and with the
// answers in the other one.
func TestLife(t *testing.T) {
	for _, media := range []string{protocol.MediaJSON, protocol.MediaMsgpack} {
		for _, accept := range []string{"", protocol.MediaJSON, protocol.MediaMsgpack} {
			t.Run(media+" for "+accept, func(t *testing.T) {
				d := start(t)
				d.accept = accept
				live(d, media)
			})
		}
	}
}

func live(d *desk, media string) {
	a := must[protocol.OpenAnswer](d, d.postAs(media, "/v1/runs", openBody()))
	if a.Protocol != 1 || a.Run != "run-1" || a.Incarnation != 1 || !a.Snapshot || a.Origin != planetest.Origin || !bytes.Equal(a.AdminKey, planetest.Key(1).Public()) ||
		a.SnapshotEvery == 0 || a.QuickFrom != leyline.QuickFrom || a.Places.Snapshots != filepath.Join(d.dir, "run-1") ||
		a.Rule.Aggregation != leyline.AggregationPCGrad || a.Rule.CAGradC == 0 {
		d.Fatalf("opened: %+v", a)
	}
	if len(a.Keys) != 1 || !hasKey(a.Keys, "ada") {
		d.Errorf("keys: %+v", a.Keys)
	}
	must[leyline.Answer](d, d.postAs(media, "/v1/runs/run-1/snapshots", snapshotBody(d)))
	cursor := a.Cursor
	for n := range leyline.Step(3) {
		b := stepBody(n + 1)
		b.After = cursor
		got := must[leyline.Answer](d, d.postAs(media, steps, b))
		if got.Step != n+1 || len(got.Weights) != 2 || got.Cursor <= cursor || len(got.Seeds) != 1 || got.Seeds[0].Stage != leyline.StageDormant {
			d.Fatalf("step %d: %+v", n+1, got)
		}
		cursor = got.Cursor
	}
	var e protocol.Epoch
	e.EpochObserved = leyline.EpochObserved{Incarnation: 1, Step: 3, Epoch: 1, Losses: []float64{1, 1}, Accuracies: []float64{0.5, 0.5}, Samples: 10, TookNs: 5}
	must[leyline.Answer](d, d.postAs(media, "/v1/runs/run-1/epochs", &e))
	var p protocol.Profile
	p.ProfileReported = leyline.ProfileReported{Incarnation: 1, First: 1, Last: 2, Outcome: leyline.OutcomeFailed, Reason: "no room"}
	must[leyline.Answer](d, d.postAs(media, "/v1/runs/run-1/profiles", &p))
	for path, kind := range map[string]string{"acks": "unknown_command", "rollbacks": "unknown_rollback", "fallbacks": "compile_off", "probes": "unknown_seed"} {
		if a := d.postAs(media, "/v1/runs/run-1/"+path, odd(path)); a.Kind != kind {
			d.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	var c protocol.Close
	c.RunClosed = leyline.RunClosed{Run: "run-1", Incarnation: 1, Step: 3, Outcome: leyline.OutcomeOK, Digest: leyline.Digest{1}, Reason: "done"}
	must[leyline.Answer](d, d.postAs(media, "/v1/runs/run-1/close", &c))
	v := must[protocol.RunView](d, d.send("GET", "/v1/runs/run-1", "", nil))
	if v.Status != leyline.RunStatusEnded || v.Step != 3 || v.Principal != "uid:1000" || v.AgeNs == 0 || v.Outcome != leyline.OutcomeOK || len(v.Seeds) != 1 {
		d.Errorf("afterwards: %+v", v)
	}
}

func hasKey(keys []protocol.Key, issuer string) bool {
	for _, k := range keys {
		if k.Issuer == issuer && len(k.Public) == 32 {
			return true
		}
	}
	return false
}

// odd is a report of something that there is not.
func odd(path string) any {
	switch path {
	case "acks":
		return &protocol.Ack{CommandAcked: leyline.CommandAcked{Incarnation: 1, Command: "c-1", Outcome: leyline.OutcomeOK}}
	case "rollbacks":
		return &protocol.Rollback{RollbackReported: leyline.RollbackReported{
			Incarnation: 1, Rollback: "rb-1", Phase: leyline.PhaseCommit, Tier: leyline.TierFull, Outcome: leyline.OutcomeOK, Digest: leyline.Digest{1}, Bytes: 1,
		}}
	case "fallbacks":
		return &protocol.Fallback{CompileFallback: leyline.CompileFallback{Incarnation: 1, Step: 3, Stage: leyline.FallbackRuntime, Reason: "x"}}
	}
	return &protocol.Probe{SeedProbed: leyline.SeedProbed{
		Incarnation: 1, Step: 3, Seed: "seed-z", Alpha: 1, Losses: []float64{1, 1}, Accuracies: []float64{1, 1},
		LossesAt0: []float64{1, 1}, AccuracyAt0: []float64{1, 1}, Samples: 1, TookNs: 1,
	}}
}

// snapshotBody writes a snapshot's file and reports it.
func snapshotBody(d *desk) *protocol.Snapshot {
	d.Helper()
	header := `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	file := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	file = append(file, 0, 0, 128, 63)
	dir := filepath.Join(d.dir, "run-1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "s0.safetensors"), file, 0o600); err != nil {
		d.Fatal(err)
	}
	b := &protocol.Snapshot{}
	b.SnapshotTaken = leyline.SnapshotTaken{
		Incarnation: 1, Snapshot: "s0", Tier: leyline.TierFull, File: "s0.safetensors", Bytes: uint64(len(file)), Digest: sha256.Sum256(file), WriteNs: 1,
	}
	return b
}

// TestRepeats sends steps again: the recorded answer comes, also from another process of
// the plane; another body is a conflict.
func TestRepeats(t *testing.T) {
	d := start(t)
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	first := must[leyline.Answer](d, d.post(steps, stepBody(1)))
	again := must[leyline.Answer](d, d.postAs(protocol.MediaMsgpack, steps, stepBody(1)))
	if again.Seq != first.Seq || cmp.Diff(first.Weights, again.Weights) != "" {
		t.Errorf("again: %+v, first: %+v", again, first)
	}
	other := stepBody(1)
	other.Losses[0] = 9
	if a := d.post(steps, other); a.status != http.StatusConflict || a.Kind != "step_conflict" {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	if err := d.plane.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.boot()
	later := must[leyline.Answer](d, d.post(steps, stepBody(1)))
	if later.Seq != first.Seq || cmp.Diff(first.Weights, later.Weights) != "" {
		t.Errorf("after a restart: %+v, first: %+v", later, first)
	}
	if next := must[leyline.Answer](d, d.post(steps, stepBody(2))); next.Step != 2 || len(next.Weights) != 2 {
		t.Errorf("the next step: %+v", next)
	}
	old := stepBody(3)
	old.Incarnation = 9
	if a := d.post(steps, old); a.status != http.StatusConflict || a.Field != "incarnation" {
		t.Errorf("of another life: %d %s", a.status, a.body)
	}
}

// TestSeveralSteps sends steps in one body, up to one that is refused.
func TestSeveralSteps(t *testing.T) {
	d := start(t)
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	got := must[protocol.Answers](d, d.post(steps, &protocol.Steps{Steps: []protocol.Step{*stepBody(1), *stepBody(2)}}))
	if len(got.Answers) != 2 || got.Answers[1].Step != 2 || got.Answers[1].Problem != nil || len(got.Answers[1].Weights) != 2 {
		t.Errorf("two steps: %+v", got)
	}
	got = must[protocol.Answers](d, d.post(steps, &protocol.Steps{Steps: []protocol.Step{*stepBody(3), *stepBody(5), *stepBody(4)}}))
	if len(got.Answers) != 2 || got.Answers[1].Problem == nil || got.Answers[1].Problem.Kind != "step_out_of_order" || got.Answers[1].Problem.Status != 409 {
		t.Errorf("with a gap: %+v", got.Answers[1].Problem)
	}
	if v := must[protocol.RunView](d, d.send("GET", "/v1/runs/run-1", "", nil)); v.Step != 3 {
		t.Errorf("the step behind the gap was reported: the run is at %d", v.Step)
	}
	for _, b := range []*protocol.Steps{
		{Steps: make([]protocol.Step, protocol.MaxSteps+1)},
		{Steps: []protocol.Step{*stepBody(4)}, Step: *stepBody(4)},
	} {
		b := b
		if len(b.Steps) > protocol.MaxSteps {
			for i := range b.Steps {
				b.Steps[i] = *stepBody(leyline.Step(i + 4))
			}
		}
		if a := d.post(steps, b); a.status != http.StatusBadRequest || a.Field != "steps" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	wrong := stepBody(4)
	wrong.Run = "run-2"
	if a := d.post(steps, &protocol.Steps{Steps: []protocol.Step{*stepBody(4), *wrong}}); a.status != http.StatusBadRequest || a.Field != "steps[1].run" {
		t.Errorf("of another run: %d %s", a.status, a.body)
	}
}

// TestPrincipals lets only the one who has opened a run speak for it, also after a
// restart of the plane, and nobody of whom nothing was proved.
func TestPrincipals(t *testing.T) {
	d := start(t)
	d.peer = ""
	if a := d.post("/v1/runs", openBody()); a.status != http.StatusForbidden || a.Kind != "not_authorized" {
		t.Errorf("nobody opens: %d %s", a.status, a.body)
	}
	d.peer = "token:one"
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	before := d.log.Next()
	resume := openBody()
	resume.Resume = true
	refusedAll := func() {
		t.Helper()
		for _, peer := range []string{"", "token:two", "process"} {
			d.peer = peer
			for name, a := range map[string]said{
				"step": d.post(steps, stepBody(1)), "steps": d.post(steps, &protocol.Steps{Steps: []protocol.Step{*stepBody(1)}}),
				"epoch": d.post("/v1/runs/run-1/epochs", &protocol.Epoch{}), "poll": d.send("GET", "/v1/runs/run-1/directives", "", nil),
				"close": d.post("/v1/runs/run-1/close", &protocol.Close{}), "resume": d.post("/v1/runs", resume),
			} {
				if a.status != http.StatusForbidden || a.Kind != "not_authorized" {
					t.Errorf("%s by %q: %d %s", name, peer, a.status, a.body)
				}
			}
		}
		d.peer = "token:one"
	}
	refusedAll()
	if d.log.Next() != before {
		t.Error("what was refused at the door was recorded")
	}
	if err := d.plane.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.boot()
	refusedAll()
	must[leyline.Answer](d, d.post(steps, stepBody(1)))
}
