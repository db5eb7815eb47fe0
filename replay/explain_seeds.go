package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// short renders a figure for people. What must be told apart to the last bit is
// rendered in full.
func short(x float64) string { return fmt.Sprintf("%.4g", x) }

func took(ns uint64) string { return fmt.Sprintf("%v", time.Duration(ns)) }

func rollbackWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		return fmt.Sprintf("snapshot %s of step %d is registered in the %s tier%s: %d bytes, %s", x.Snapshot, x.Step, x.Tier,
			when(x.Further, " too", ""), x.Bytes, x.Digest.Short())
	case leyline.SnapshotRefused:
		return because(fmt.Sprintf("snapshot %s of step %d is refused in the %s tier", x.Snapshot, x.Step, x.Tier), x.Reason)
	case leyline.SnapshotEvicted:
		return evictedWords(x)
	case leyline.RollbackStarted:
		return startWords(x)
	case leyline.RollbackAdvanced:
		if x.Left != leyline.PhaseUnspecified {
			return fmt.Sprintf("rollback %s gives up the fast tier in %s for %s and enters %s from the full one", x.Rollback, x.Left, x.Reason, x.Phase)
		}
		return fmt.Sprintf("rollback %s enters %s; the phase before took %s", x.Rollback, x.Phase, took(x.TookNs))
	case leyline.RollbackFinished:
		return fmt.Sprintf("rollback %s ends %s%s after %s, %s the service level of the %s tier%s; incarnation %d, step %d", x.Rollback, x.Outcome,
			when(x.Reason != leyline.FaultNone, " for "+x.Reason.String(), ""), took(x.TotalNs), when(x.WithinSLA, "within", "not within"),
			x.Tier, when(x.Overran != leyline.PhaseUnspecified, ", overrun in "+x.Overran.String(), ""), x.Incarnation, x.Step)
	case leyline.EmergencyEscalated:
		return fmt.Sprintf("emergency level rises from %s to %s for %s", x.From, x.To, x.Reason)
	case leyline.EmergencyCleared:
		return fmt.Sprintf("emergency level falls from %s to %s for %s", x.From, x.To, x.Reason)
	case leyline.EmergencyPublished:
		return because(fmt.Sprintf("publishing emergency level %s ended %s in %s%s", x.Level, x.Outcome, took(x.TookNs),
			when(x.Retry != 0, fmt.Sprintf(", to be tried again from %s", x.Retry), "")), x.Reason)
	case leyline.EmergencyDispatched:
		return fmt.Sprintf("emergency level %s is published for %s, within %s (attempt %d)", x.Level, x.Reason, took(x.WithinNs), x.Attempt)
	case leyline.EmergencyHeld:
		return fmt.Sprintf("emergency level %s waits to be published until %s", x.Level, x.Until)
	}
	return ""
}

// evictedWords says what was given up and why.
func evictedWords(x leyline.SnapshotEvicted) string {
	if x.Why == leyline.EvictOrphaned {
		return because(fmt.Sprintf("file %s of the %s tier is deleted", x.File, x.Tier), x.Detail)
	}
	return because(fmt.Sprintf("the copy of snapshot %s in the %s tier is given up (%s)%s", x.Snapshot, x.Tier, x.Why,
		when(x.Gone, ", its last", "")), x.Detail)
}

// startWords says how a rollback begins. A fault that took more than one step to
// decide was seen before it was acted upon.
func startWords(x leyline.RollbackStarted) string {
	s := fmt.Sprintf("rollback %s starts: step %d showed %s, back to step %d of snapshot %s (%s)", x.Rollback, x.FaultStep,
		x.Cause, x.ToStep, x.Snapshot, x.Tier)
	if x.Seen != 0 && x.Seen < x.Since {
		s += fmt.Sprintf(", %s after it was seen", x.Since.Sub(x.Seen))
	}
	if x.Deadline == 0 {
		return s + ", without a deadline"
	}
	return s + fmt.Sprintf(", by %s", x.Deadline)
}

func commandWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.CommandVerified:
		what, why := acceptedWords(x)
		return because(fmt.Sprintf("command %s of %q is accepted: %s%s", x.Command, x.Issuer, what,
			when(leyline.ByPlane(x.Kind), "", fmt.Sprintf(", to be answered by %s", x.Deadline))), why)
	case leyline.CommandRejected:
		return because(fmt.Sprintf("command %q of %q is rejected for %s", x.Command, x.Issuer, x.Reason), x.Detail)
	case leyline.CommandsRefused:
		return fmt.Sprintf("the door has refused %s of %s", countWords(x.Counts), sender(x.Peer, x.PeerName, x.Others))
	case leyline.CommandSettled:
		return because(fmt.Sprintf("command %s was answered %s in %s", x.Command, x.Outcome, took(x.TookNs)), x.Reason)
	case leyline.CommandExpired:
		return fmt.Sprintf("command %s is closed without an answer: %s", x.Command, x.Outcome)
	}
	return ""
}

func seedWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.GateEvaluated:
		return gateWords(x)
	case leyline.SeedMoved:
		return moveWords(x)
	case leyline.SeedPaused:
		return fmt.Sprintf("seed %s is paused at step %d by %q: it takes no part and stays as it is", x.Seed, x.Step, x.Cause)
	case leyline.SeedResumed:
		return fmt.Sprintf("seed %s goes on at step %d by %q, of blueprint %s", x.Seed, x.Step, x.Cause, x.Blueprint)
	case leyline.RatesScaled:
		return fmt.Sprintf("learning rates are multiplied by %v from the next step on, by %q", x.Factor, x.Cause)
	case leyline.BlendConfigured:
		return fmt.Sprintf("seed %s will blend %s in %d steps at temperature %v%s; the running loss before it is %v", x.Seed, x.Plan.Mode,
			x.Plan.TotalSteps, x.Plan.Temperature, planWords(x.Plan), x.Loss)
	case leyline.BlendStepped:
		return fmt.Sprintf("alpha of seed %s is %v at step %d of %d%s", x.Seed, x.Alpha, x.AlphaStep, x.TotalSteps, when(x.Complete, ", the last", ""))
	case leyline.IsolationAssessed:
		return isolationWords(x)
	case leyline.SeedFailed:
		return because(fmt.Sprintf("seed %s had no part in step %d: its %s failed", x.Seed, x.Step, x.Failure), x.Reason)
	case leyline.ContributionMeasured:
		return fmt.Sprintf("seed %s at step %d: this probe adds %s to accuracy and takes %s off the loss, the mean over %d is %s and %s; next from step %d",
			x.Seed, x.Step, short(x.Accuracy), short(x.Loss), x.Probes, short(x.MeanAccuracy), short(x.MeanLoss), x.Next)
	case leyline.CompileFellBack:
		return because(fmt.Sprintf("%s was given up for eager execution at step %d (%s), fallback %d of it", codeOf(x.Seed), x.Step, x.Stage, x.Count), x.Reason)
	case leyline.BreakerMoved:
		return breakerWords(x)
	}
	return ""
}

// acceptedWords says what an accepted command asks for, and why, as it says.
func acceptedWords(x leyline.CommandVerified) (what, why string) {
	switch x.Kind {
	case leyline.CommandEmergency:
		return fmt.Sprintf("%s the emergency level to %s", x.Emergency.Action, x.Emergency.Level), x.Emergency.Reason
	case leyline.CommandPause:
		return fmt.Sprintf("%s %s", x.Pause.Action, when(x.Pause.Scope == leyline.PauseRun, "every seed of the run", "seed "+string(x.Pause.Seed))), x.Pause.Reason
	case leyline.CommandOptimizer:
		return when(x.Optimizer.Action == leyline.OptimizerScale, fmt.Sprintf("multiply the learning rates by %v", x.Optimizer.Factor), "make the optimizer anew"), x.Optimizer.Reason
	case leyline.CommandCircuitBreaker:
		return fmt.Sprintf("force breaker %s to %s", x.Breaker.Breaker, x.Breaker.State), x.Breaker.Reason
	case leyline.CommandRollback:
		return "go back to " + when(x.Rollback.Snapshot != "", "snapshot "+string(x.Rollback.Snapshot), fmt.Sprintf("step %d", x.Rollback.Step)), x.Rollback.Reason
	case leyline.CommandRegistry:
		return "it is about the registry of parameters", ""
	case leyline.CommandConservative:
		return "be conservative: " + x.Conservative.Mode.String(), x.Conservative.Reason
	case leyline.CommandPolicy:
		return orderWords(x.Policy), x.Policy.Reason
	}
	return fmt.Sprintf("%s of seed %s", x.Seed.Operation, x.Seed.Seed), ""
}

