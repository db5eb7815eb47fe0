package sla_test

import (
	"iter"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/sla"
)

// log is records, one a millisecond, that no plane wrote.
type log struct {
	t       *testing.T
	records []leyline.Record
}

func (l *log) at(ms int) leyline.Instant { return leyline.Instant(1 + 1e6*int64(ms)) }

// tell adds a record of events at a time in milliseconds.
func (l *log) tell(ms int, events ...leyline.Event) {
	l.records = append(l.records, leyline.Record{
		Seq: leyline.Seq(len(l.records) + 2), At: l.at(ms), Input: leyline.DiskMeasured{Total: 1}, Events: events,
	})
}

// All implements replay.Source.
func (l *log) All(from leyline.Seq) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		for _, r := range l.records {
			b, err := wire.AppendRecord(nil, r)
			if r.Seq >= from && !yield(replay.Entry{Seq: r.Seq, At: r.At, Payload: b}, err) {
				return
			}
		}
	}
}

func (l *log) report() sla.Report {
	l.t.Helper()
	r, err := sla.Of(l.t.Context(), l, nil, 0, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

func begun(t *testing.T) *log {
	l := &log{t: t}
	l.tell(0)
	l.tell(1, leyline.SnapshotRegistered{Run: "r", Incarnation: 1, Step: 10, Snapshot: "s", Tier: leyline.TierFull, File: "s", Bytes: 8, Digest: leyline.Digest{2}, Check: 7})
	return l
}

func (l *log) fall(ms int, id leyline.RollbackID, tier leyline.Tier, fault leyline.Step) {
	level := map[leyline.Tier]int{leyline.TierFast: 500, leyline.TierFull: 12_000}[tier]
	l.tell(ms, leyline.RollbackStarted{
		Run: "r", Rollback: id, Cause: leyline.FaultNonFinite, FaultStep: fault, Reached: fault, Snapshot: "s", ToStep: 10, Tier: tier,
		Seen: l.at(ms - 2), Since: l.at(ms), Deadline: l.at(ms + 12_000), LevelBy: l.at(ms + level), PhaseBy: l.at(ms + 150),
	})
}

func (l *log) commit(ms int, id leyline.RollbackID, tier leyline.Tier) {
	l.tell(ms, leyline.RollbackAdvanced{Run: "r", Rollback: id, Phase: leyline.PhaseCommit, Tier: tier, TookNs: 3e6})
}

func (l *log) done(ms int, id leyline.RollbackID, tier leyline.Tier, within bool) {
	l.tell(ms, leyline.RollbackFinished{
		Run: "r", Rollback: id, Outcome: leyline.OutcomeOK, Snapshot: "s", Step: 10, Tier: tier, Incarnation: 2, Lineage: 1,
		Digest: leyline.Digest{2}, Check: 7, CommitNs: 4e6, WithinSLA: within, QuietBy: 1,
	})
}

func (l *log) good(ms int, id leyline.RollbackID) {
	l.tell(ms, leyline.TrainingAssessed{Run: "r", Step: 11, Health: leyline.HealthHealthy, FirstGood: id, QuietBy: 1,
		LossEWMA: leyline.Moments{N: 1}, GradEWMA: leyline.Moments{N: 1}, ConflictEWMA: leyline.Moments{N: 1}})
}

// One of each: fast in time, fast too slow, full after the fast tier was given up,
// and one that missed the deadline.
func TestReport(t *testing.T) {
	l := begun(t)
	l.fall(100, "rb-1", leyline.TierFast, 20)
	l.commit(105, "rb-1", leyline.TierFast)
	l.done(115, "rb-1", leyline.TierFast, true)
	l.good(135, "rb-1")

	l.fall(1_000, "rb-2", leyline.TierFast, 30)
	l.commit(1_005, "rb-2", leyline.TierFast)
	l.done(1_501, "rb-2", leyline.TierFast, false)

	l.fall(2_000, "rb-3", leyline.TierFast, 40)
	l.tell(2_150, leyline.RollbackAdvanced{
		Run: "r", Rollback: "rb-3", Phase: leyline.PhasePrepare, Tier: leyline.TierFull, Left: leyline.PhasePrepare, Reason: leyline.FaultPhaseOverrun,
	})
	l.commit(2_700, "rb-3", leyline.TierFull)
	l.done(2_800, "rb-3", leyline.TierFull, true)

	l.fall(3_000, "rb-4", leyline.TierFull, 50)
	l.tell(15_001, leyline.RollbackFinished{
		Run: "r", Rollback: "rb-4", Outcome: leyline.OutcomeDeadline, Reason: leyline.FaultRollbackDeadline, Snapshot: "s", Step: 10,
		Tier: leyline.TierFull, Overran: leyline.PhasePrepare, Incarnation: 2,
	})
	r := l.report()
	if len(r.Rollbacks) != 4 || r.Met || r.Wrong != 0 || r.Unjudged != 0 {
		t.Fatalf("%d rollbacks, met %v, %d wrong", len(r.Rollbacks), r.Met, r.Wrong)
	}
	b := r.Rollbacks[0]
	got := []float64{*b.DetectMs, *b.DecideMs, *b.RestoreMs, *b.GoodMs, *b.SpentMs, *b.BudgetMs}
	if d := cmp.Diff([]float64{2, 5, 10, 20, 15, 500}, got); d != "" || !b.WithinSLA {
		t.Errorf("the first rollback in its parts (-want +got):\n%s", d)
	}
	if b.Saved != b.Restored || b.SavedCheck != b.RestoredCheck || b.Bytes != 8 {
		t.Errorf("bytes %+v", b)
	}
	if b := r.Rollbacks[2]; b.Tier != leyline.TierFull || b.LeftFast != leyline.PhasePrepare || *b.BudgetMs != 12_000 || !b.WithinSLA || *b.DecideMs != 700 {
		t.Errorf("after the fast tier was given up: %+v", b)
	}
	if b := r.Rollbacks[3]; b.Overran != leyline.PhasePrepare || b.WithinSLA || b.DecideMs != nil {
		t.Errorf("a missed deadline: %+v", b)
	}
	want := []sla.Level{
		{Tier: leyline.TierFast, BudgetMs: 500, Met: 1, Missed: 1, Spent: sla.Distribute([]float64{15, 501})},
		{Tier: leyline.TierFull, BudgetMs: 12_000, Met: 1, Missed: 1, Spent: sla.Distribute([]float64{800, 12_001})},
	}
	if d := cmp.Diff(want, r.Tiers); d != "" {
		t.Errorf("tiers (-want +got):\n%s", d)
	}
}

// A record that vouches for what its times do not add up to is found out.
func TestWrongVerdict(t *testing.T) {
	l := begun(t)
	l.fall(100, "rb-1", leyline.TierFast, 20)
	l.commit(105, "rb-1", leyline.TierFast)
	l.done(601, "rb-1", leyline.TierFast, true)
	if r := l.report(); r.Wrong != 1 || r.Met {
		t.Errorf("%d wrong, met %v", r.Wrong, r.Met)
	}
}

// A rollback whose clock stood still has no level; a log without any is met.
func TestUnjudged(t *testing.T) {
	l := begun(t)
	if r := l.report(); !r.Met || len(r.Rollbacks) != 0 || r.Records != 2 {
		t.Errorf("an untroubled log: %+v", r)
	}
	l.tell(100, leyline.RollbackStarted{
		Run: "r", Rollback: "rb-1", Cause: leyline.FaultNonFinite, FaultStep: 20, Reached: 20, Snapshot: "s", ToStep: 10, Tier: leyline.TierFull, Seen: 1, Since: 1,
	})
	l.done(9e8, "rb-1", leyline.TierFull, false)
	if r := l.report(); !r.Met || r.Unjudged != 1 || r.Rollbacks[0].Judged() {
		t.Errorf("a clock that stood still: %+v", r)
	}
}

func TestDistribute(t *testing.T) {
	for _, x := range []struct {
		ms   []float64
		want sla.Distribution
	}{
		{nil, sla.Distribution{}},
		{[]float64{3}, sla.Distribution{Count: 1, P50: 3, P95: 3, P99: 3, Max: 3}},
		{[]float64{4, 1, 2, 3, 5}, sla.Distribution{Count: 5, P50: 3, P95: 4.8, P99: 4.96, Max: 5}},
	} {
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
		if d := cmp.Diff(x.want, sla.Distribute(x.ms), near); d != "" {
			t.Errorf("%v (-want +got):\n%s", x.ms, d)
		}
	}
}
