package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// observe follows what happens to the runs that have open windows.
func (r *Reports) observe(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.EpochAssessed:
		if run := r.Run(x.Run); run != nil {
			for i := range run.Open {
				w := &run.Open[i]
				w.Epochs, w.HookNs = append(w.Epochs, m.Seq), max(w.HookNs, x.HookNs)
			}
		}
	case leyline.FieldReportMeasured:
		run := r.Run(x.Run)
		run.Steps, run.FinalizeMs = x.Steps, x.FinalizeMs
	case leyline.SnapshotRegistered:
		if run := r.Run(x.Run); run != nil && !x.Further {
			run.Marks = append(run.Marks, ReportMark{x.Snapshot, m.Seq})
		}
	case leyline.SnapshotEvicted:
		if run := r.Run(x.Run); run != nil && x.Gone {
			run.Marks = slices.DeleteFunc(run.Marks, func(k ReportMark) bool { return k.Snapshot == x.Snapshot })
		}
	case leyline.RunResumed:
		r.rewind(x.Run, x.Snapshot)
	case leyline.RollbackFinished:
		if x.Outcome == leyline.OutcomeOK {
			r.rewind(x.Run, x.Snapshot)
		}
	default:
		r.follow(m, e)
	}
}

// rewind forgets the epochs that a return to a snapshot has undone. Windows that
// it has undone as a whole are closed by an event.
func (r *Reports) rewind(id leyline.RunID, to leyline.SnapshotID) {
	run := r.Run(id)
	if run == nil {
		return
	}
	mark := run.Mark(to)
	for i := range run.Open {
		w := &run.Open[i]
		w.Epochs = slices.DeleteFunc(w.Epochs, func(s leyline.Seq) bool { return s > mark })
	}
}

// follow notes in the open windows of a run what was done about it. What concerns
// one seed is noted for that seed, and for the whole run.
func (r *Reports) follow(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		r.note(x.Run, "", leyline.Mitigation{Kind: e.EventKind(), Record: m.Seq, Why: x.Cause.String()}, true)
	case leyline.EmergencyEscalated:
		r.note(x.Run, "", leyline.Mitigation{Kind: e.EventKind(), Record: m.Seq, Why: x.Reason.String()}, x.To >= leyline.EmergencyConservative)
	case leyline.IsolationAssessed:
		if x.Violated && x.News {
			r.note(x.Run, x.Seed, leyline.Mitigation{Kind: e.EventKind(), Record: m.Seq, Why: leyline.RiskIsolation.String()}, true)
		}
	case leyline.SeedPaused:
		r.note(x.Run, x.Seed, leyline.Mitigation{Kind: e.EventKind(), Record: m.Seq, Why: x.Cause}, false)
	case leyline.SeedMoved:
		if x.To == leyline.StageCulled {
			r.note(x.Run, x.Seed, leyline.Mitigation{Kind: e.EventKind(), Record: m.Seq, Why: x.Cause}, false)
		}
	}
}

func (r *Reports) note(id leyline.RunID, seed leyline.SeedID, follow leyline.Mitigation, critical bool) {
	run := r.Run(id)
	if run == nil {
		return
	}
	for i := range run.Open {
		w := &run.Open[i]
		if seed != "" && w.Opened.Seed != "" && w.Opened.Seed != seed {
			continue
		}
		w.Critical = w.Critical || critical
		if len(w.FollowUps) == leyline.MaxMitigations {
			w.More++
			continue
		}
		w.FollowUps = append(w.FollowUps, follow)
	}
}
