package replay

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

func TestEveryRecordIsTraced(t *testing.T) {
	for _, h := range []*history{incident(t), eventful(t)} {
		src := h.entries()
		for _, r := range h.log {
			x, err := TraceRecord(t.Context(), src, nil, r.Seq)
			must(t, err)
			if x.Seq != r.Seq || x.Looked != h.seq || len(x.Decided) != len(r.Events) {
				t.Errorf("record %d: the trace is of record %d, looks as far as %d and tells %d events", r.Seq, x.Seq, x.Looked, len(x.Decided))
			}
			sound(t, &x)
		}
	}
}

// sound demands of a trace what that of every sound record has.
func sound(t *testing.T, x *Trace) {
	t.Helper()
	if !x.Again.Decided || !x.Again.Identical || x.Again.Divergence != nil {
		t.Errorf("record %d: %s", x.Seq, x.Again.String())
	}
	for _, l := range append(slices.Clone(x.Causes), x.Effects...) {
		if l.At == 0 || l.Words == "" || l.How == "" || l.Kind == leyline.InputUnspecified {
			t.Errorf("record %d: link %+v is incomplete", x.Seq, l)
		}
	}
	if text := x.String(); strings.Contains(text, "%!") {
		t.Errorf("record %d is told as\n%s", x.Seq, text)
	}
}

// TestChains follows causes and effects both ways. Effects are told in the order
// of the log, causes against it.
func TestChains(t *testing.T) {
	h := eventful(t)
	rollback := h.of(leyline.EventRollbackStarted)
	for _, c := range []struct {
		name            string
		seq             leyline.Seq
		causes, effects string
	}{
		{"a proposal", h.proposed(leyline.OpStabilize), "",
			"command.received decides on the proposal\ncommand.acked closes the command\n"},
		{"a verdict", h.proposed(leyline.OpStabilize) + 1,
			"step.observed proposed this command\n", "command.acked closes the command\n"},
		{"an answer", h.proposed(leyline.OpStabilize) + 2,
			"command.received accepted the command\nstep.observed proposed this command\n", ""},
		{"a command from outside", h.where("GERMINATED", func(e leyline.Event) bool {
			x, ok := e.(leyline.SeedMoved)
			return ok && x.To == leyline.StageGerminated
		}), "", "kernel.ready ends the prefetch\ncommand.acked closes the command\n"},
		{"a kernel", h.of(leyline.EventPrefetchSettled), "command.received asked for the kernel\n", ""},
		{"an evaluation", h.proposed(leyline.OpEvaluate) + 1, "step.observed proposed this command\n",
			"command.acked closes the command\nseed.probed measures the seed\nseed.probed measures the seed\n" +
				"step.observed judges the seed by it\ncommand.received decides on the proposal\ncommand.acked closes the command\n"},
		{"a second probe", h.of(leyline.EventContributionMeasured),
			"seed.probed asked for this probe\ncommand.received asked for this probe\nstep.observed proposed this command\n",
			"step.observed judges the seed by it\ncommand.received decides on the proposal\ncommand.acked closes the command\n"},
		{"a rollback", rollback,
			"step.observed was the anomalous step before this one\nstep.observed was the anomalous step before this one\n" +
				"snapshot.taken registered the snapshot to return to\n",
			"rollback.reported ends this phase of the rollback\nrollback.reported ends this phase of the rollback\n" +
				"step.observed is the first healthy step after it\nstep.observed leaves conservative mode\n"},
		{"the first anomalous step", rollback - 2, "",
			"step.observed is the next anomalous step\nstep.observed is the next anomalous step\n" +
				"rollback.reported ends this phase of the rollback\nrollback.reported ends this phase of the rollback\n" +
				"step.observed is the first healthy step after it\nstep.observed leaves conservative mode\n"},
		{"a restored snapshot", rollback + 2,
			"rollback.reported began this phase of the rollback\nstep.observed began this phase of the rollback\n" +
				"step.observed was the anomalous step before this one\nstep.observed was the anomalous step before this one\n" +
				"snapshot.taken registered the snapshot to return to\n",
			"step.observed is the first healthy step after it\n"},
		{"a silence", h.of(leyline.EventTrainerStalled), "step.observed was the last step before the silence\n",
			"step.observed hears of the trainer again\n"},
		{"a question too many", h.of(leyline.EventPolicyMissed), "step.observed asked the policy\n", ""},
		{"the step that asks", h.of(leyline.EventPolicyMissed) - 1, "", "policy.failed gives the question up\n"},
		{"an answer of the policy", h.of(leyline.EventPolicyAsked) + 1, "step.observed asked the policy\n", ""},
		{"a restart", h.of(leyline.EventPlaneBooted), "", "run.opened resumes a run\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := traced(t, h, c.seq)
			if d := cmp.Diff(c.causes, chain(x.Causes)); d != "" {
				t.Errorf("causes of record %d:\n%s", c.seq, d)
			}
			if d := cmp.Diff(c.effects, chain(x.Effects)); d != "" {
				t.Errorf("effects of record %d:\n%s", c.seq, d)
			}
		})
	}
}

