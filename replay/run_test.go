package replay

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/decider"
)

func TestReplayIsIdentical(t *testing.T) {
	h := incident(t)
	for _, mode := range []Mode{Redecide, Fold, WhatIf} {
		r := replayed(t, h.entries(), Options{Mode: mode})
		if !r.Identical || r.Divergence != nil {
			t.Fatalf("%s: %s", mode, r.Divergence)
		}
		if d := cmp.Diff(h.state.Digests(), r.Digests); d != "" {
			t.Errorf("%s ends in another state than the plane:\n%s", mode, d)
		}
		n := uint64(len(h.log))
		if mode == Fold {
			n = 0
		}
		if r.Records != uint64(len(h.log)) || r.Redecided != n || r.First != 2 || r.Last != h.seq {
			t.Errorf("%s read %d records from %d to %d and decided %d of them", mode, r.Records, r.First, r.Last, r.Redecided)
		}
	}
}

// TestIncidentIsRich keeps the history from losing what the other tests rely on.
func TestIncidentIsRich(t *testing.T) {
	h := incident(t)
	for _, kind := range []leyline.EventKind{
		leyline.EventDependencyViolated, leyline.EventSnapshotEvicted, leyline.EventRollbackFinished, leyline.EventRunResumed,
		leyline.EventBlendStepped, leyline.EventPrefetchSettled, leyline.EventCommandRejected, leyline.EventConservativeEntered,
	} {
		h.find(kind)
	}
}

func TestChangedThresholdDivergesWhereItFirstMatters(t *testing.T) {
	h := incident(t)
	combined := h.find(leyline.EventGradientsCombined)
	grafting := firstConsidered(t, h, leyline.OpStartGrafting)
	for _, c := range []struct {
		name   string
		change func(*leyline.ExecutionConfig)
		at     leyline.Seq
		says   []string
	}{
		{"aggregation", func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationSum }, combined.Seq,
			[]string{"Method is pcgrad in the log, sum by this program", "Weights[0] is", "combined by pcgrad", "combined by sum"}},
		{"train_steps", func(c *leyline.ExecutionConfig) { c.Tamiyo.TrainSteps = 8 }, grafting.Seq,
			[]string{"Operation is START_GRAFTING in the log, UNKNOWN by this program", "chooses START_GRAFTING", "has no proposal"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := h.config
			c.change(&other)
			r := replayed(t, h.entries(), Options{Config: &other})
			if r.Identical || r.Divergence == nil || r.Divergence.Seq != c.at || r.Last != c.at || len(r.Digests) != 0 {
				t.Fatalf("want the first divergence at record %d, got %s", c.at, r.Divergence)
			}
			text := r.Divergence.String()
			for _, want := range append(c.says, "recorded in the log:", "decided by this program:") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in:\n%s", want, text)
				}
			}
			if again := replayed(t, h.entries(), Options{Config: &other, To: c.at - 1}); !again.Identical {
				t.Errorf("the record that adopts a configuration counts as different:\n%s", again.Divergence)
			}
		})
	}
}

func firstConsidered(t *testing.T, h *history, op leyline.SeedOperation) leyline.Record {
	t.Helper()
	for _, r := range h.log {
		for _, e := range r.Events {
			if x, ok := e.(leyline.RiskAssessed); ok && x.Proposed == op {
				return r
			}
		}
	}
	t.Fatalf("%s was never considered", op)
	return leyline.Record{}
}

// TestSameConfigurationChangesNothing also shows that digests are those of the
// recorded history when a configuration replaces another.
func TestSameConfigurationChangesNothing(t *testing.T) {
	h := incident(t)
	other := h.config
	other.Plane.Workers++ // no decision looks at it
	for _, mode := range []Mode{Redecide, WhatIf} {
		r := replayed(t, h.entries(), Options{Mode: mode, Config: &other})
		if !r.Identical {
			t.Fatalf("%s: %s", mode, r.Divergence)
		}
		if d := cmp.Diff(h.state.Digests(), r.Digests); d != "" {
			t.Errorf("%s: digests of another history:\n%s", mode, d)
		}
	}
}

