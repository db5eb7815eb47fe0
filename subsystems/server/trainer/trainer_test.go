package trainer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/plane"
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
	if a.Protocol != 1 || a.Run != "run-1" || a.Incarnation != 1 || !a.Snapshot || a.Origin != origin || !bytes.Equal(a.AdminKey, key(1).Public()) ||
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

// TestMistakes makes every mistake that a request can have.
func TestMistakes(t *testing.T) {
	d := start(t)
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	step, _ := protocol.AppendRequest(nil, protocol.MediaJSON, stepBody(1))
	for _, c := range []struct {
		name, method, path, media, body string
		status                          int
		kind, field                     string
	}{
		{"no type", "POST", steps, "", string(step), 415, "unsupported_media_type", "Content-Type"},
		{"a form", "POST", steps, "application/x-www-form-urlencoded", "a=b", 415, "unsupported_media_type", "Content-Type"},
		{"an unknown member", "POST", steps, protocol.MediaJSON, `{"setp":1}`, 400, "unknown_field", "setp"},
		{"an unknown member within", "POST", steps, protocol.MediaJSON, `{"seeds":[{"sede":"s"}]}`, 400, "unknown_field", "seeds[0].sede"},
		{"the plane's own member", "POST", steps, protocol.MediaJSON, `{"solution":{}}`, 400, "unknown_field", "solution"},
		{"the principal", "POST", "/v1/runs", protocol.MediaJSON, `{"principal":"process"}`, 400, "unknown_field", "principal"},
		{"a member twice", "POST", steps, protocol.MediaJSON, `{"step":1,"step":2}`, 400, "duplicate_field", "step"},
		{"no JSON", "POST", steps, protocol.MediaJSON, `{`, 400, "malformed", ""},
		{"nothing", "POST", steps, protocol.MediaJSON, ``, 400, "malformed", ""},
		{"no msgpack", "POST", steps, protocol.MediaMsgpack, "\xc1", 400, "invalid_field", ""},
		{"too large", "POST", steps, protocol.MediaJSON, `{"run":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "body_too_large", ""},
		{"another run", "POST", steps, protocol.MediaJSON, `{"run":"run-2"}`, 400, "invalid_field", "run"},
		{"an unknown run", "POST", "/v1/runs/run-9/steps", protocol.MediaJSON, string(step), 404, "unknown_run", "run"},
		{"no run name", "POST", "/v1/runs/..%2f..%2fetc/steps", protocol.MediaJSON, string(step), 400, "invalid_field", "run"},
		{"a missing member", "POST", steps, protocol.MediaJSON, `{"step":1}`, 400, "missing_field", "incarnation"},
		{"no protocol", "POST", "/v1/runs", protocol.MediaJSON, `{"run":"r"}`, 400, "protocol_version", "protocol"},
		{"another protocol", "POST", "/v1/runs", protocol.MediaJSON, `{"protocol":2,"run":"r"}`, 400, "protocol_version", "protocol"},
		{"no away", "POST", "/v1/runs", protocol.MediaJSON, strings.Replace(openText(t), `,"away":"stop"`, "", 1), 400, "missing_field", "away"},
		{"no such run to look at", "GET", "/v1/runs/run-9", "", "", 404, "unknown_run", "run"},
		{"no such run to wait for", "GET", "/v1/runs/run-9/directives", "", "", 404, "unknown_run", "run"},
		{"a bad cursor", "GET", "/v1/runs/run-1/directives?after=x", "", "", 400, "invalid_field", "after"},
		{"a method", "PUT", steps, protocol.MediaJSON, "{}", 405, "method_not_allowed", ""},
	} {
		a := d.send(c.method, c.path, c.media, []byte(c.body))
		if a.status != c.status || a.Kind != c.kind || a.Field != c.field || a.Detail == "" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := d.post(steps, stepBody(1)); a.status != http.StatusOK {
		t.Errorf("after all of them: %d %s", a.status, a.body)
	}
	d.accept = "text/html"
	if a := d.post(steps, stepBody(2)); a.status != http.StatusNotAcceptable || a.Field != "Accept" {
		t.Errorf("another form: %d %s", a.status, a.body)
	}
	d.accept = "text/html, application/msgpack;q=0.5, */*;q=0.1"
	if a := d.post(steps, stepBody(2)); a.status != http.StatusOK || a.media != protocol.MediaMsgpack {
		t.Errorf("weighted forms: %d %s", a.status, a.media)
	}
	if a := d.post(steps, stepBody(9)); a.status != http.StatusConflict || a.media != trainer.ProblemMsgpack {
		t.Errorf("a problem in another form: %d %s", a.status, a.media)
	}
}

func openText(t *testing.T) string {
	t.Helper()
	b := openBody()
	b.Run = "run-2"
	text, err := protocol.AppendRequest(nil, protocol.MediaJSON, b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEncodedBody refuses a body that would have to be unpacked.
func TestEncodedBody(t *testing.T) {
	d := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://esper/v1/runs", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", protocol.MediaJSON)
	r.Header.Set("Content-Encoding", "gzip")
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("got %d", resp.StatusCode)
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

// TestPoll waits for a directive, which comes, and for one that does not.
func TestPoll(t *testing.T) {
	d := start(t)
	open := must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	path := fmt.Sprintf("/v1/runs/run-1/directives?after=%d", open.Cursor)
	if a := d.send("GET", path, "", nil); a.status != http.StatusNoContent || len(a.body) != 0 {
		t.Fatalf("without a directive: %d %s", a.status, a.body)
	}
	env := d.signed(func(c *leyline.Command) {
		c.Kind, c.Emergency = leyline.CommandEmergency, leyline.EmergencyCommand{Action: leyline.EmergencyRaise, Level: leyline.EmergencyHalt, Reason: "by hand"}
	})
	if a, err := d.plane.Judge(t.Context(), leyline.CommandReceived{Envelope: env, Peer: leyline.PeerOperator, PeerName: "test"}); err != nil || !a.Accepted {
		t.Fatalf("%+v, %v", a, err)
	}
	got := must[leyline.Answer](d, d.send("GET", path, "", nil))
	if len(got.Directives) != 1 || got.Directives[0].Halt == nil || got.Emergency != leyline.EmergencyHalt {
		t.Errorf("got %+v", got)
	}
	if v := must[protocol.RunView](d, d.send("GET", "/v1/runs/run-1", "", nil)); v.Status != leyline.RunStatusHalted || v.Halt == 0 {
		t.Errorf("the run: %+v", v)
	}
}

// TestPollEndsWithPlane: a poll that waits when the plane ends is told to come again.
func TestPollEndsWithPlane(t *testing.T) {
	d := start(t)
	open := must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	stuck := &slow{Plane: d.plane, taken: make(chan struct{})}
	d.slow = stuck
	got := make(chan said, 1)
	go func() { got <- d.send("GET", fmt.Sprintf("/v1/runs/run-1/directives?after=%d", open.Cursor), "", nil) }()
	arrived(t, stuck.taken)
	if err := d.plane.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.status != http.StatusServiceUnavailable || a.Kind != "stopping" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// Directives implements trainer.Plane.
func (s *slow) Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	close(s.taken)
	return s.Plane.Directives(context.WithoutCancel(ctx), run, after)
}

// TestManyTrainers has trainers report at the same time, each a run of its own, in both
// forms: every one gets its own answers.
func TestManyTrainers(t *testing.T) {
	d := start(t)
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			media := []string{protocol.MediaJSON, protocol.MediaMsgpack}[n%2]
			open := openBody()
			open.Run = leyline.RunID(fmt.Sprintf("run-%d", n))
			if a := d.postAs(media, "/v1/runs", open); a.status != http.StatusOK {
				t.Errorf("%s: %d %s", open.Run, a.status, a.body)
				return
			}
			for s := range leyline.Step(20) {
				a := d.postAs(media, fmt.Sprintf("/v1/runs/%s/steps", open.Run), stepBody(s+1))
				var got leyline.Answer
				if err := protocol.Decode(media, a.body, &got); err != nil || a.status != http.StatusOK || got.Run != open.Run || got.Step != s+1 {
					t.Errorf("%s: step %d: %d %v %s", open.Run, s+1, a.status, err, a.body)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestVersions asks what the plane speaks.
func TestVersions(t *testing.T) {
	d := start(t)
	v := must[protocol.Versions](d, d.send("GET", "/v1/protocol", "", nil))
	if len(v.Protocol) != 1 || v.Protocol[0] != protocol.Version || v.Version != "test" {
		t.Errorf("got %+v", v)
	}
	a := d.send("GET", "/v1/openapi.json", "", nil)
	if a.status != http.StatusOK || !json.Valid(a.body) || !bytes.Equal(a.body, protocol.OpenAPI()) {
		t.Errorf("the description: %d, %d bytes", a.status, len(a.body))
	}
}

// TestDrain: a step that is under way gets its answer, one that comes later is told to
// come again.
func TestDrain(t *testing.T) {
	d := start(t)
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	stuck := &slow{Plane: d.plane, taken: make(chan struct{}), free: make(chan struct{})}
	d.slow = stuck
	got := make(chan said, 1)
	go func() { got <- d.post(steps, stepBody(1)) }()
	arrived(t, stuck.taken)
	drained := make(chan int, 1)
	go func() { drained <- d.server.Drain(context.Background()) }()
	for {
		if a := d.post(steps, stepBody(2)); a.status == http.StatusServiceUnavailable && a.Kind == "stopping" {
			break
		}
		time.Sleep(time.Millisecond) // until Drain has begun
	}
	close(stuck.free)
	if a := <-got; a.status != http.StatusOK {
		t.Errorf("the step under way: %d %s", a.status, a.body)
	}
	if cut := <-drained; cut != 0 {
		t.Errorf("%d requests were cut", cut)
	}
}

// arrived waits for a call to reach the plane.
func arrived(t *testing.T, at <-chan struct{}) {
	t.Helper()
	select {
	case <-at:
	case <-time.After(20 * time.Second):
		t.Fatal("the call does not arrive")
	}
}

// slow holds an answer back.
type slow struct {
	trainer.Plane
	taken, free chan struct{}
}

// Submit implements trainer.Plane.
func (s *slow) Submit(ctx context.Context, in leyline.Input, after leyline.Seq) func() (leyline.Answer, error) {
	if x, ok := in.(leyline.StepObserved); !ok || x.Step != 1 {
		return s.Plane.Submit(ctx, in, after)
	}
	wait := s.Plane.Submit(ctx, in, after)
	close(s.taken)
	return func() (leyline.Answer, error) {
		<-s.free
		return wait()
	}
}

// TestOrder hands steps in without waiting: they are decided in the order of the calls,
// and their answers come whenever they are asked for.
func TestOrder(t *testing.T) {
	d := start(t)
	open := openBody()
	open.Lag = 16
	must[protocol.OpenAnswer](d, d.post("/v1/runs", open))
	var waits []func() trainer.Reply
	for n := range leyline.Step(16) {
		b := stepBody(n + 1)
		body, err := protocol.AppendRequest(nil, protocol.MediaMsgpack, b)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, d.service.Submit(t.Context(), trainer.Call{
			Op: frame.OpStep, Run: "run-1", Media: protocol.MediaMsgpack, Body: body, Peer: trainer.Peer{Kind: leyline.PeerTrainer, Name: "uid:1000"},
		}))
	}
	for i := len(waits) - 1; i >= 0; i-- {
		r := waits[i]()
		var a leyline.Answer
		if err := protocol.Decode(r.Media, r.Body, &a); err != nil || r.Status != http.StatusOK || a.Step != leyline.Step(i+1) {
			t.Errorf("step %d: %d %v %s", i+1, r.Status, err, r.Body)
		}
	}
	if r := d.service.Do(t.Context(), trainer.Call{Op: 77, Run: "run-1", Media: protocol.MediaJSON, Peer: trainer.Peer{Name: "uid:1000"}}); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "unknown_op") {
		t.Errorf("an op that there is not: %d %s", r.Status, r.Body)
	}
}
