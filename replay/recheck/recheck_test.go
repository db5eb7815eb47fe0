package recheck_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// TestEveryVerdictOfThePlaneIsDerivedAgain holds the verifier of the deciders against
// the one of this package: two programs that must agree on every command.
func TestEveryVerdictOfThePlaneIsDerivedAgain(t *testing.T) {
	reasons := map[leyline.RejectReason]int{}
	for seed := range uint64(12) {
		h := newHistory(t, seed)
		h.live(400)
		rep := h.report(h.log)
		for _, d := range rep.Listed {
			t.Errorf("seed %d: %+v", seed, d)
		}
		if rep.Commands != rep.Accepted+rep.Rejected+rep.Refused || rep.InFull+rep.AsAuthentic != rep.Accepted+rep.Rejected || rep.Counted == 0 {
			t.Errorf("seed %d: the counts do not add up: %+v", seed, rep)
		}
		for _, r := range h.log {
			for _, e := range r.Events {
				switch x := e.(type) {
				case leyline.CommandRejected:
					reasons[x.Reason]++
				case leyline.CommandVerified:
					reasons[leyline.RejectNone]++
				}
			}
		}
	}
	for r := range leyline.RejectRateLimited + 1 {
		if !leyline.Authentic(r) && r != leyline.RejectLedgerFull && reasons[r] == 0 {
			t.Errorf("no command was rejected as %s: the test shows nothing of it", r)
		}
	}
	if reasons[leyline.RejectNone] == 0 {
		t.Error("no command was accepted")
	}
}

// TestEveryForgedFieldIsFound changes each field of each verdict of a log, one at a
// time, as somebody who frames it anew could.
func TestEveryForgedFieldIsFound(t *testing.T) {
	h := newHistory(t, 3)
	h.live(60)
	verdicts := 0
	for i, r := range h.log {
		for j, e := range r.Events {
			switch e.(type) {
			case leyline.CommandVerified, leyline.CommandRejected:
				verdicts++
				h.forge(i, j)
			}
		}
	}
	if verdicts < 30 {
		t.Fatalf("only %d verdicts", verdicts)
	}
}

// forge tries every field of event j of record i.
func (h *history) forge(i, j int) {
	was := h.log[i].Events
	defer func() { h.log[i].Events = was }()
	typ := reflect.TypeOf(was[j])
	for f := range typ.NumField() {
		forged := reflect.New(typ).Elem()
		forged.Set(reflect.ValueOf(was[j]))
		if !alter(forged.Field(f)) {
			h.t.Fatalf("no way to alter %s.%s", typ, typ.Field(f).Name)
		}
		events := append([]leyline.Event(nil), was...)
		events[j] = forged.Interface().(leyline.Event)
		h.log[i].Events = events
		x, rejected := events[j].(leyline.CommandRejected)
		if rejected && leyline.Authentic(x.Reason) && (typ.Field(f).Name == "Reason" || typ.Field(f).Name == "Detail") {
			continue // a reason in the state of the run is not vouched for here
		}
		if name := typ.Field(f).Name; name == "Blueprint" || name == "Grown" {
			continue // nor what the network was then: they are no part of the verdict
		}
		if h.report(h.log).Differences == 0 {
			h.t.Errorf("record %d: %s.%s is forged and not found", h.log[i].Seq, typ, typ.Field(f).Name)
		}
	}
}

// alter changes the first thing in a value that can be changed.
func alter(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() ^ 1)
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Array:
		v.Index(0).SetUint(v.Index(0).Uint() ^ 1)
	case reflect.Struct:
		return alter(v.Field(0))
	default:
		return false
	}
	return true
}

// TestForgedHistoryIsFound changes what a record says happened, not a verdict's field.
func TestForgedHistoryIsFound(t *testing.T) {
	for name, forge := range map[string]func(h *history){
		"a verdict without a command": func(h *history) {
			h.log[0].Events = append(h.log[0].Events, leyline.CommandVerified{Command: "c"})
		},
		"a verdict that is missing": func(h *history) { h.log[h.first()].Events = nil },
		"a guard that refused what it had to admit": func(h *history) {
			h.log[h.first()].Events = []leyline.Event{leyline.DependencyViolated{}}
		},
		"another admin key": func(h *history) {
			x := h.log[0].Input.(leyline.PlaneStarted)
			x.AdminKey = h.keys[0].Public()
			h.log[0].Input = x
		},
		"a key that nobody vouched for": func(h *history) {
			x := h.log[1].Input.(leyline.KeyAdded)
			x.Envelope.Signature = make([]byte, 64)
			h.log[1].Input = x
		},
		"a key with other permissions": func(h *history) {
			x := h.log[1].Events[0].(leyline.KeyEnrolled)
			x.Key.Rate = 99
			h.log[1].Events = []leyline.Event{x}
		},
		"a configuration that nobody signed": func(h *history) {
			x := h.log[2].Input.(leyline.ConfigApplied)
			x.Envelope.KeyID = h.keys[0].KeyID()
			h.log[2].Input = x
		},
		"another configuration": func(h *history) {
			x := h.log[2].Events[0].(leyline.ConfigAdopted)
			x.Config.Kasmina.Skew++
			h.log[2].Events = []leyline.Event{x}
		},
		"a command moved in time": func(h *history) { h.log[h.first()].At += leyline.Instant(time.Hour) },
	} {
		h := newHistory(t, 4)
		h.live(40)
		if rep := h.report(h.log); rep.Differences != 0 {
			t.Fatalf("%s: differences before anything is forged: %+v", name, rep.Listed)
		}
		if forge(h); h.report(h.log).Differences == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

// first is the first record with an accepted command.
func (h *history) first() int {
	for i, r := range h.log {
		for _, e := range r.Events {
			if _, ok := e.(leyline.CommandVerified); ok {
				return i
			}
		}
	}
	h.t.Fatal("no command was accepted")
	return 0
}

// BenchmarkRecheck derives the verdicts of a log of commands: a signature each.
func BenchmarkRecheck(b *testing.B) {
	h := newHistory(&testing.T{}, 1)
	h.live(500)
	b.ReportMetric(0, "ns/op")
	n := 0
	for b.Loop() {
		n += int(h.report(h.log).Commands)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "commands/s")
}
