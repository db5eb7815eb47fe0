package trainer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

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
