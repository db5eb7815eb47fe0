package supervise

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestPreflightNamesEverything: every check runs, and all that is wrong is in one
// error.
func TestPreflightNamesEverything(t *testing.T) {
	locked := errors.New("it is locked\nby process 7")
	_, err := Preflight(t.Context(),
		Check{"fine", func(context.Context, *Report) {}},
		Check{"disk", func(_ context.Context, r *Report) {
			r.FailWith("--data", locked)
			r.FailWith("--data", nil)
			r.Fail(Problem{Field: "log.segment_mib", What: "does not fit", Fix: "make room"})
		}},
		Check{"clock", func(_ context.Context, r *Report) { r.Warn(Problem{What: "it is late", Fix: "hurry"}) }},
		Check{"port", func(_ context.Context, r *Report) {
			if !r.Failed() {
				t.Error("the report forgets")
			}
			r.Fail(Problem{What: "is taken; take another", Fix: "take another"})
		}},
	)
	pre := (*PreflightError)(nil)
	if !errors.As(err, &pre) || !errors.Is(err, locked) {
		t.Fatal(err)
	}
	want := []Problem{
		{"disk", "--data", "it is locked\nby process 7", "", locked},
		{"disk", "log.segment_mib", "does not fit", "make room", nil},
		{"port", "", "is taken; take another", "take another", nil},
	}
	if d := cmp.Diff(want, pre.Problems, cmpopts.EquateErrors()); d != "" {
		t.Error(d)
	}
	const text = "3 things stand in the way; nothing was changed\n  disk: it is locked\n    by process 7\n  disk: does not fit; make room\n" +
		"  port: is taken; take another\n  warning, clock: it is late; hurry"
	if d := cmp.Diff(text, err.Error()); d != "" {
		t.Error(d)
	}
}

// TestPreflightOfOne says it as it is.
func TestPreflightOfOne(t *testing.T) {
	no := errors.New("no")
	if _, err := Preflight(t.Context(), Check{"a", func(_ context.Context, r *Report) { r.FailWith("f", no) }}); err == nil || err.Error() != "no" || !errors.Is(err, no) {
		t.Error(err)
	}
	if _, err := Preflight(t.Context(), Check{"a", func(_ context.Context, r *Report) { r.Fail(Problem{What: "no", Fix: "yes"}) }}); err == nil || err.Error() != "no; yes" {
		t.Error(err)
	}
}

func TestPreflightWarns(t *testing.T) {
	warnings, err := Preflight(t.Context(), Check{"a", func(_ context.Context, r *Report) { r.Warn(Problem{What: "hm"}) }})
	if d := cmp.Diff([]Problem{{Check: "a", What: "hm"}}, warnings, cmpopts.EquateErrors()); d != "" || err != nil {
		t.Error(d, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Preflight(ctx, Check{"a", func(context.Context, *Report) { t.Error("it looks") }}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
