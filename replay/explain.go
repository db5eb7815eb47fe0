package replay

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
)

// Explain says in words what was decided in a record: one line per event, in
// order. It is a pure function of the record.
func Explain(r leyline.Record) []string {
	lines := make([]string, len(r.Events))
	for i, e := range r.Events {
		lines[i] = eventWords(e)
	}
	return lines
}

// vocabulary holds the words for every kind of event, by subsystem.
var vocabulary = [...]func(leyline.Event) string{planeWords, runWords, loopWords, rollbackWords, policyWords, commandWords, seedWords, registryWords, kernelWords,
	reportWords, askWords, artifactWords, pipelineWords,
}

// eventWords says one event in words. The result fits on a line of a terminal
// whatever a log holds.
func eventWords(e leyline.Event) string {
	for _, words := range vocabulary {
		if s := words(e); s != "" {
			return printable(s)
		}
	}
	return printable(fmt.Sprintf("%+v", e))
}

// printable replaces what could move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// inWords says which input it was.
func inWords(in leyline.Input) string {
	s := in.InputKind().String()
	if run := leyline.RunOf(in); run != "" {
		s += fmt.Sprintf(" of run %s", run)
	}
	switch x := in.(type) {
	case leyline.StepObserved:
		s += fmt.Sprintf(", step %d", x.Step)
	case leyline.EpochObserved:
		s += fmt.Sprintf(", epoch %d", x.Epoch)
	case leyline.SnapshotTaken:
		s += fmt.Sprintf(", snapshot %s", x.Snapshot)
	case leyline.SnapshotLost:
		s += fmt.Sprintf(", %s of the %s tier", x.File, x.Tier)
	case leyline.RollbackReported:
		s += fmt.Sprintf(", %s of %s: %s", x.Phase, x.Rollback, x.Outcome)
	case leyline.CommandAcked:
		s += fmt.Sprintf(", command %s: %s", x.Command, x.Outcome)
	case leyline.TimerFired:
		s += fmt.Sprintf(", %s of %s", x.Timer, x.Subject)
	case leyline.SeedProbed:
		s += fmt.Sprintf(", step %d, seed %s at alpha %v", x.Step, x.Seed, x.Alpha)
	case leyline.PolicyAnswered:
		s += ", " + answerWords(x)
	case leyline.PolicyFailed:
		s += fmt.Sprintf(", question %s: %s", x.Request, x.Outcome)
	case leyline.MetadataAnswered:
		s += fmt.Sprintf(", lookup %s: a sheet of key %s", x.Request, x.Envelope.KeyID)
	case leyline.MetadataFailed:
		s += fmt.Sprintf(", lookup %s: %s", x.Request, x.Fault)
	case leyline.ProfileReported:
		s += fmt.Sprintf(", steps %d to %d: %s", x.First, x.Last, x.Outcome)
	case leyline.CompileFallback:
		s += fmt.Sprintf(", step %d, %s", x.Step, codeOf(x.Seed))
	case leyline.PeerRejected:
		s += fmt.Sprintf(", %s of %s", countWords(x.Counts), sender(x.Peer, x.PeerName, x.Others))
	case leyline.ClockStepped:
		s += fmt.Sprintf(", by %s", time.Duration(x.AmountNs))
	case leyline.TeacherRegistered:
		s += fmt.Sprintf(", teacher %s", x.Teacher.ID)
	case leyline.TeacherDeregistered:
		s += fmt.Sprintf(", teacher %s", x.Teacher)
	case leyline.PolicyLoaded:
		s += fmt.Sprintf(", request %s: %s", x.Request, when(x.Fault == leyline.PolicyFaultNone, "verified", x.Fault.String()))
	case leyline.DiskMeasured:
		s += fmt.Sprintf(", %s of %s are free", size(x.Free), size(x.Total))
	case leyline.ReportDelivered:
		s += fmt.Sprintf(", report %s", x.Report)
	case leyline.ReportFailed:
		s += fmt.Sprintf(", report %s: %s", x.Report, x.Outcome)
	}
	return printable(s)
}

// because appends a reason that may be empty.
func because(s, reason string) string {
	if reason == "" {
		return s
	}
	return s + ": " + fmt.Sprintf("%q", reason)
}