// TestLinksNameBothEnds: a link hangs on the record that leads to the explained
// one, not always on that itself.
func TestLinksNameBothEnds(t *testing.T) {
	h := eventful(t)
	verdict := h.proposed(leyline.OpStabilize) + 1
	x := traced(t, h, verdict+1)
	if len(x.Causes) != 2 || x.Causes[0].Seq != verdict || x.Causes[0].Of != verdict+1 || x.Causes[1].Seq != verdict-1 || x.Causes[1].Of != verdict {
		t.Errorf("causes of the answer %d: %+v", verdict+1, x.Causes)
	}
	if want := "STABILIZE of seed seed-a is proposed"; !strings.Contains(x.Causes[1].Words, want) {
		t.Errorf("the proposal is told as %q, want %q", x.Causes[1].Words, want)
	}
	if want := "is accepted: STABILIZE"; !strings.Contains(x.Causes[0].Words, want) {
		t.Errorf("the verdict is told as %q, want %q", x.Causes[0].Words, want)
	}
}

// TestSituationIsThatBefore the record, not after it.
func TestSituationIsThatBefore(t *testing.T) {
	h := eventful(t)
	kept := traced(t, h, h.proposed(leyline.OpFossilize)+1).Before
	want := Sprout{
		Seed: seedID, Stage: leyline.StageProbationary, Steps: 6, Blueprint: "bp-1", Alpha: 1, Measured: 6, Probes: 2, Contribution: 0.125, LossGain: 0.25,
		Age: 31, Blends: true, AlphaStep: 6, AlphaSteps: 6, Temperature: 0.6,
		Blend: leyline.BlendResidual, Health: leyline.SeedHealthy,
	}
	if d := cmp.Diff(want, kept.Seeds[0]); d != "" {
		t.Errorf("the seed:\n%s", d)
	}
	if len(kept.Pending) != 0 {
		t.Errorf("the command that the record accepts is pending before it: %v", kept.Pending)
	}
	answered := traced(t, h, h.proposed(leyline.OpFossilize)+2).Before
	if len(answered.Pending) != 1 || answered.Pending[0].Operation != leyline.OpFossilize || answered.Seeds[0].Stage != leyline.StageProbationary {
		t.Errorf("before the answer: %+v", answered)
	}
	rollback := h.of(leyline.EventRollbackStarted)
	fell := traced(t, h, rollback).Before
	if fell.Suspect != 2 || fell.SuspectFrom == 0 || fell.Rollback != "" || fell.Cautious || fell.Good == "" || fell.Emergency != leyline.EmergencyNotice {
		t.Errorf("before the rollback: %+v", fell)
	}
	if x := traced(t, h, rollback+1).Before; x.Rollback == "" || x.Phase != leyline.PhasePrepare || !x.Cautious {
		t.Errorf("during the rollback: %+v", x)
	}
	if x := traced(t, h, h.of(leyline.EventPolicyMissed)).Before; x.Asked.IsZero() {
		t.Errorf("before the answer of the policy: %+v", x)
	}
	if x := traced(t, h, h.of(leyline.EventTrainerReturned)).Before; !x.Stalled {
		t.Errorf("before the trainer returned: %+v", x)
	}
	if x := traced(t, h, h.of(leyline.EventRunStarted)).Before; x != nil {
		t.Errorf("before the run was opened: %+v", x)
	}
}

func TestTextOfAGateAndOfARollback(t *testing.T) {
	h := eventful(t)
	for seq, says := range map[leyline.Seq][]string{
		h.proposed(leyline.OpFossilize) + 1: {
			": command.received\n", "  sender   policy test, key ", `of "tamiyo": SEED FOSSILIZE of seed seed-a`,
			"\nbefore it\n  run-1 ", "PROBATIONARY for 6 steps, bp-1 31 steps old at alpha 1 (step 6 of 6 at temperature 0.6)",
			"\ndecided\n  0 gate.evaluated: gate G4_SYSTEM_IMPACT lets pass seed seed-a; 7 checks hold\n",
			"      check                measured  limit  mode     holds\n", "      contribution         0.125     0.01   enforce  yes\n",
			"\nbecause of\n", "\nset in motion, as far as record ", "\ndecided again by this program: identical\n",
		},
		h.of(leyline.EventRollbackStarted): {
			"over the limit in a row since step 44\n", "is over its limit 5, 3 in a row", "showed diverged, back to step 40",
			" (after ", "first healthy step after rb-",
		},
		h.proposed(leyline.OpStabilize) + 2: {
			"  accepted the command            command cmd-", "  proposed this command (for ",
		},
		h.of(leyline.EventPlaneBooted): {"because of: nothing in these records\n"},
	} {
		x := traced(t, h, seq)
		text := x.String()
		for _, want := range says {
			if !strings.Contains(text, want) {
				t.Errorf("record %d: %q is missing in\n%s", seq, want, text)
			}
		}
	}
}

// TestSproutTellsItsHealth only when something is held against it.
func TestSproutTellsItsHealth(t *testing.T) {
	s := Sprout{Seed: seedID, Stage: leyline.StageBlending, Steps: 3, Blueprint: "bp-1", Age: 7, Alpha: 0.25, Blend: leyline.BlendConfidence, Health: leyline.SeedHealthy}
	if got, want := s.words(), "BLENDING for 3 steps, bp-1 7 steps old at alpha 0.25 by CONFIDENCE"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Health, s.Violations = leyline.SeedUnhealthy, 2
	if got, want := s.words(), "BLENDING for 3 steps, bp-1 7 steps old at alpha 0.25 by CONFIDENCE, UNHEALTHY with 2 violations"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
