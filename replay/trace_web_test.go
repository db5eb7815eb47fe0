package replay

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/decider"
)

// TestEveryRelation holds the web to one link for each way in which a record
// leads to another.
func TestEveryRelation(t *testing.T) {
	by := leyline.EffectID{Seq: 5}
	event := func(e leyline.Event) leyline.Record { return leyline.Record{Events: []leyline.Event{e}} }
	rb := leyline.RollbackAdvanced{Run: runID, Rollback: "rb-5"}
	step := leyline.TrainingAssessed{Run: runID, Suspect: 1}
	moved := leyline.SeedMoved{Run: runID, Seed: seedID, To: leyline.StageEmbargoed}
	for _, c := range []struct {
		want           relation
		earlier, later leyline.Record
	}{
		{proposal, event(leyline.CommandProposed{}), leyline.Record{Input: leyline.CommandReceived{Cause: by}}},
		{verdict, event(leyline.CommandVerified{Command: "c"}), event(leyline.CommandSettled{Command: "c"})},
		{verdict, event(leyline.CommandVerified{Command: "c"}), event(leyline.CommandExpired{Command: "c"})},
		{kernel, event(leyline.PrefetchRequested{}), event(leyline.PrefetchSettled{Request: by})},
		{question, event(leyline.PolicyAsked{}), leyline.Record{Input: leyline.PolicyAnswered{Request: by}}},
		{lookup, event(leyline.MetadataAsked{}), leyline.Record{Input: leyline.MetadataAnswered{Request: by}}},
		{lost, event(leyline.MetadataAsked{}), event(leyline.MetadataMissed{Request: by})},
		{worry, event(leyline.ConservativeEntered{Run: runID}), event(leyline.ConservativeRefreshed{Run: runID})},
		{giveup, event(leyline.PolicyAsked{}), event(leyline.PolicyMissed{Request: by})},
		{returning, event(leyline.SnapshotRegistered{Run: runID, Snapshot: "s"}), event(leyline.RollbackStarted{Run: runID, Snapshot: "s"})},
		{phase, event(leyline.RollbackStarted{Run: runID, Rollback: "rb-5"}), event(rb)},
		{phase, event(rb), event(leyline.RollbackFinished{Run: runID, Rollback: "rb-5"})},
		{recovery, event(leyline.RollbackFinished{Run: runID, Rollback: "rb-5"}), event(leyline.TrainingAssessed{Run: runID, FirstGood: "rb-5"})},
		{anomaly, event(step), event(leyline.TrainingAssessed{Run: runID, Suspect: 2})},
		{silence, event(step), event(leyline.TrainerStalled{Run: runID})},
		{hearing, event(leyline.TrainerStalled{Run: runID}), event(leyline.TrainerReturned{Run: runID})},
		{caution, event(leyline.ConservativeEntered{Run: runID}), event(leyline.ConservativeLeft{Run: runID})},
		{easing, event(leyline.EmergencyEscalated{Run: runID}), event(leyline.EmergencyCleared{Run: runID})},
		{signal, event(leyline.EmergencyEscalated{}), event(leyline.EmergencyPublished{Effect: by})},
		{again, event(leyline.EmergencyPublished{Run: runID, Retry: 9}), event(leyline.EmergencyDispatched{Run: runID, Attempt: 2})},
		{lapse, event(leyline.EpochFailed{Run: runID, Streak: 1}), event(leyline.EpochFailed{Run: runID, Streak: 2})},
		{rates, event(leyline.RateSet{Run: runID}), event(leyline.RateAcked{Run: runID, Order: by, Outcome: leyline.OutcomeFailed})},
		{rebuild, event(leyline.OptimizerRebuild{Run: runID}), event(leyline.OptimizerRebuild{Run: runID, Order: by, Stage: leyline.RebuildFailed})},
		{probe, event(leyline.SeedMoved{Run: runID, Seed: seedID}), event(leyline.ContributionMeasured{Run: runID, Seed: seedID})},
		{probe, event(leyline.ContributionMeasured{Run: runID, Seed: seedID}), event(leyline.ContributionMeasured{Run: runID, Seed: seedID})},
		{embargo, event(moved), event(leyline.SeedMoved{Run: runID, Seed: seedID, From: leyline.StageEmbargoed})},
		{interruption, event(leyline.CommandVerified{}), event(leyline.EffectRecovered{Effect: by})},
		{restart, event(leyline.PlaneBooted{}), event(leyline.RunResumed{})},
		{shortage, event(leyline.DiskLow{}), event(leyline.DependencyViolated{Refusal: leyline.Refusal{Kind: leyline.RefusalDiskLow}})},
		{space, event(leyline.DiskLow{}), event(leyline.DiskRecovered{})},
		{observation, event(leyline.FieldReportOpened{Run: runID, Report: "fr"}), event(leyline.FieldReportFiled{Run: runID, Report: leyline.FieldReport{Report: "fr"}})},
		{delivery, event(leyline.FieldReportFiled{Run: runID, Report: leyline.FieldReport{Report: "fr"}}), event(leyline.FieldReportDelivered{Run: runID, Report: "fr"})},
		{delivery, event(leyline.FieldReportDeferred{Run: runID, Report: "fr"}), event(leyline.FieldReportRetried{Run: runID, Report: "fr"})},
		{delivery, event(leyline.FieldReportRetried{Run: runID, Report: "fr"}), event(leyline.FieldReportDropped{Run: runID, Report: "fr"})},
	} {
		w := newWeb(nil)
		c.earlier.Seq, c.later.Seq = 5, 7
		w.add(c.earlier)
		w.add(event(leyline.ActionNone{})) // leads to nothing
		w.add(c.later)
		if got := w.refs[7]; len(got) != 1 || got[0].relation != c.want || got[0].id != by {
			t.Errorf("%q: %+v", c.want.back, got)
		}
	}
}