func TestConfigurationStaysReplacedWhenAdoptedAgain(t *testing.T) {
	h := begin(t, decider.Version)
	h.steps(2)
	second := h.config
	second.Tamiyo.Volatility = 0.9
	h.configure(second)
	h.steps(1)
	step := h.log[len(h.log)-1]
	other := second
	other.Tolaria.Aggregation = leyline.AggregationMean
	// Only the last step is checked: both adoptions came before it.
	if r := replayed(t, h.entries(), Options{Config: &other, From: step.Seq}); r.Divergence == nil || r.Divergence.Seq != step.Seq {
		t.Errorf("after the second adoption the recorded configuration is in force: %s", r.Divergence)
	}
}

func TestWhatIfCountsEveryDifferenceAndKeepsHistory(t *testing.T) {
	h := incident(t)
	other := h.config
	other.Tolaria.Aggregation = leyline.AggregationSum
	var want []leyline.Seq
	for _, r := range h.log {
		if slices.ContainsFunc(r.Events, func(e leyline.Event) bool { return e.EventKind() == leyline.EventGradientsCombined }) {
			want = append(want, r.Seq)
		}
	}
	r := replayed(t, h.entries(), Options{Mode: WhatIf, Config: &other})
	if r.Differences != uint64(len(want)) || r.Redecided != uint64(len(h.log)) || len(r.Described) != MaxDifferences {
		t.Fatalf("%d of %d records differ, %d described; want %d", r.Differences, r.Redecided, len(r.Described), len(want))
	}
	for i, d := range r.Described {
		if d.Seq != want[i] {
			t.Errorf("difference %d is in record %d, want %d", i, d.Seq, want[i])
		}
	}
	if d := cmp.Diff(h.state.Digests(), r.Digests); d != "" {
		t.Errorf("history was changed:\n%s", d)
	}
	if ranged := replayed(t, h.entries(), Options{Mode: WhatIf, Config: &other, From: want[3], To: want[4]}); ranged.Differences != 2 {
		t.Errorf("between two steps %d records differ, want 2", ranged.Differences)
	}
}

// TestTamperedEvents changes one record at a time, and every record once.
func TestTamperedEvents(t *testing.T) {
	h := incident(t)
	for i, r := range h.log {
		log := slices.Clone(h.log)
		log[i].Events = tamper(r.Events)
		rep := replayed(t, encode(t, log), Options{})
		if rep.Divergence == nil || rep.Divergence.Seq != r.Seq || rep.Divergence.Why == "" {
			t.Fatalf("record %d was changed, the replay says %s", r.Seq, rep.Divergence)
		}
	}
}

// idle changes no state, and no rule decides it where these tests put it.
var idle = leyline.ActionNone{Run: runID, Step: 1, Reason: leyline.RiskNothingToDo}

// tamper changes a float by its last bit, or drops the last event.
func tamper(events []leyline.Event) []leyline.Event {
	out := slices.Clone(events)
	for i, e := range out {
		switch x := e.(type) {
		case leyline.TrainingAssessed:
			x.LossEWMA.Var = math.Nextafter(x.LossEWMA.Var, 1)
			out[i] = x
			return out
		case leyline.BlendStepped:
			x.Alpha = math.Nextafter(x.Alpha, 0.5)
			out[i] = x
			return out
		}
	}
	return out[:max(len(out)-1, 0)]
}

// TestEventsInFrontAreSeen: what was decided is then the tail of what is stored.
func TestEventsInFrontAreSeen(t *testing.T) {
	h := incident(t)
	log := slices.Clone(h.log)
	r := &log[len(log)-2]
	r.Events = append([]leyline.Event{idle}, r.Events...)
	if rep := replayed(t, encode(t, log), Options{}); rep.Divergence == nil || rep.Divergence.Seq != r.Seq || rep.Divergence.Index != 0 {
		t.Errorf("an event was put in front of record %d, the replay says %s", r.Seq, rep.Divergence)
	}
}