func when(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

func planeWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.DependencyViolated:
		return "the input was refused: " + x.Refusal.Error()
	case leyline.PlaneBooted:
		return fmt.Sprintf("process %d of log %s started with rules of version %d, after %s%s", x.Boots, x.Origin, x.Decider,
			when(x.Clean, "an orderly stop", "an unclean stop"),
			when(x.Previous != "", "; the log was restored from "+x.Previous, "")+when(x.Catalogue != "", "; safety sheets are looked up in "+x.Catalogue, ""))
	case leyline.EffectRecovered:
		return fmt.Sprintf("%s %s%s was under way at the stop: %s", x.Kind, x.Effect, when(x.Run == "", "", " of run "+string(x.Run)),
			when(x.Reissued, "issued again", "whether it happened is unknown"))
	case leyline.ConfigAdopted:
		return fmt.Sprintf("configuration %s is in force, signed by key %s", x.Digest.Short(), x.Key)
	case leyline.KeyEnrolled:
		return fmt.Sprintf("key %s of %q is enrolled, vouched for by %s", x.Key.ID, x.Key.Issuer, x.By)
	case leyline.KeyWithdrawn:
		return fmt.Sprintf("key %s of %q is revoked, vouched for by %s%s: %q", x.Key, x.Issuer, x.By, when(x.Next != "", ", and key "+string(x.Next)+" takes its place", ""), x.Reason)
	case leyline.ClockAlarmed:
		return fmt.Sprintf("the wall clock was set %s by %s, from %s to %s; plane time does not follow", when(x.AmountNs < 0, "back", "forward"),
			time.Duration(x.AmountNs).Abs(), x.Old, x.New)
	case leyline.BlueprintAdmitted:
		return fmt.Sprintf("blueprint %s is admitted with risk %v%s", x.Blueprint.Blueprint, x.Blueprint.Risk,
			when(x.Blueprint.Quarantine, ", in quarantine", ""))
	case leyline.DiskLow:
		return fmt.Sprintf("the disk is nearly full, %s of %s are free, under the limit of %s: new runs are refused", size(x.Free), size(x.Total), size(x.Threshold))
	case leyline.DiskRecovered:
		return fmt.Sprintf("%s, %s of %s are free: new runs are opened again",
			when(x.Threshold > 0, "the disk has room again", "the disk is not watched any more"), size(x.Free), size(x.Total))
	}
	return ""
}

// size renders bytes for people.
func size(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func runWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.RunStarted:
		return fmt.Sprintf("run %s starts in incarnation %d: %q for %d steps; seed slots %v, blueprints %v%s", x.Run, x.Incarnation,
			x.Plan.Workload, x.Plan.Steps, x.Plan.Seeds, x.Plan.Blueprints, besideWords(&x.Plan))
	case leyline.RunResumed:
		return fmt.Sprintf("run %s goes on in incarnation %d from step %d%s; it had reached step %d", x.Run, x.Incarnation, x.Step,
			when(x.Snapshot != "", " of snapshot "+string(x.Snapshot), ""), x.Lost)
	case leyline.RunEnded:
		return fmt.Sprintf("run %s ended at step %d: %s", x.Run, x.Step, x.Outcome)
	case leyline.RunHalted:
		return because(fmt.Sprintf("run %s is halted at step %d for %s", x.Run, x.Step, x.Reason), x.Detail)
	case leyline.GradientsCombined:
		return fmt.Sprintf("step %d: %d conflicts (ratio %v), combined by %s with weights %v", x.Step, x.Conflicts, x.Ratio, x.Method, x.Weights)
	case leyline.TrainingAssessed:
		return trainingWords(x)
	case leyline.EpochAssessed:
		return fmt.Sprintf("epoch %d at step %d: losses %v, accuracies %v; it took %s, its slowest answer %s", x.Epoch, x.Step, x.Losses, x.Accuracies,
			took(x.TookNs), took(x.HookNs))
	case leyline.ProfileRecorded:
		if x.Outcome == leyline.OutcomeOK {
			return fmt.Sprintf("the profile of steps %d to %d is in %s, %d bytes", x.First, x.Last, x.File, x.Bytes)
		}
		return because(fmt.Sprintf("the profile of steps %d to %d could not be written", x.First, x.Last), x.Reason)
	case leyline.TrainerStalled:
		return fmt.Sprintf("nothing was heard of the trainer for %s; its last step was %d", took(x.AgeNs), x.Step)
	case leyline.TrainerReturned:
		return fmt.Sprintf("the trainer reports again after %s; its last step was %d", took(x.AgeNs), x.Step)
	}
	return ""
}

func trainingWords(x leyline.TrainingAssessed) string {
	s := fmt.Sprintf("step %d is %s: loss %v%s, running mean %v", x.Step, x.Health, x.Loss, limitWords(x), x.LossEWMA.Mean)
	if len(x.Confirms) > 0 {
		s += fmt.Sprintf("; proves good %v", x.Confirms)
	}
	if x.FirstGood != "" {
		s += fmt.Sprintf("; first healthy step after %s", x.FirstGood)
	}
	return s
}

