package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
)

// plant is an `esper serve` in a process of its own.
type plant struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said strings.Builder
	out  bytes.Buffer
	done chan struct{} // closed when stderr has ended
}

// likePenguins are the settings with which `esper run` begins for its small workload.
var likePenguins = []string{"--builtin-blueprints=penguins", "--set", "tolaria.diverge_loss=2"}

// serving starts a plane and returns when it lets trainers in.
func serving(t *testing.T, dir, socket, kill string, args ...string) *plant {
	t.Helper()
	p := &plant{cmd: command(t, append([]string{"serve", "--data", dir, "--socket", socket}, args...)...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envKill+"="+kill)
	p.cmd.Stdout = &p.out
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended in order, unless the test failed
	ready := make(chan bool, 1)
	go p.listen(errs, ready)
	if !<-ready {
		t.Fatalf("it does not get ready: %s", p.words())
	}
	return p
}

func (p *plant) listen(errs io.Reader, ready chan<- bool) {
	defer close(p.done)
	for in := bufio.NewScanner(errs); in.Scan(); {
		p.mu.Lock()
		p.said.WriteString(in.Text() + "\n")
		p.mu.Unlock()
		if strings.HasPrefix(in.Text(), "ready: ") {
			ready <- true
		}
	}
	close(ready)
}

func (p *plant) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// end tells the plane to stop and returns its exit code.
func (p *plant) end(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
	return exitOf(p.cmd.Wait())
}

// farAway runs the trainer in a process of its own and returns its final weights.
func farAway(t *testing.T, socket string, args ...string) leyline.Digest {
	t.Helper()
	c := command(t, append([]string{"run", "--json", "--remote", "unix:" + socket}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &errs)
	}
	if framed := !slices.Contains(args, "--remote-http"); strings.Contains(out.String(), `"framed":true`) != framed {
		t.Errorf("framed: %v\n%s", !framed, &out)
	}
	return digestOf(t, out.Bytes())
}

// TestServedIsTheSame: a trainer over a socket gets the decisions that it gets in the
// process of the plane, and ends with the same weights.
func TestServedIsTheSame(t *testing.T) {
	fault := []string{"--fault", "nan@120"}
	alone := filepath.Join(t.TempDir(), "data")
	want := digestOf(t, []byte(esper(t, exitOK, append([]string{"run", "--json", "--data", alone}, fault...)...)))
	for name, args := range map[string][]string{"framed": nil, "http": {"--remote-http"}} {
		t.Run(name, func(t *testing.T) {
			dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
			p := serving(t, dir, socket, "", likePenguins...)
			got := farAway(t, socket, append(fault, args...)...)
			if code := p.end(t); code != exitOK {
				t.Errorf("the plane exits with %d: %s", code, p.words())
			}
			if got != want {
				t.Errorf("weights %s, in the process of the plane %s", got.Short(), want.Short())
			}
			a, b := records(t, alone), records(t, dir)
			if d := cmp.Diff(reportsOf(a), reportsOf(b)); d != "" {
				t.Errorf("reports: %s", d)
			}
			if d := cmp.Diff(ofRun(a), ofRun(b), cmpopts.EquateNaNs()); d != "" {
				t.Errorf("decisions: %s", d)
			}
			esper(t, exitOK, "replay", dir)
		})
	}
}

// reportsOf are the reports of a trainer in their order.
func reportsOf(rs []leyline.Record) []string {
	var out []string
	for _, r := range rs {
		switch x := r.Input.(type) {
		case leyline.StepObserved:
			out = append(out, fmt.Sprintf("step %d of %d", x.Step, x.Incarnation))
		case leyline.SnapshotTaken:
			out = append(out, fmt.Sprintf("snapshot %s %s %s", x.Snapshot, x.Tier, x.Digest.Short()))
		case leyline.RunOpened, leyline.EpochObserved, leyline.SeedProbed, leyline.CommandAcked, leyline.RollbackReported, leyline.ProfileReported, leyline.RunClosed:
			out = append(out, r.Input.InputKind().String())
		}
	}
	return out
}

// ofRun are the decisions about a run: not what a plane is told at its start, and not
// who has opened the run and what he does without a plane.
func ofRun(rs []leyline.Record) []leyline.Event {
	var out []leyline.Event
	for _, e := range decisions(rs) {
		switch e.EventKind() {
		case leyline.EventConfigAdopted, leyline.EventBlueprintAdmitted:
			continue
		}
		if x, ok := e.(leyline.RunStarted); ok {
			x.Plan.Principal, x.Plan.Away, x.Plan.AwaySeconds = "", 0, 0
			e = x
		}
		out = append(out, e)
	}
	return out
}

// TestServedIsKilled kills the plane at chosen moments while a trainer trains. The
// trainer waits and goes on; nothing is lost, nothing counts twice, and the weights are
// those of a run that nobody disturbed.
func TestServedIsKilled(t *testing.T) {
	fault := []string{"--fault", "nan@120"}
	alone := filepath.Join(t.TempDir(), "data")
	want := digestOf(t, []byte(esper(t, exitOK, append([]string{"run", "--json", "--data", alone}, fault...)...)))
	for name, args := range map[string][]string{"framed": nil, "http": {"--remote-http"}} {
		t.Run(name, func(t *testing.T) {
			dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
			// Between commit and answer, within a rollback, before a record is durable.
			plans := []string{"durable step.observed 40", "decided step.observed 30", "durable rollback.started 1", "durable snapshot.taken 1", "released step.observed 20"}
			p := serving(t, dir, socket, plans[0], likePenguins...)
			weights := make(chan leyline.Digest, 1)
			go func() {
				defer close(weights)
				weights <- farAway(t, socket, append(fault, args...)...)
			}()
			for _, plan := range append(plans[1:], "") {
				<-p.done
				if err := p.cmd.Wait(); !killed(err) {
					t.Fatalf("the plane ended by itself: %v\n%s", err, p.words())
				}
				p = serving(t, dir, socket, plan, likePenguins...)
			}
			if got := <-weights; got != want {
				t.Errorf("weights %s, without kills %s", got.Short(), want.Short())
			}
			if code := p.end(t); code != exitOK {
				t.Errorf("the plane exits with %d: %s", code, p.words())
			}
			onlyOnce(t, records(t, dir), 300)
			esper(t, exitOK, "replay", dir)
		})
	}
}

// onlyOnce demands that every step of every life was decided once, up to the last one,
// and none is missing.
func onlyOnce(t *testing.T, rs []leyline.Record, steps leyline.Step) {
	t.Helper()
	type life struct {
		incarnation leyline.Incarnation
		step        leyline.Step
	}
	seen, last := map[life]leyline.Seq{}, leyline.Step(0)
	for _, r := range rs {
		x, ok := r.Input.(leyline.StepObserved)
		if !ok {
			continue
		}
		at := life{x.Incarnation, x.Step}
		if old := seen[at]; old != 0 {
			t.Errorf("step %d of incarnation %d is in records %d and %d", x.Step, x.Incarnation, old, r.Seq)
		}
		seen[at] = r.Seq
		if x.Step > last+1 {
			t.Errorf("record %d: step %d comes after %d", r.Seq, x.Step, last)
		}
		last = x.Step
	}
	if last != steps {
		t.Errorf("the last step is %d", last)
	}
}

// TestTrainerIsKilled: the same command resumes the run of a trainer that was killed.
func TestTrainerIsKilled(t *testing.T) {
	alone := filepath.Join(t.TempDir(), "data")
	want := digestOf(t, []byte(esper(t, exitOK, "run", "--json", "--data", alone)))
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	p := serving(t, dir, socket, "", likePenguins...)
	c := command(t, "run", "--json", "--remote", "unix:"+socket)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewScanner(out); in.Scan(); {
		var line struct{ Progress *struct{ Step leyline.Step } }
		if json.Unmarshal(in.Bytes(), &line) == nil && line.Progress != nil && line.Progress.Step >= 150 {
			break
		}
	}
	if err := errors.Join(c.Process.Kill(), out.Close()); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); !killed(err) {
		t.Fatalf("it was not killed: %v", err)
	}
	if got := farAway(t, socket); got != want {
		t.Errorf("weights %s, without a kill %s", got.Short(), want.Short())
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("the plane exits with %d: %s", code, p.words())
	}
	resumed := 0
	for _, r := range records(t, dir) {
		if x, ok := r.Input.(leyline.RunOpened); ok && x.Resume && len(r.Events) > 0 {
			resumed++
		}
	}
	if resumed == 0 {
		t.Error("the run was never resumed")
	}
}
