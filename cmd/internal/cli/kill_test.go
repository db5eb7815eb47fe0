package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

var (
	killRounds = flag.Int("kill.rounds", 8, "how often TestKillLoop kills a run")
	killSeed   = flag.Uint64("kill.seed", 1, "of the random moments of TestKillLoop")
)

// moments are where the loop kills: "POINT KIND N" as envKill has it. Two of
// them and one random moment fall on every data directory before the run on it
// is left alone. The first six, which the shortest loop reaches, are within a
// snapshot, a rollback and the blend, and between commit and release.
var moments = []string{
	"durable snapshot.registered 2", "durable rollback.started 1",
	"durable rollback.finished 1", "durable step.observed 15", // still cautious after the rollback
	"decided snapshot.taken 3", "durable blend.stepped 5",
	"durable policy.asked 2", "decided policy.asked 5",
	"durable contribution.measured 1", "released policy.answered 3",
	"decided seed.probed 2", "durable rollback.started 2",
	"durable rollback.advanced 1", "durable snapshot.taken 4",
	"released rollback.started 1", "released rollback.finished 1",
	"decided rollback.started 1", "decided blend.configured 1",
	"decided rollback.reported 1", "released blend.stepped 9",
	"released snapshot.registered 1", "durable command.verified 1",
	"released command.verified 2", "decided command.acked 1",
	"durable kernel.ready 1", "released prefetch.requested 1",
	"durable run.started 1", "released run.resumed 1",
	"decided plane.started 1", "durable plane.started 1",
	"durable config.applied 1", "durable run.resumed 1",
	"durable key.added 1", "durable blueprint.registered 1",
	"released snapshot.evicted 1", "durable snapshot.evicted 1",
	"decided snapshot.evicted 1", "durable command.acked 2",
	"durable emergency.escalated 1", "released emergency.published 1",
	"durable epoch.observed 4", "released gate.evaluated 2",
	"decided seed.moved 2", "decided run.resumed 1",
	"durable step.observed 119", "durable step.observed 17",
	"durable run.closed 1", "durable gate.evaluated 3",
}

// jobArgs is what every run of the loop is asked to do.
func jobArgs(dir string) []string {
	return []string{"run", "--json", "--data", dir, "--steps", "300", "--fault", "nan@120", "--fault", "loss-spike@210",
		"--set", "tamiyo.policy_inline=false", "--set", "tamiyo.policy_budget_ms=5000"}
}

// TestKillLoop kills -9 a real process at chosen and at random moments and
// starts it again, over and over. After every kill all that was acknowledged is
// in the log and the log replays identically; in the end the weights are those
// of a run that was never killed.
func TestKillLoop(t *testing.T) {
	began := time.Now()
	reference := filepath.Join(t.TempDir(), "data")
	whole := live(t, reference, "", 0)
	if whole.err != nil {
		t.Fatalf("%v\n%s", whole.err, whole.errs)
	}
	l := &killLoop{
		want: digestOf(t, whole.out), span: time.Since(began), at: map[string]int{},
		random: rand.New(rand.NewPCG(*killSeed, 0)),
	}
	for l.kills < *killRounds {
		l.directory(t, filepath.Join(t.TempDir(), "data"))
		if t.Failed() {
			t.Fatalf("reproduce with -kill.seed=%d -kill.rounds=%d", *killSeed, *killRounds)
		}
	}
	t.Logf("%d kills, %d runs finished, %d records acknowledged; landed: %v", l.kills, l.finished, l.acked, l.at)
	l.check(t)
}

// killLoop is what a loop has seen.
type killLoop struct {
	want     leyline.Digest
	span     time.Duration // of a whole run
	random   *rand.Rand
	moment   int
	kills    int
	finished int
	acked    int
	at       map[string]int // where kills landed
}

// directory runs one job to its end, with kills on the way.
func (l *killLoop) directory(t *testing.T, dir string) {
	acked := map[leyline.Seq]leyline.Instant{}
	for n := 0; ; n++ {
		plan, after := l.next(n)
		p := live(t, dir, plan, after)
		l.kept(t, dir, acked, p.acks)
		switch {
		case p.err == nil:
			l.finished++
			if got := digestOf(t, p.out); got != l.want {
				t.Errorf("%s: ends with weights %s, want %s", dir, got.Short(), l.want.Short())
			}
			return
		case !killed(p.err):
			t.Errorf("%s: in a life to be ended at %q: %v\n%s%s", dir, plan, p.err, p.out, p.errs)
			return
		}
		l.kills++
		if plan == "" {
			plan = "at random"
		}
		l.at[strings.Join(strings.Fields(plan)[:2], " ")]++
	}
}

// next says how the nth life on a directory is to end: two at a chosen moment,
// one at random, and then one in its own time.
func (l *killLoop) next(n int) (plan string, after time.Duration) {
	switch n {
	case 0, 1:
		l.moment++
		return moments[(l.moment-1)%len(moments)], 0
	case 2:
		return "", 1 + time.Duration(l.random.Int64N(int64(l.span)))
	}
	return "", 0
}

// kept checks that everything acknowledged in any life is in the log, and that
// the log is as the deciders would write it again.
func (l *killLoop) kept(t *testing.T, dir string, acked map[leyline.Seq]leyline.Instant, acks []byte) {
	t.Helper()
	for line := range strings.Lines(string(acks)) {
		var seq leyline.Seq
		var at leyline.Instant
		if n, _ := fmt.Sscanf(line, "%d %d\n", &seq, &at); n == 2 && strings.HasSuffix(line, "\n") {
			acked[seq] = at
			l.acked++
		}
	}
	if len(acked) == 0 {
		return // killed before the log was there
	}
	found := map[leyline.Seq]leyline.Instant{}
	for _, r := range records(t, dir) {
		found[r.Seq] = r.At
	}
	for seq, at := range acked {
		if found[seq] != at {
			t.Errorf("%s: record %d of %s was acknowledged; the log has %s there", dir, seq, at, found[seq])
		}
	}
	esper(t, exitOK, "replay", dir)
}

// check makes sure that kills landed where they should.
func (l *killLoop) check(t *testing.T) {
	for _, want := range []string{
		"durable snapshot.registered", "durable rollback.started", "durable rollback.finished", "durable blend.stepped",
		"decided snapshot.taken", "durable step.observed",
	} {
		if l.at[want] == 0 && *killRounds >= 8 {
			t.Errorf("no kill landed at %q", want)
		}
	}
}

// life is one process.
type life struct {
	out, errs []byte
	acks      []byte // what it acknowledged
	err       error  // how it ended
}

// live runs the job until it ends, is killed by its plan, or is killed after
// some time.
func live(t *testing.T, dir, plan string, after time.Duration) life {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, jobArgs(dir)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	c.Env = append(os.Environ(), envAcks+"=1", envKill+"="+plan)
	c.ExtraFiles = []*os.File{w}
	if err := errors.Join(c.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		defer time.AfterFunc(after, func() { _ = c.Process.Kill() }).Stop() // it may have ended by itself
	}
	acks, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	return life{out.Bytes(), errs.Bytes(), acks, err}
}

// killed reports whether a process ended by SIGKILL.
func killed(err error) bool {
	var e interface{ Sys() any }
	if !errors.As(err, &e) {
		return false
	}
	s, ok := e.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}