// limitWords says that a loss is anomalous. A healthy step with such a loss was
// judged in shadow mode.
func limitWords(x leyline.TrainingAssessed) string {
	if x.Suspect == 0 {
		return ""
	}
	return fmt.Sprintf(" is %s, %d in a row%s", Anomaly(x), x.Suspect,
		when(x.Health == leyline.HealthHealthy, " (only watched)", ""))
}

// Anomaly says in words what is anomalous in a step's loss; the step's Suspect is
// not 0.
func Anomaly(x leyline.TrainingAssessed) string {
	if x.Anomaly == leyline.FaultCollapsed {
		return fmt.Sprintf("back at that of guessing, %.4g", x.Chance)
	}
	return fmt.Sprintf("over its limit %.4g", x.Limit)
}

func policyWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.ConservativeEntered:
		return fmt.Sprintf("step %d: conservative mode is entered for %s by %s%s", x.Step, x.Reason, x.By, wayOut(x.By, x.Wanted, x.Until, x.UntilStep))
	case leyline.ConservativeLeft:
		return fmt.Sprintf("step %d: conservative mode is left by %s (%s) after %d healthy windows; it was last for %s, and lasted %s and %d steps", x.Step, x.By, x.Reason,
			x.Healthy, x.Previous, took(x.LastedNs), x.LastedSteps)
	case leyline.RiskAssessed:
		return fmt.Sprintf("step %d: %s; %s; %d healthy windows", x.Step, verdictWords(x), riskWords(x.Checks), x.Healthy)
	case leyline.ActionNone:
		return fmt.Sprintf("step %d: nothing is proposed for %s", x.Step, x.Reason)
	case leyline.CommandProposed:
		return because(fmt.Sprintf("step %d: %s is proposed", x.Step, commandWordsOf(x)), x.Why)
	case leyline.WindowEnded:
		return windowWords(x)
	case leyline.PolicyWeighed:
		return weighedWords(x)
	case leyline.PolicyAsked:
		return fmt.Sprintf("step %d: the policy is asked, to answer by %s", x.Step, x.Deadline)
	case leyline.PolicyMissed:
		return because(fmt.Sprintf("step %d: the policy did not answer question %s: %s after %s", x.Step, x.Request, x.Outcome,
			took(x.TookNs)), x.Reason)
	}
	return ""
}

// windowWords says what was measured of the step that ends a window.
func windowWords(x leyline.WindowEnded) string {
	s := fmt.Sprintf("step %d ends a window; the step before took %s, the learning rate is %s", x.Step, measured(x.Seen.StepNs), short(x.Seen.LearnRate))
	for _, r := range x.Seen.Metrics.Readings {
		s += fmt.Sprintf(", %s %s", r.Metric, short(r.Value))
	}
	return s
}

// answerWords says what the policy answered.
func answerWords(x leyline.PolicyAnswered) string {
	if x.Command.Operation == leyline.OpUnknown {
		return fmt.Sprintf("question %s: nothing for %s", x.Request, x.Reason)
	}
	return fmt.Sprintf("question %s: %s of seed %s", x.Request, x.Command.Operation, x.Command.Seed)
}

// verdictWords says what the policy wanted and what became of it.
func verdictWords(x leyline.RiskAssessed) string {
	what := "the policy has no proposal"
	if x.Kind != leyline.CommandUnknown {
		what = "proposed is " + proposedWords(x)
	}
	switch {
	case x.Allowed():
		return what
	case x.Effect == leyline.EffectSlow:
		return fmt.Sprintf("%s, which becomes a command for the optimizer for %s", what, x.Reason)
	case x.Effect == leyline.EffectHold:
		return fmt.Sprintf("%s, proposals are withheld for %s", what, x.Reason)
	}
	return fmt.Sprintf("%s, which becomes a pause for %s", what, x.Reason)
}

// riskWords lists what does not hold.
func riskWords(checks []leyline.RiskCheck) string {
	var bad []string
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, fmt.Sprintf("%s is %v against %v (%s)", c.Reason, c.Value, c.Limit, c.Mode))
		}
	}
	if len(bad) == 0 {
		return fmt.Sprintf("%d checks hold", len(checks))
	}
	return strings.Join(bad, ", ")
}

// checkWords lists what exceeded its limit.
func checkWords(checks []leyline.Check) string {
	var bad []string
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, fmt.Sprintf("%s is %v against %v (%s)", c.Name, c.Value, c.Limit, c.Mode))
		}
	}
	if len(bad) == 0 {
		return fmt.Sprintf("%d checks hold", len(checks))
	}
	return strings.Join(bad, ", ")
}
