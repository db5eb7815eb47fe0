package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestErrorsNameTheRecord(t *testing.T) {
	h := incident(t)
	whole := h.entries()
	cut := slices.Clone(whole)
	cut[5].Payload = cut[5].Payload[:9]
	twice := slices.Clone(whole)
	twice[7].Seq = twice[6].Seq
	crafted := slices.Clone(h.log)
	crafted[9].Events = []leyline.Event{leyline.RollbackStarted{
		Run: runID, Rollback: "rb-1", Cause: leyline.FaultNonFinite, FaultStep: 3, Reached: 3, Snapshot: "never-taken", Tier: leyline.TierFull, Seen: 1, Since: 1,
	}}
	foreign := slices.Clone(h.log)
	foreign[9].Run = "run-2"
	for name, c := range map[string]struct {
		src  Source
		mode Mode
		want string
	}{
		"undecodable": {cut, Redecide, "record 7"},
		"order":       {twice, Redecide, "record 8 comes after record 8"},
		"crafted":     {encode(t, crafted), Fold, "record 11 (" + crafted[9].Input.InputKind().String() + ") cannot be replayed: no plane writes a log like this"},
		"foreign":     {encode(t, foreign), Redecide, `record 11 (` + foreign[9].Input.InputKind().String() + `) is filed under run "run-2"`},
		"failing":     {failing{whole[:4]}, Fold, "cannot read on after record 5: the disk is gone"},
	} {
		r, err := Run(context.Background(), c.src, Options{Mode: c.mode})
		if err == nil || !strings.Contains(err.Error(), c.want) || r.Identical {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestEventWithoutAMandatoryFieldIsRefused: no replay goes on behind a record
// that no plane wrote, whatever it does with events.
func TestEventWithoutAMandatoryFieldIsRefused(t *testing.T) {
	h := incident(t)
	at := slices.IndexFunc(h.log, func(r leyline.Record) bool {
		return len(r.Events) > 1 && r.Events[1].EventKind() == leyline.EventTrainingAssessed
	})
	forged := slices.Clone(h.log)
	forged[at].Events = slices.Clone(forged[at].Events)
	x := forged[at].Events[1].(leyline.TrainingAssessed)
	x.Health = leyline.HealthUnspecified
	forged[at].Events[1] = x
	want := fmt.Sprintf("record %d: events[1] is a training.assessed whose health is missing", forged[at].Seq)
	for _, mode := range []Mode{Redecide, Fold, WhatIf} {
		r, err := Run(context.Background(), encode(t, forged), Options{Mode: mode})
		if err == nil || !strings.Contains(err.Error(), want) || r.Identical {
			t.Errorf("%s: error %v, want %q", mode, err, want)
		}
	}
}

// failing yields its entries and then an error.
type failing struct{ Entries }

var errGone = errors.New("the disk is gone")

func (f failing) All(from leyline.Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range f.Entries.All(from) {
			if !yield(e, err) {
				return
			}
		}
		yield(Entry{}, errGone)
	}
}

func TestRunStopsWhenAsked(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Run(ctx, incident(t).entries(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled replay ended with %v", err)
	}
}

func TestContradictoryOptionsAreRefused(t *testing.T) {
	good, bad := testConfig(), leyline.ExecutionConfig{}
	for name, o := range map[string]Options{
		"range": {From: 9, To: 3}, "fold with configuration": {Mode: Fold, Config: &good}, "configuration": {Config: &bad}, "mode": {Mode: 9},
	} {
		if _, err := Run(context.Background(), Entries{}, o); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

func TestEveryEventIsExplained(t *testing.T) {
	for _, e := range incident(t).entries() {
		r, err := whole(e)
		must(t, err)
		if lines := Explain(r); len(lines) != len(r.Events) || slices.Contains(lines, "") {
			t.Errorf("record %d has %d events, explained in %q", r.Seq, len(r.Events), lines)
		}
	}
}
