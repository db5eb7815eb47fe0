package rollback_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// history is a run with snapshots: a capital letter is one proven good, a small
// one is not. The letter's place gives the step, ten apart.
func history(letters string) *projections.Run {
	r := &projections.Run{ID: "run-1"}
	for i, c := range letters {
		r.Snapshots = append(r.Snapshots, projections.Snapshot{
			ID: leyline.SnapshotID(c), Step: leyline.Step(10 * i), Copies: []projections.Copy{{Tier: leyline.TierFull}}, Confirmed: c < 'a',
		})
	}
	return r
}

func ids(ss []leyline.SnapshotID) string {
	var out string
	for _, s := range ss {
		out += string(s)
	}
	return out
}

func TestChoose(t *testing.T) {
	c := leyline.DefaultConfig().Tolaria
	for _, x := range []struct {
		letters string
		before  leyline.Step
		want    leyline.SnapshotID
		none    leyline.FaultReason
	}{
		{"ABC", 25, "C", leyline.FaultNone},
		{"ABC", 20, "B", leyline.FaultNone}, // taken at the step itself is too late
		{"ABc", 25, "B", leyline.FaultNone}, // the newest is not proven
		{"abc", 25, "", leyline.FaultNoSnapshot},
		{"", 25, "", leyline.FaultNoSnapshot},
		{"ABC", 0, "", leyline.FaultNoSnapshot},
	} {
		p, none := rollback.Choose(history(x.letters), x.before, false, &c)
		if p.Snapshot != x.want || none != x.none {
			t.Errorf("%q before step %d: %q, %s; want %q, %s", x.letters, x.before, p.Snapshot, none, x.want, x.none)
		}
	}
	r := history("AB")
	r.Snapshots[1].Rollbacks = c.RollbackLimit
	if _, none := rollback.Choose(r, 99, false, &c); none != leyline.FaultRollbackLimit {
		t.Errorf("over the limit: %s", none)
	}
}

func TestSurplusNeverGivesUpTheNewestProven(t *testing.T) {
	for _, x := range []struct {
		letters string
		keep    uint32
		want    string
	}{
		{"ABCD", 4, ""}, {"ABCDe", 4, "A"}, {"Abcde", 4, "b"}, {"Abcdef", 2, "bcde"}, {"abc", 2, "a"}, {"ABC", 2, "A"}, {"", 2, ""},
	} {
		if got := ids(rollback.Surplus(history(x.letters), x.keep)); got != x.want {
			t.Errorf("%q kept to %d gives up %q, want %q", x.letters, x.keep, got, x.want)
		}
	}
}

func TestBudgetAndAfter(t *testing.T) {
	c := leyline.DefaultConfig().Tolaria
	if f, d := rollback.Budget(leyline.TierFast, &c), rollback.Budget(leyline.TierFull, &c); f != 500*time.Millisecond || d != 12*time.Second {
		t.Errorf("budgets %v and %v", f, d)
	}
	if d := cmp.Diff("CD", ids(rollback.After(history("ABCD"), 10))); d != "" {
		t.Error(d)
	}
}