func gateWords(x leyline.GateEvaluated) string {
	s := fmt.Sprintf("gate %s %s seed %s; %s", x.Gate, when(x.Passed, "lets pass", "stops"), x.Seed, checkWords(x.Checks))
	if len(x.Mesh.Missing) > 0 {
		s += fmt.Sprintf("; of the layers %v the host lacks %v, it has %v", x.Mesh.Required, x.Mesh.Missing, x.Mesh.Available)
	}
	return because(s, x.Reason)
}

// qualityWords says what is known of a seed's worth, as far as it was measured.
func qualityWords(q leyline.Quality) string {
	s := ""
	if q.FirstLoss > 0 {
		s = fmt.Sprintf("; its own loss was %s at first and is %s", short(q.FirstLoss), short(q.Loss))
	}
	if q.RatioSteps > 0 {
		s += fmt.Sprintf("; its gradient ratio is %s", short(q.Ratio))
	}
	return s
}

// codeOf names compiled code by whose it is.
func codeOf(seed leyline.SeedID) string {
	if seed == "" {
		return "compiled code of the host"
	}
	return fmt.Sprintf("compiled code of seed %s", seed)
}

func breakerWords(x leyline.BreakerMoved) string {
	s := fmt.Sprintf("breaker %s is %s", x.Breaker, x.To)
	if x.From != x.To {
		s = fmt.Sprintf("breaker %s moves from %s to %s", x.Breaker, x.From, x.To)
	}
	s += fmt.Sprintf(" with %d failures in a row", x.Failures)
	switch {
	case x.UntilStep != 0:
		s += fmt.Sprintf(", until %d healthy steps", x.UntilStep)
	case x.Until != 0:
		s += fmt.Sprintf(", until %s", x.Until)
	}
	if x.To == leyline.BreakerHalfOpen && x.Successes > 0 {
		s += fmt.Sprintf(" and %d successes", x.Successes)
	}
	if x.Action == leyline.BreakerDenied || x.Action == leyline.BreakerForced {
		s += ", " + x.Action.String()
	}
	return s + fmt.Sprintf(", by %s", x.Reason)
}

func moveWords(x leyline.SeedMoved) string {
	s := fmt.Sprintf("seed %s moves from %s to %s at step %d by %q", x.Seed, x.From, x.To, x.Step, x.Cause)
	switch {
	case x.UntilStep != 0:
		s += fmt.Sprintf(", closed until step %d", x.UntilStep)
	case x.Until != 0:
		s += fmt.Sprintf(", closed until %s", x.Until)
	}
	if x.ProbeFrom != 0 {
		s += fmt.Sprintf(", to be probed from step %d", x.ProbeFrom)
	}
	return s
}

// planWords says what a plan holds beside its schedule.
func planWords(p leyline.BlendPlan) string {
	switch p.Mode {
	case leyline.BlendChannel:
		return fmt.Sprintf(", by the shares of %d channels", len(p.Channels))
	case leyline.BlendConfidence:
		return fmt.Sprintf(", by the confidence of the %s (k %v, tau %v) between %v and %v", p.Source, p.Gate.K, p.Gate.Tau, p.Gate.Lo, p.Gate.Hi)
	}
	return ""
}

// isolationWords says what a step showed of a seed, and how it fares.
func isolationWords(x leyline.IsolationAssessed) string {
	s := fmt.Sprintf("seed %s: gradient %v, cosine %v%s, leak %v after %d steps; %s", x.Seed, x.GradNorm, x.Cosine,
		when(x.Coupled, " (over the limit)", ""), x.Leak, x.Steps, x.Health)
	if x.Violated {
		s += fmt.Sprintf(", isolation violated: %d times by this seed, %d in the run", x.Violations, x.RunViolations)
	}
	s += qualityWords(x.Quality)
	if x.Reported != leyline.StageUnknown {
		s += fmt.Sprintf("; the trainer holds it for %s", x.Reported)
	}
	return s
}

// sender names a peer, or says that it is many.
func sender(kind leyline.PeerKind, name string, others bool) string {
	return when(others, "all other peers", fmt.Sprintf("%s %q", kind, name))
}

// countWords lists refused commands by reason.
func countWords(counts []leyline.RejectCount) string {
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprintf("%d %s", c.N, c.Reason)
	}
	return strings.Join(words, ", ")
}