// TestRunsAndNamesAreKeptApart: a link needs the same run and the same name.
func TestRunsAndNamesAreKeptApart(t *testing.T) {
	for _, e := range []leyline.Event{
		leyline.TrainingAssessed{Run: "run-2", Suspect: 2}, leyline.TrainingAssessed{Run: runID, Suspect: 1}, leyline.TrainerReturned{Run: runID},
		leyline.ContributionMeasured{Run: runID, Seed: "seed-b"}, leyline.SeedMoved{Run: runID, Seed: seedID, From: leyline.StageCulled},
		leyline.RollbackFinished{Run: runID, Rollback: "rb-6"}, leyline.CommandSettled{Command: "other"},
		leyline.DependencyViolated{Refusal: leyline.Refusal{Kind: leyline.RefusalRunExists}},
		leyline.RateAcked{Run: runID, Order: leyline.EffectID{Seq: 5}, Outcome: leyline.OutcomeOK}, leyline.EpochFailed{Run: runID, Streak: 1},
		leyline.OptimizerRebuild{Run: runID, Order: leyline.EffectID{Seq: 5}, Stage: leyline.RebuildDone}, leyline.EmergencyDispatched{Run: runID, Attempt: 1},
	} {
		w := newWeb(nil)
		w.add(leyline.Record{Seq: 5, Events: []leyline.Event{
			leyline.TrainingAssessed{Run: runID, Suspect: 1}, leyline.SeedMoved{Run: runID, Seed: seedID},
			leyline.RollbackStarted{Run: runID, Rollback: "rb-5"}, leyline.CommandVerified{Command: "c"},
			leyline.DiskLow{},
		}})
		w.add(leyline.Record{Seq: 7, Events: []leyline.Event{e}})
		if got := w.refs[7]; len(got) != 0 {
			t.Errorf("%s is said to follow: %+v", e.EventKind(), got)
		}
	}
}

// TestCraftedCausesLeadBackOnly: a record that claims to be its own cause, or to
// come from the future, has none.
func TestCraftedCausesLeadBackOnly(t *testing.T) {
	for _, seq := range []leyline.Seq{0, 7, 8} {
		w := newWeb(nil)
		w.add(leyline.Record{Seq: 7, Input: leyline.CommandReceived{Cause: leyline.EffectID{Seq: seq, Index: 1}}})
		if got := w.refs[7]; len(got) != 0 {
			t.Errorf("cause %d of record 7 is taken: %+v", seq, got)
		}
	}
	r := leyline.Record{Seq: 7, Input: leyline.StepObserved{Run: runID, Step: 3}, Events: []leyline.Event{leyline.ActionNone{}}}
	if got := tell(r, 9); got != "step.observed of run run-1, step 3" {
		t.Errorf("an event that is not there is told as %q", got)
	}
}

