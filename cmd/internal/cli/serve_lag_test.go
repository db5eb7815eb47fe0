package cli

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
)

// TestServedPipelined: a trainer that is a few steps ahead of its answers, by the Go
// client over the framed lane. The plane is killed with answers outstanding; when it is
// there again every step is answered in its order, and is in the log once.
func TestServedPipelined(t *testing.T) {
	const lag, steps = 4, 60
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	sum := []string{"--set", "tolaria.aggregation=sum"}
	p := serving(t, dir, socket, "durable step.observed 25", sum...)
	revived := make(chan *plant, 1)
	go func() {
		<-p.done
		_ = p.cmd.Wait() // it was killed
		revived <- serving(t, dir, socket, "", sum...)
	}()
	c, err := client.New(client.Options{Address: "unix:" + socket, Away: leyline.AwayWait, Notice: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect()
	a, err := c.Open(t.Context(), leyline.RunOpened{
		Run: "ahead", Workload: "ahead", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a", "b"}, Seed: 1, Parameters: 10, Steps: steps, Optimizer: "sgd", Away: leyline.AwayWait, Lag: lag,
	})
	if err != nil {
		t.Fatal(err)
	}
	last := a.Answer
	next := leyline.Step(1)
	for n := leyline.Step(1); n <= steps; n++ {
		err := c.Submit(t.Context(), leyline.StepObserved{
			Run: "ahead", Incarnation: last.Incarnation, Step: n, Losses: []float64{0.5, 0.25}, Gram: []float64{1, -0.5, -0.5, 1},
			Seed: uint64(n), Samples: 8, LearnRate: 0.1, Applied: []float64{1, 1},
		}, last.Cursor)
		if err != nil {
			t.Fatal(err)
		}
		for c.Outstanding() > lag || n == steps && c.Outstanding() > 0 {
			if last, err = c.Wait(t.Context()); err != nil || last.Step != next || fmt.Sprint(last.Weights) != "[1 1]" {
				t.Fatalf("step %d: %+v %v", next, last, err)
			}
			next++
		}
	}
	p = <-revived
	if _, err := c.Close(t.Context(), leyline.RunClosed{Run: "ahead", Incarnation: last.Incarnation, Step: steps, Outcome: leyline.OutcomeOK, Digest: leyline.Digest{1}}); err != nil {
		t.Error(err)
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("the plane exits with %d: %s", code, p.words())
	}
	log := records(t, dir)
	onlyOnce(t, log, steps)
	for _, r := range log {
		for _, e := range r.Events {
			if k := e.EventKind(); k == leyline.EventWeightsMismatched || k == leyline.EventDependencyViolated {
				t.Errorf("record %d: %s", r.Seq, k)
			}
		}
	}
	esper(t, exitOK, "replay", dir)
}

// TestRemoteAhead: the built-in trainer goes on without answers, through a NaN, a spike
// of the loss that rolls back steps which it has trained since, and a kill of the plane.
// Nothing that it reports is refused, and its weights are those that the plane derives.
// When it hears of a command depends on the disk, so two such runs may differ.
func TestRemoteAhead(t *testing.T) {
	for _, kill := range []string{"", "durable step.observed 150"} {
		dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
		p := serving(t, dir, socket, kill, likePenguins...)
		ended := make(chan leyline.Digest, 1)
		go func() {
			defer close(ended)
			ended <- farAway(t, socket, "--lag", "4", "--fault", "nan@120", "--fault", "loss-spike@230")
		}()
		if kill != "" {
			<-p.done
			if err := p.cmd.Wait(); !killed(err) {
				t.Fatalf("the plane ended by itself: %v\n%s", err, p.words())
			}
			p = serving(t, dir, socket, "", likePenguins...)
		}
		<-ended
		if code := p.end(t); code != exitOK {
			t.Errorf("the plane exits with %d: %s", code, p.words())
		}
		falls, late := 0, 0
		for _, r := range records(t, dir) {
			for _, e := range r.Events {
				switch e.EventKind() {
				case leyline.EventWeightsMismatched, leyline.EventDependencyViolated:
					t.Errorf("record %d: %+v", r.Seq, e)
				case leyline.EventRollbackFinished:
					falls++
				case leyline.EventStepOvertaken:
					late++
				}
			}
		}
		if falls != 2 || late == 0 {
			t.Errorf("%d rollbacks, %d steps overtaken; the test shows nothing", falls, late)
		}
		esper(t, exitOK, "replay", dir)
	}
}
