package harness

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/sla"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// The scenario's fault and the deadlines that it is held against. The full tier's is
// a tenth of the default, so that nobody waits for it; the fast tier's is the default.
const (
	faultAt  = 30
	lastStep = 40
	fullMs   = 1200
)

var rollbackDeadline = Scenario{
	Name: "rollback-deadline",
	Claim: "a rollback that misses its deadline is stopped, recorded with the phase that overran, raised to L4 and published, " +
		"and leaves every parameter as it was; one in time restores the saved bytes",
	run: func(ctx context.Context, s Site, r *Result) error {
		for _, c := range deadlineCases() {
			if err := c.play(ctx, s, r); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		return nil
	},
}

// deadlineCase is one rollback and how slow the tiers are for the plane, which
// prepares, and for the trainer, which restores. The zero time is as they are.
type deadlineCase struct {
	name                     string
	planeFast, planeFull     time.Duration
	trainerFast, trainerFull time.Duration
	want                     outcome
}

// outcome is what the log must say.
type outcome struct {
	tier    leyline.Tier
	left    leyline.RollbackPhase // of the fast tier; unset: it is not given up
	overran leyline.RollbackPhase // unset: in time
	late    int                   // reports that must at least be refused
}

func deadlineCases() []deadlineCase {
	const slow, fits = 2 * fullMs * time.Millisecond, 700 * time.Millisecond
	return []deadlineCase{
		{name: "in-time", want: outcome{tier: leyline.TierFast}},
		{name: "fast-tier-slow", planeFast: slow, want: outcome{tier: leyline.TierFull, left: leyline.PhasePrepare}},
		{
			name: "late-in-prepare", planeFast: slow, planeFull: slow,
			want: outcome{tier: leyline.TierFull, left: leyline.PhasePrepare, overran: leyline.PhasePrepare},
		},
		{
			name: "late-in-commit", trainerFast: fits, trainerFull: slow,
			want: outcome{tier: leyline.TierFull, left: leyline.PhaseCommit, overran: leyline.PhaseCommit, late: 1},
		},
	}
}

// told is what was seen of a run from outside its log.
type told struct {
	err           error // of the training
	before, after leyline.Digest
	level         leyline.EmergencyLevel // published
}

func (c deadlineCase) play(ctx context.Context, s Site, r *Result) error {
	spec, err := workload.Lookup("penguins")
	if err != nil {
		return err
	}
	config := spec.Config()
	config.Tolaria.SnapshotEvery, config.Tolaria.RollbackFull = 10, fullMs
	p, err := s.Open("rollback-deadline-"+c.name, spec, config)
	if err != nil {
		return err
	}
	if p.Fast == nil {
		return errors.Join(errors.New("this machine has no shared memory for a fast tier"), p.Close())
	}
	seen, err := c.train(ctx, p, spec)
	if err == nil {
		err = c.judge(ctx, p, seen, r)
	}
	r.Data = append(r.Data, p.Path)
	return errors.Join(err, p.Close())
}

// train runs the workload against a plane. The tiers become slow before the step with
// the fault. The trainer's reads are hung: they come back when they are done, however
// late that is.
func (c deadlineCase) train(ctx context.Context, p *Place, spec workload.Spec) (told, error) {
	var slow atomic.Bool
	tier := func(s snapstore.Store, takes time.Duration, hung bool) snapstore.Store {
		return slowStore{Store: s, from: &slow, takes: takes, hung: hung}
	}
	o := p.Options
	o.Fast, o.Snapshots = tier(p.Fast, c.planeFast, false), tier(p.Full, c.planeFull, false)
	var seen told
	pl, err := plane.Start(ctx, o)
	if err != nil {
		return seen, err
	}
	_, seen.err = workload.Train(ctx, pl, workload.Options{
		Run: "run-1", Workload: spec, Seed: 1, Steps: lastStep, Kernels: testdata.Kernels(),
		Faults:    []workload.Fault{{Name: workload.FaultNaN, Step: faultAt}},
		Fast:      tier(p.Fast, c.trainerFast, true),
		Snapshots: tier(p.Full, c.trainerFull, true),
		Observe:   func(w workload.Progress) { slow.Store(w.Step == faultAt-1 || slow.Load()) },
		Still: func(over bool, weights leyline.Digest) {
			if over {
				seen.after = weights
			} else {
				seen.before = weights
			}
		},
	})
	if err = errors.Join(ctx.Err(), pl.Shutdown(ctx)); err == nil {
		seen.level, _, err = o.Signal.Get() // the plane does not end before its last level is published
	}
	return seen, err
}

// judge holds the log and what was seen against what must be so.
func (c deadlineCase) judge(ctx context.Context, p *Place, seen told, r *Result) error {
	l, err := read(p.Source)
	if err != nil {
		return err
	}
	again, err := replay.Run(ctx, p.Source, replay.Options{Mode: replay.Redecide})
	if err != nil {
		return err
	}
	levels, err := sla.Of(ctx, p.Source, nil, 0, 0)
	if err != nil {
		return err
	}
	check := func(what string, holds bool, format string, args ...any) {
		r.check(c.name+": "+what, holds, format, args...)
	}
	w, f := c.want, l.finished
	check("the log is decided again bit for bit", again.Identical, "%d records", again.Records)
	check("the rollback ended in the expected tier", f.Tier == w.tier && l.left == w.left, "tier %s, fast tier given up in phase %s", f.Tier, l.left)
	check("the phase that ate the budget is recorded", f.Overran == w.overran, "phase %s", f.Overran)
	check("the service level is told from records", len(levels.Rollbacks) == 1 && levels.Met == (w.overran == leyline.PhaseUnspecified), "met: %v", levels.Met)
	r.metric(c.name+": fault to end of the rollback", float64(f.TotalNs)/1e6, leyline.UnitMs)
	if w.overran == leyline.PhaseUnspecified {
		check("training went on and ended", seen.err == nil, "%v", seen.err)
		check("the bytes restored are the bytes saved", f.Outcome == leyline.OutcomeOK && f.Digest == l.saved && f.WithinSLA, "%s, saved %s", f.Digest.Short(), l.saved.Short())
		return nil
	}
	c.judgeLate(l, seen, check)
	r.metric(c.name+": end of the rollback after its deadline", float64(f.TotalNs)/1e6-fullMs, leyline.UnitMs)
	return nil
}

func (c deadlineCase) judgeLate(l history, seen told, check func(string, bool, string, ...any)) {
	halted := (*workload.Halted)(nil)
	check("deadline_exceeded is recorded", l.finished.Outcome == leyline.OutcomeDeadline, "%s", l.finished.Outcome)
	check("the emergency level is L4", l.level == leyline.EmergencyHalt, "%s", l.level)
	check("the run is halted for it", l.halt == leyline.FaultRollbackDeadline, "%s", l.halt)
	check("the trainer is told to stop", errors.As(seen.err, &halted) && halted.Reason == leyline.FaultRollbackDeadline, "%v", seen.err)
	check("the emergency signal is set", seen.level == leyline.EmergencyHalt && l.published == leyline.EmergencyHalt, "%s, published %s", seen.level, l.published)
	check("late reports are recorded and refused", l.late >= c.want.late, "%d, at least %d must be", l.late, c.want.late)
	check("every parameter is bit for bit what it was", seen.before == seen.after && !seen.before.IsZero(), "%s before, %s after", seen.before.Short(), seen.after.Short())
}

// history is what the log says of the run's only rollback.
type history struct {
	finished  leyline.RollbackFinished
	left      leyline.RollbackPhase
	saved     leyline.Digest // of the snapshot that was to be restored
	level     leyline.EmergencyLevel
	published leyline.EmergencyLevel
	halt      leyline.FaultReason
	late      int // reports of the trainer that were refused
}

func read(src replay.Source) (history, error) {
	var h history
	saved := map[leyline.SnapshotID]leyline.Digest{}
	for e, err := range src.All(1) {
		if err != nil {
			return h, err
		}
		rec, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return h, err
		}
		for _, e := range rec.Events {
			h.add(rec.Input, e, saved)
		}
	}
	h.saved = saved[h.finished.Snapshot]
	return h, nil
}

func (h *history) add(in leyline.Input, e leyline.Event, saved map[leyline.SnapshotID]leyline.Digest) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		saved[x.Snapshot] = x.Digest
	case leyline.RollbackAdvanced:
		h.left = max(h.left, x.Left)
	case leyline.RollbackFinished:
		h.finished = x
	case leyline.EmergencyEscalated:
		h.level = x.To
	case leyline.EmergencyPublished:
		h.published = max(h.published, x.Level)
	case leyline.RunHalted:
		h.halt = x.Reason
	case leyline.DependencyViolated:
		if in.InputKind() == leyline.InputRollbackReported {
			h.late++
		}
	}
}