func TestDifferingFloatsAreToldApart(t *testing.T) {
	nan := math.Float64frombits(0x7ff8_0000_0000_0001)
	for _, c := range []struct {
		a, b float64
		want string
	}{
		{1, 1, ""}, {nan, nan, ""},
		{1, 2, "Alpha is 1 in the log, 2 by this program"},
		{0, math.Copysign(0, -1), "Alpha is 0 in the log, -0 by this program"},
		{nan, math.Float64frombits(0x7ff8_0000_0000_0002), "Alpha is NaN (bits 7ff8000000000001) in the log, NaN (bits 7ff8000000000002) by this program"},
	} {
		got := strings.Join(differFields(leyline.BlendStepped{Alpha: c.a}, leyline.BlendStepped{Alpha: c.b}), "; ")
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	long := differFields(leyline.GradientsCombined{Weights: make([]float64, 20)}, leyline.GradientsCombined{Weights: slices.Repeat([]float64{1}, 20)})
	if len(long) != maxFields+1 || long[maxFields] != "and 12 more" {
		t.Errorf("20 differing fields are named as %q", long)
	}
}

func TestDivergenceNamesWhatIsMissingOrTooMuch(t *testing.T) {
	a := leyline.ActionNone{Run: runID, Step: 4, Reason: leyline.RiskPolicy}
	b := leyline.BlendStepped{Run: runID, Seed: seedID, Alpha: 1}
	c := leyline.ActionNone{Run: runID, Step: 5, Reason: leyline.RiskPolicy}
	for _, x := range []struct {
		recorded, decided []leyline.Event
		index             int
		why               string
	}{
		{[]leyline.Event{a, b}, []leyline.Event{a}, 1, "blend.stepped is in the log, this program decides nothing more"},
		{[]leyline.Event{a}, []leyline.Event{a, b}, 1, "nothing more is in the log, this program decides blend.stepped"},
		{[]leyline.Event{a, b}, []leyline.Event{b}, 0, "action.none is in the log, this program decides blend.stepped"},
		{[]leyline.Event{b, a}, []leyline.Event{b, c}, 1, "action.none: Step is 4 in the log, 5 by this program"},
	} {
		d := compare(leyline.Record{Input: leyline.RunClosed{}, Events: x.recorded}, x.decided)
		if d.Index != x.index || d.Why != x.why {
			t.Errorf("event %d: %s; want event %d: %s", d.Index, d.Why, x.index, x.why)
		}
		if s := d.String(); !strings.Contains(s, "recorded in the log:\n") || !strings.Contains(s, "decided by this program:\n") {
			t.Errorf("a side is not labelled:\n%s", s)
		}
	}
}

func TestRecordsOfAnotherVersionAreFolded(t *testing.T) {
	h := begin(t, decider.Version+1)
	h.steps(3)
	h.boot("b2", decider.Version)
	own := h.seq
	again := h.run().Plan
	again.Resume = true
	h.feed(again)
	log := slices.Clone(h.log)
	for i := range log { // no rule of this program decides this
		if log[i].Seq < own && log[i].Run == runID {
			log[i].Events = append(slices.Clone(log[i].Events), idle)
		}
	}
	r := replayed(t, encode(t, log), Options{})
	if !r.Identical || r.Redecided != 2 || r.FoldedOnly != uint64(own-2) {
		t.Errorf("%d decided again, %d folded: %s", r.Redecided, r.FoldedOnly, r.Divergence)
	}
}

func TestRangeIsFoldedBeforeAndNotReadAfter(t *testing.T) {
	h := incident(t)
	h.log[8].Events = append(slices.Clone(h.log[8].Events), idle) // changes no state
	src := h.entries()
	src[31].Payload = []byte("not a record")
	r := replayed(t, src, Options{From: h.log[20].Seq, To: h.log[30].Seq})
	if !r.Identical || r.Redecided != 11 || r.Records != 31 || r.First != h.log[0].Seq || r.Last != h.log[30].Seq {
		t.Errorf("%d of the records %d to %d decided again, %d read: %s", r.Redecided, r.First, r.Last, r.Records, r.Divergence)
	}
}

func TestModesAreNamed(t *testing.T) {
	for _, m := range []Mode{Redecide, Fold, WhatIf} {
		b, err := m.MarshalText()
		var back Mode
		if err != nil || back.UnmarshalText(b) != nil || back != m {
			t.Errorf("%s does not come back", m)
		}
	}
	if _, err := ParseMode("replay"); err == nil || Mode(7).String() != "unknown(7)" {
		t.Error("an unknown mode was accepted")
	}
}
