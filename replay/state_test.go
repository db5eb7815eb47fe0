package replay

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// arbitrary draws a history in which anything may happen at any time.
func arbitrary(t *rapid.T, tb testing.TB) *history {
	h := begin(tb, decider.Version)
	for range rapid.IntRange(0, 25).Draw(t, "events") {
		switch rapid.IntRange(0, 9).Draw(t, "what") {
		case 0:
			h.fault()
		case 1:
			if h.run().Rollback.Active() {
				h.rollback()
			}
		case 2:
			again := h.run().Plan
			again.Resume = true
			h.boot("b", decider.Version)
			h.feed(again)
			h.inc = h.run().Incarnation
		case 3:
			h.command("cmd", leyline.SeedCommand{Operation: leyline.OpCull, Seed: seedID, Reason: "drawn"})
		case 4:
			c := h.config
			c.Tolaria.SnapshotKeep = rapid.Uint32Range(2, 3).Draw(t, "keep")
			h.configure(c)
		case 5:
			h.at = h.at.Add(31e9)
			if due, ok := h.state.NextTimer(); ok {
				h.feed(due)
			}
		default:
			h.steps(rapid.IntRange(1, 6).Draw(t, "steps"))
		}
	}
	return h
}

// TestSnapshotPlusTailEqualsFullFold is why a plane may start from a stored
// projection.
func TestSnapshotPlusTailEqualsFullFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := arbitrary(rt, t)
		at := rapid.IntRange(0, len(h.log)).Draw(rt, "snapshot after")
		s := &projections.State{}
		for i, r := range decoded(t, h) {
			if i == at {
				s = stored(t, s)
			}
			s.ApplyRecord(r)
		}
		if got, want := s.Digest(), h.state.Digest(); got != want {
			rt.Fatalf("with a snapshot after record %d of %d the state is another:\n%s", at, len(h.log),
				cmp.Diff(h.state, s, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()))
		}
	})
}

func TestArbitraryHistoriesReplay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := arbitrary(rt, t)
		for _, mode := range []Mode{Redecide, WhatIf} {
			r := replayed(t, h.entries(), Options{Mode: mode})
			if !r.Identical || !slices.Equal(r.Digests, h.state.Digests()) {
				rt.Fatalf("%s: %s", mode, r.Divergence)
			}
		}
	})
}

func decoded(t testing.TB, h *history) []leyline.Record {
	var out []leyline.Record
	for _, e := range h.entries() {
		r, err := whole(e)
		must(t, err)
		out = append(out, r)
	}
	return out
}

func stored(t testing.TB, s *projections.State) *projections.State {
	b, err := wire.Marshal(s)
	must(t, err)
	out := &projections.State{}
	must(t, wire.Unmarshal(b, out))
	return out
}

// TestCloneEqualsTheWire compares the copy with its slow twin, and shows that
// going on with one leaves the other alone.
func TestCloneEqualsTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := arbitrary(rt, t)
		slow := stored(t, h.state)
		fast := clone(h.state)
		if d := cmp.Diff(slow, fast, cmpopts.EquateNaNs()); d != "" {
			rt.Fatalf("the copy differs:\n%s", d)
		}
		scribble(reflect.ValueOf(h.state).Elem())
		if d := cmp.Diff(slow, fast, cmpopts.EquateNaNs()); d != "" {
			rt.Fatalf("the copy shares memory:\n%s", d)
		}
	})
}

// scribble sets every scalar that is reachable from v.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.String:
		v.SetString("scribbled")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	default:
		v.SetUint(v.Uint() ^ 1)
	}
}

// TestStateHasACanonicalForm walks every type that is reachable from State: it
// must have a digest, a stored form and a copy.
func TestStateHasACanonicalForm(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for _, p := range canonical(reflect.TypeFor[projections.State](), "State", seen) {
		t.Error(p)
	}
	if len(seen) < 30 {
		t.Errorf("only %d types were seen", len(seen))
	}
	bad := canonical(reflect.TypeFor[struct {
		M map[string]int
		P []*int
		I struct{ E error }
		u int
	}](), "X", map[reflect.Type]bool{})
	if len(bad) != 4 {
		t.Errorf("the walk finds %q", bad)
	}
}

func canonical(t reflect.Type, path string, seen map[reflect.Type]bool) []string {
	if seen[t] {
		return nil
	}
	seen[t] = true
	var bad []string
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float64, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	case reflect.Slice, reflect.Array:
		bad = canonical(t.Elem(), path+"[]", seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				bad = append(bad, path+"."+f.Name+" is not exported")
				continue
			}
			bad = append(bad, canonical(f.Type, path+"."+f.Name, seen)...)
		}
	default:
		bad = append(bad, path+" is a "+t.String())
	}
	return bad
}