// TestEffectsAreLookedForWithinTheHorizon follows a history with as many records
// as that, copies of one, and one more.
func TestEffectsAreLookedForWithinTheHorizon(t *testing.T) {
	h := begin(t, decider.Version)
	h.steps(3)
	seq := h.seq
	h.timer()
	src := h.entries()
	stalled := src[len(src)-1]
	filler := src[2] // a key: it leads to nothing
	for _, c := range []struct {
		behind  int // records before the one that follows
		effects int
	}{{Horizon - 1, 1}, {Horizon, 0}} {
		long := append(Entries{}, src[:len(src)-1]...)
		for i := range c.behind {
			e := filler
			e.Seq = seq + 1 + leyline.Seq(i)
			long = append(long, e)
		}
		e := stalled
		e.Seq = seq + 1 + leyline.Seq(c.behind)
		long = append(long, e)
		x, err := TraceRecord(t.Context(), long, nil, seq)
		must(t, err)
		if len(x.Effects) != c.effects || x.Looked != seq+Horizon {
			t.Errorf("%d records before it: %d effects, looked as far as %d, want %d and %d", c.behind, len(x.Effects), x.Looked, c.effects, seq+Horizon)
		}
	}
}

// TestSituationIsThatOfOneRun: commands of another run are not pending in this.
func TestSituationIsThatOfOneRun(t *testing.T) {
	h := begin(t, decider.Version)
	h.command("by-hand", leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: seedID, Blueprint: "bp-1", Mesh: []string{"trunk"}})
	s := clone(h.state)
	other := s.Kasmina.Pending[0]
	other.Run, other.Command = "run-2", "other"
	s.Kasmina.Pending = append(s.Kasmina.Pending, other)
	if x := situation(s, runID); len(x.Pending) != 1 || x.Pending[0].Command != "by-hand" {
		t.Errorf("pending: %+v", x.Pending)
	}
	if x := situation(s, "run-2"); x != nil {
		t.Errorf("a run that was never opened: %+v", x)
	}
}

// TestEveryInputIsTold fails when a kind of input that is not told by its events
// has no figures, and when text of strangers reaches the terminal.
func TestEveryInputIsTold(t *testing.T) {
	byEvents := "config.applied key.added key.revoked blueprint.registered"
	for i, in := range everyInput() {
		if k := leyline.InputUnspecified.Members()[i]; in.InputKind() != k {
			t.Fatalf("input %d is %s, want %s", i, in.InputKind(), k)
		}
		got := figures(leyline.Record{Input: in})
		if told := len(got) > 0; told == strings.Contains(byEvents, in.InputKind().String()) {
			t.Errorf("%s has figures %v", in.InputKind(), got)
		}
		for _, f := range got {
			if strings.Contains(f.Value, "%!") {
				t.Errorf("%s: %s is %q", in.InputKind(), f.Name, f.Value)
			}
		}
	}
	if n := len(leyline.InputUnspecified.Members()); len(everyInput()) != n {
		t.Errorf("%d of %d kinds of input are tried", len(everyInput()), n)
	}
	x := Trace{Figures: []Figure{{"sender", "a\x1b[2Jb"}}, Before: &Situation{Run: "r\x1b"}}
	if strings.Contains(x.String(), "\x1b") {
		t.Errorf("the text moves the cursor: %q", x.String())
	}
}

// everyInput lists one input of every kind, in the order of kinds.
func everyInput() []leyline.Input {
	return []leyline.Input{
		leyline.PlaneStarted{}, leyline.ConfigApplied{}, leyline.KeyAdded{}, leyline.BlueprintRegistered{}, leyline.RunOpened{},
		leyline.RunClosed{Reason: "done"}, leyline.StepObserved{Seeds: []leyline.SeedObserved{{Seed: seedID}}}, leyline.EpochObserved{},
		leyline.CommandReceived{}, leyline.CommandAcked{}, leyline.KernelReady{}, leyline.KernelFailed{}, leyline.SnapshotTaken{},
		leyline.RollbackReported{}, leyline.TimerFired{}, leyline.EmergencyDelivered{}, leyline.EmergencyUndelivered{},
		leyline.SeedProbed{}, leyline.PolicyAnswered{}, leyline.PolicyFailed{}, leyline.DiskMeasured{}, leyline.CompileFallback{},
		leyline.ProfileReported{}, leyline.SnapshotLost{}, leyline.KeyRevoked{}, leyline.PeerRejected{}, leyline.ClockStepped{},
		leyline.TeacherRegistered{}, leyline.TeacherDeregistered{},
		leyline.BlueprintWithdrawn{Reason: "r"}, leyline.PlaneStopping{Boot: "b"}, leyline.CacheCleared{},
		leyline.ReportDelivered{}, leyline.ReportFailed{},
		leyline.MetadataAnswered{}, leyline.MetadataFailed{Reason: "r"},
		leyline.PolicyImported{}, leyline.PolicyLoaded{},
	}
}
