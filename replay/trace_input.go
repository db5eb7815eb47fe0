package replay

import (
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// figures lists the key figures of a record's input, in a fixed order for each
// kind. A kind whose words or events say everything has none.
func figures(r leyline.Record) []Figure {
	for _, of := range []func(leyline.Record) []Figure{planeFigures, trainerFigures, workFigures, reportFigures, artifactFigures} {
		if f := of(r); f != nil {
			return f
		}
	}
	return nil
}

func fig(name, format string, args ...any) Figure { return Figure{name, fmt.Sprintf(format, args...)} }

// problem appends a reason when there is one.
func problem(f []Figure, reason string) []Figure {
	if reason == "" {
		return f
	}
	return append(f, fig("reason", "%s", reason))
}

func planeFigures(r leyline.Record) []Figure {
	switch x := r.Input.(type) {
	case leyline.PlaneStarted:
		return []Figure{
			fig("process", "%s, esper %s, rules of version %d", x.Boot, x.Build.Version, x.Decider),
			fig("before it", "%s, %d bytes cut off", when(x.Clean, "an orderly stop", "an unclean stop"), x.TornBytes),
		}
	case leyline.RunOpened:
		return []Figure{
			fig("plan", "%s on %s, %d steps, seed %d%s", x.Workload, x.Framework, x.Steps, x.Seed, when(x.Lockstep, ", lockstep", "")),
			fig("posture", "%s %s on %s, compile %s", x.Framework, x.Posture.Version, x.Posture.Device, x.Posture.Compile),
			fig("tasks", "%v", x.Tasks),
			fig("drills", "%d", len(x.Drills)),
			fig("parameters", "%s", parametersTold(x.HostParameters)),
		}
	case leyline.RunClosed:
		return problem([]Figure{fig("end", "step %d: %s", x.Step, x.Outcome)}, x.Reason)
	case leyline.CommandReceived:
		return commandFigures(x, r.At)
	case leyline.TimerFired:
		return []Figure{fig("due", "%s, %s before it fired", x.Due, r.At.Sub(x.Due))}
	case leyline.CompileFallback:
		return problem([]Figure{fig("fallback", "%s, %s", codeOf(x.Seed), x.Stage)}, x.Reason)
	case leyline.PeerRejected:
		return []Figure{
			fig("sender", "%s", sender(x.Peer, x.PeerName, x.Others)),
			fig("refused", "%s in %s", countWords(x.Counts), time.Duration(x.SpanNs)),
			fig("payloads", "from %s to %s", x.First.Short(), x.Last.Short()),
		}
	case leyline.ClockStepped:
		return []Figure{fig("wall clock", "expected at %s, found at %s", x.Old, x.New)}
	case leyline.BlueprintWithdrawn:
		return problem([]Figure{fig("blueprint", "%s", x.Blueprint)}, x.Reason)
	case leyline.PlaneStopping:
		return []Figure{fig("process", "%s stops", x.Boot)}
	case leyline.CacheCleared:
		return []Figure{fig("freed", "%d kernels, %d bytes; %d stay", x.Kernels, x.Bytes, x.Kept), fig("took", "%s", took(x.TookNs))}
	case leyline.DiskMeasured:
		return []Figure{fig("disk", "%d of %d bytes are free", x.Free, x.Total)}
	}
	return nil
}

// commandFigures says who commands what. Unless the record accepts it, that is
// only what the sender claims.
func commandFigures(x leyline.CommandReceived, at leyline.Instant) []Figure {
	f := []Figure{fig("sender", "%s %s, key %s", x.Peer, x.PeerName, x.Envelope.KeyID)}
	c, err := wire.DecodeCommand(x.Envelope.Payload)
	if err != nil {
		return append(f, fig("command", "cannot be read: %v", err))
	}
	if c.Emergency.Action == leyline.EmergencyCleanup {
		f = append(f, fig("emergency", "clean up"))
	} else if c.Kind == leyline.CommandEmergency {
		f = append(f, fig("level", "%s to %s", c.Emergency.Action, c.Emergency.Level))
	}
	if c.Kind == leyline.CommandConservative {
		f = append(f, fig("conservative", "%s", c.Conservative.Mode))
	}
	if c.Kind == leyline.CommandRegistry {
		f = append(f, fig("registry", "%s%s", c.Registry.Action, when(c.Registry.Teacher.ID != "", " "+string(c.Registry.Teacher.ID), "")))
	}
	if c.Kind == leyline.CommandPolicy {
		f = append(f, fig("policy", "%s", orderWords(c.Policy)))
	}
	return append(f,
		fig("command", "%s of %q: %s %s of seed %s", c.ID, c.Issuer, c.Kind, c.Seed.Operation, c.Seed.Seed),
		fig("age", "%s, sequence %d", at.Sub(c.IssuedAt), c.Sequence))
}

func trainerFigures(r leyline.Record) []Figure {
	switch x := r.Input.(type) {
	case leyline.StepObserved:
		return stepFigures(x)
	case leyline.EpochObserved:
		return []Figure{
			fig("losses", "%s", list(x.Losses)), fig("accuracies", "%s over %d samples", list(x.Accuracies), x.Samples),
			fig("times", "the epoch %s, the last answer %s", measured(x.TookNs), measured(x.HookNs)),
		}
	case leyline.SeedProbed:
		return []Figure{
			fig("with it", "losses %s, accuracies %s", list(x.Losses), list(x.Accuracies)),
			fig("without", "losses %s, accuracies %s", list(x.LossesAt0), list(x.AccuracyAt0)),
			fig("measured", "over %d samples in %s", x.Samples, took(x.TookNs)),
		}
	case leyline.ProfileReported:
		return problem([]Figure{fig("trace", "%q, %d bytes, written in %s", x.File, x.Bytes, took(x.TookNs))}, x.Reason)
	case leyline.SnapshotTaken:
		return problem([]Figure{
			fig("snapshot", "step %d, %s, %d bytes, written in %s", x.Step, x.Tier, x.Bytes, took(x.WriteNs)),
			fig("digest", "%s reported, %s measured in %s", x.Digest.Short(), x.Measured.Short(), took(x.VerifyNs)),
		}, x.Problem)
	case leyline.SnapshotLost:
		return problem([]Figure{fig("copy", "%s in the %s tier, %d bytes found", x.File, x.Tier, x.Bytes)}, x.Problem)
	}
	return nil
}

func stepFigures(x leyline.StepObserved) []Figure {
	f := []Figure{
		fig("losses", "%s over %d samples", list(x.Losses), x.Samples),
		fig("times", "forward and backward %s, the step before %s", measured(x.ForwardNs), measured(x.PreviousNs)),
	}
	if s := &x.Solution; s.Method != leyline.AggregationUnspecified {
		f = append(f, fig("solution", "%s", solutionWords(s)))
	}
	for _, s := range x.Seeds {
		f = append(f, fig(string(s.Seed), "alpha %s, gradient %s against %s of the host, leak %s%s", short(s.Alpha), short(s.GradNorm),
			short(s.HostNorm), short(s.Leak), blendFigures(s)))
	}
	for _, a := range x.Acks {
		f = append(f, fig("order "+a.Order.String(), "%s, %s in %s", a.Kind, a.Outcome, took(a.TookNs)))
	}
	return f
}

// blendFigures says what was measured of a seed's part in the output, or why it had
// none.
func blendFigures(s leyline.SeedObserved) string {
	b := &s.Blend
	switch {
	case s.Failure != leyline.SeedFailureNone:
		return fmt.Sprintf("; its %s failed: %q", s.Failure, s.Why)
	case b.Mode == leyline.BlendUnspecified:
		return ""
	case b.Mode == leyline.BlendConfidence:
		return fmt.Sprintf("; %s by the %s: share %s in the mean, %s at the 95th percentile, gate %s, %s of the samples at a bound", b.Mode, b.Source,
			short(b.Mean), short(b.P95), short(b.GateMean), short(b.Clamped))
	}
	return fmt.Sprintf("; %s: share %s in the mean, %s at the 95th percentile", b.Mode, short(b.Mean), short(b.P95))
}

// solutionWords says what the plane's solver brought to a step.
func solutionWords(s *leyline.Solution) string {
	if s.Problem != "" {
		return fmt.Sprintf("none by %s: %q", s.Method, s.Problem)
	}
	return fmt.Sprintf("by %s (option %s) after %d iterations, %d numbers of evidence", s.Method, short(s.Option), s.Iterations, len(s.Evidence))
}

// measured renders a duration that the trainer may not have measured.
func measured(ns uint64) string {
	if ns == 0 {
		return "not measured"
	}
	return took(ns)
}

// workFigures are those of answers: what was asked for is done, or is not.
func workFigures(r leyline.Record) []Figure {
	switch x := r.Input.(type) {
	case leyline.CommandAcked:
		return problem([]Figure{fig("took", "%s", took(x.TookNs)), fig("parameters", "%s", parametersTold(x.Parameters))}, x.Reason)
	case leyline.TeacherRegistered:
		return []Figure{
			fig("sender", "%s %s", x.Peer, x.PeerName), fig("parameters", "%s", parametersTold(x.Teacher.Parameters)),
			fig("weights", "%s, %s", size(x.Teacher.Bytes), x.Teacher.Digest.Short()),
		}
	case leyline.TeacherDeregistered:
		return []Figure{fig("sender", "%s %s", x.Peer, x.PeerName)}
	case leyline.KernelReady:
		return []Figure{
			fig("kernel", "for seed %s: %d bytes, %s, from the %s", x.Seed, x.Bytes, x.Digest.Short(), x.Origin), fig("took", "%s", took(x.TookNs)),
			fig("prewarm", "%s at the median of %d, %s at 95 %%", took(x.Prewarm.P50Ns), x.Prewarm.Samples, took(x.Prewarm.P95Ns)),
		}
	case leyline.KernelFailed:
		return problem([]Figure{fig("kernel", "for seed %s: %s", x.Seed, x.Outcome), fig("took", "%s", took(x.TookNs))}, x.Reason)
	case leyline.RollbackReported:
		return problem([]Figure{fig("digest", "%s", x.Digest.Short()), fig("took", "%s", took(x.TookNs))}, x.Reason)
	case leyline.PolicyAnswered:
		return problem([]Figure{fig("took", "%s", took(x.TookNs))}, x.Why)
	case leyline.PolicyFailed:
		return problem([]Figure{fig("took", "%s", took(x.TookNs))}, x.Reason)
	case leyline.MetadataAnswered:
		return []Figure{fig("sheet", "%d bytes of key %q", len(x.Envelope.Payload), x.Envelope.KeyID), fig("took", "%s", took(x.TookNs))}
	case leyline.MetadataFailed:
		return problem([]Figure{fig("sheet", "%s: %s", x.Fault, x.Outcome), fig("took", "%s", took(x.TookNs))}, x.Reason)
	case leyline.EmergencyDelivered:
		return []Figure{fig("level", "%s", x.Level), fig("took", "%s", took(x.TookNs))}
	case leyline.EmergencyUndelivered:
		return problem([]Figure{fig("level", "%s: %s", x.Level, x.Outcome), fig("took", "%s", took(x.TookNs))}, x.Reason)
	}
	return nil
}

// list renders figures for people.
func list(xs []float64) string {
	s := "["
	for i, x := range xs {
		if i > 0 {
			s += " "
		}
		s += short(x)
	}
	return s + "]"
}
