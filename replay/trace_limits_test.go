package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

func TestATamperedRecordIsShownToDiverge(t *testing.T) {
	h := eventful(t)
	seq := h.of(leyline.EventRollbackStarted)
	log := slices.Clone(h.log)
	i := int(seq - log[0].Seq)
	log[i].Events = tamper(log[i].Events)
	x, err := TraceRecord(t.Context(), encode(t, log), nil, seq)
	must(t, err)
	if !x.Again.Decided || x.Again.Identical || x.Again.Divergence == nil || x.Again.Divergence.Seq != seq {
		t.Fatalf("the changed record: %+v", x.Again)
	}
	if text := x.String(); !strings.Contains(text, "DIVERGED\n") || !strings.Contains(text, "recorded in the log:") {
		t.Errorf("the divergence is not told:\n%s", text)
	}
}

func TestOtherRulesAreNotDecidedAgain(t *testing.T) {
	h := begin(t, decider.Version+1)
	h.steps(1)
	x := traced(t, h, h.seq)
	if x.Again.Decided || x.Again.Identical || x.Again.Rules != decider.Version+1 || x.Again.Program != decider.Version {
		t.Errorf("%+v", x.Again)
	}
	if s := x.Again.String(); !strings.HasPrefix(s, "not decided again") {
		t.Errorf("told as %q", s)
	}
	if boot := traced(t, h, 2); boot.Again.Rules != decider.Version+1 {
		t.Errorf("the start of the process was decided by rules %d", boot.Again.Rules)
	}
}

func TestOnlyRecordsAtHandAreExplained(t *testing.T) {
	h := incident(t)
	src := slices.Delete(h.entries(), 5, 6) // as where a checkpoint stands
	for _, c := range []struct {
		src  Source
		seq  leyline.Seq
		says string
	}{
		{src, 0, "there is no record 0: the records go from 2 to LAST"},
		{src, 1, "there is no record 1: the records go from 2 to LAST"},
		{src, h.seq + 1, "there is no record NEXT: the records go from 2 to LAST"},
		{src, 7, "record 7 holds no decision; choose another from 2 to LAST"},
		{Entries{}, 3, "there is no record 3: there are no records at all"},
	} {
		_, err := TraceRecord(t.Context(), c.src, nil, c.seq)
		want := strings.NewReplacer("LAST", fmt.Sprint(h.seq), "NEXT", fmt.Sprint(h.seq+1)).Replace(c.says)
		var none *NoRecordError
		if !errors.As(err, &none) || none.Seq != c.seq || err.Error() != want {
			t.Errorf("record %d: %v, want %q", c.seq, err, want)
		}
	}
}

// TestABundleIsExplainedOnItsOwn: what began before it is named, not told.
func TestABundleIsExplainedOnItsOwn(t *testing.T) {
	h := eventful(t)
	verdict := h.proposed(leyline.OpFossilize) + 1
	rollback := h.of(leyline.EventRollbackStarted)
	for _, c := range []struct {
		from, seq leyline.Seq
		causes    string
	}{
		{verdict, verdict, "unspecified proposed this command\n"},
		{verdict + 1, verdict + 1, "unspecified accepted the command\n"},
		{rollback + 1, rollback + 1, "unspecified began this phase of the rollback\n"},
	} {
		var b bytes.Buffer
		_, err := WriteBundle(&b, h.entries(), c.from, h.seq, BundleMeta{Origin: origin, By: "test"})
		must(t, err)
		bundle, err := OpenBundle(&b)
		must(t, err)
		x, err := TraceRecord(t.Context(), bundle.Source(), bundle.Start(), c.seq)
		must(t, err)
		if !x.Again.Identical || chain(x.Causes) != c.causes || len(x.Effects) == 0 && c.seq != verdict+1 {
			t.Errorf("record %d of a bundle from %d: %s; causes %seffects %s", c.seq, c.from, x.Again.String(), chain(x.Causes), chain(x.Effects))
		}
		if d := cmp.Diff(traced(t, h, c.seq).Before, x.Before); d != "" {
			t.Errorf("record %d: the bundle knows another situation:\n%s", c.seq, d)
		}
		if text := x.String(); !strings.Contains(text, "the record is not at hand") {
			t.Errorf("the missing cause is not told:\n%s", text)
		}
		var none *NoRecordError
		if _, err := TraceRecord(t.Context(), bundle.Source(), bundle.Start(), c.from-1); !errors.As(err, &none) || none.First != c.from || none.Last != h.seq {
			t.Errorf("a record before the bundle: %v", err)
		}
	}
}

// TestManyLinksAreCut: a chain as long as a log does not fill the screen.
func TestManyLinksAreCut(t *testing.T) {
	h := begin(t, decider.Version)
	c := h.config
	c.Tolaria.DivergeWarmup, c.Tolaria.DivergeLoss, c.Tolaria.DivergeSteps = 2, 5, 1000
	h.configure(c)
	h.steps(3)
	first := h.seq + 1
	for range MaxLinks + 5 {
		h.worry()
	}
	x := traced(t, h, first)
	if len(x.Effects) != MaxLinks || !x.MoreEffects || x.MoreCauses {
		t.Errorf("%d effects, more %v", len(x.Effects), x.MoreEffects)
	}
	x = traced(t, h, h.seq)
	if len(x.Causes) != MaxLinks || !x.MoreCauses || x.MoreEffects {
		t.Errorf("%d causes, more %v", len(x.Causes), x.MoreCauses)
	}
	if !strings.Contains(x.String(), "and more than these") {
		t.Error("it is not told that there are more")
	}
	x = traced(t, h, h.seq-MaxLinks)
	if len(x.Effects) != MaxLinks || x.MoreEffects {
		t.Errorf("exactly as many effects as are shown: %d, more %v", len(x.Effects), x.MoreEffects)
	}
}

func TestDamageEndsATrace(t *testing.T) {
	h := incident(t)
	good := h.entries()
	before, after := slices.Clone(good), slices.Clone(good)
	before[4].Payload = []byte("not a record")
	after[len(after)-1].Payload = []byte("not a record")
	for name, src := range map[string]Entries{"before": before, "after": after} {
		if _, err := TraceRecord(t.Context(), src, nil, good[20].Seq); err == nil {
			t.Errorf("damage %s the record was passed over", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := TraceRecord(ctx, good, nil, good[20].Seq); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled trace says %v", err)
	}
	start := &projections.State{Seq: 9}
	var none *NoRecordError
	if _, err := TraceRecord(t.Context(), good, start, 5); !errors.As(err, &none) {
		t.Errorf("a record before the state: %v", err)
	}
}
