package cli

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
)

// TestDeterminism runs the same job twice. Everything that was decided is equal
// but times, durations and keys, and so are the final weights.
func TestDeterminism(t *testing.T) {
	steps, fault := "700", "loss-spike@600"
	if testing.Short() { // the race detector makes the arithmetic ten times slower
		steps, fault = "260", "loss-spike@230"
	}
	for _, x := range []struct {
		name string
		args []string
		want leyline.EventKind // must be among the decisions
	}{
		{"penguins", []string{"--fault", "nan@120"}, leyline.EventBlendStepped},
		{"multimnist", []string{"--workload", "multimnist", "--steps", steps, "--seed", "3", "--fault", fault}, leyline.EventPolicyAsked},
	} {
		t.Run(x.name, func(t *testing.T) {
			var digests [2]leyline.Digest
			var histories [2][]leyline.Record
			for i := range digests {
				dir := filepath.Join(t.TempDir(), "data")
				digests[i] = digestOf(t, []byte(esper(t, 0, append([]string{"run", "--json", "--data", dir}, x.args...)...)))
				histories[i] = records(t, dir)
			}
			if digests[0] != digests[1] || digests[0].IsZero() {
				t.Errorf("final weights %s and %s", digests[0].Short(), digests[1].Short())
			}
			a, b := decisions(histories[0]), decisions(histories[1])
			if len(a) < 300 || countOf(a, leyline.EventRollbackFinished) == 0 || countOf(a, x.want) == 0 {
				t.Fatalf("%d decisions; the test shows nothing", len(a))
			}
			if diff := cmp.Diff(a, b, cmpopts.EquateNaNs()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDecisionsDiffer makes sure that decisions shows a difference: another seed.
func TestDecisionsDiffer(t *testing.T) {
	var all [2][]leyline.Event
	for i, seed := range []string{"1", "2"} {
		dir := filepath.Join(t.TempDir(), "data")
		esper(t, 0, "run", "--json", "--data", dir, "--steps", "5", "--seed", seed)
		all[i] = decisions(records(t, dir))
	}
	if cmp.Equal(all[0], all[1]) {
		t.Error("two seeds, one history")
	}
}

func countOf(es []leyline.Event, kind leyline.EventKind) (n int) {
	for _, e := range es {
		if e.EventKind() == kind {
			n++
		}
	}
	return n
}

// decisions are the events of a history without what no two runs share.
func decisions(rs []leyline.Record) []leyline.Event {
	var out []leyline.Event
	for _, r := range rs {
		for _, e := range r.Events {
			switch e.EventKind() {
			case leyline.EventPlaneBooted, leyline.EventKeyEnrolled:
				continue // names, keys
			case leyline.EventEmergencyPublished:
				continue // an action's completion: its place among the steps depends on the disk
			case leyline.EventTrainerStalled, leyline.EventTrainerReturned:
				continue // what they say is how slow the machine was
			}
			v := reflect.New(reflect.TypeOf(e)).Elem()
			v.Set(reflect.ValueOf(e))
			forget(v, e.EventKind())
			out = append(out, v.Interface().(leyline.Event))
		}
	}
	return out
}

// forget zeroes times, durations, keys, the digests of signed commands, measured
// latencies, and ids that are made of a record's position, which completions of
// actions shift.
func forget(v reflect.Value, kind leyline.EventKind) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)) // not shared with the record
		for i := range v.Len() {
			forget(v.Index(i), kind)
		}
	case reflect.Struct:
		if c, ok := v.Addr().Interface().(*leyline.Check); ok && strings.Contains(c.Name, "latency") {
			c.Value = 0
			c.OK = c.OK || c.Mode == leyline.RuleShadow // a slow machine is seen and changes nothing
		}
		if x, ok := v.Addr().Interface().(*leyline.RiskAssessed); ok { // what is measured, and whether it is, is the machine's
			x.Checks = slices.DeleteFunc(slices.Clone(x.Checks), func(c leyline.RiskCheck) bool { return byClock(&c) })
		}
		if x, ok := v.Addr().Interface().(*leyline.IsolationAssessed); ok && x.Health == leyline.SeedDegraded {
			x.Health = leyline.SeedHealthy // degraded is also one whose kernel was slow to come; the count of its fallbacks is compared
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); private(f, kind) {
				v.Field(i).SetZero()
			} else {
				forget(v.Field(i), kind)
			}
		}
	}
}

// byClock says that a risk check only watches measured time, or how busy a device was.
func byClock(c *leyline.RiskCheck) bool {
	return c.Reason == leyline.RiskPolicyTimeout || c.Mode == leyline.RuleShadow && (c.Evaluator == leyline.EvaluatorLatency || c.Reason == leyline.RiskDevice || c.Reason == leyline.RiskCPU)
}

func private(f reflect.StructField, kind leyline.EventKind) bool {
	switch f.Type {
	case reflect.TypeFor[leyline.Instant](), reflect.TypeFor[leyline.KeyID](), reflect.TypeFor[leyline.Seq](),
		reflect.TypeFor[leyline.EffectID](), reflect.TypeFor[leyline.CommandID](), reflect.TypeFor[leyline.RollbackID]():
		return true
	}
	switch f.Name {
	case "StepEWMA", "RateEWMA", "Tokens", "Readings", "FinalizeMs", "PolicyMs", "HookMs", "KasminaApplyMs", "KasminaEndMs", "Unmeasured":
		return true // durations and their means; a bucket that fills with time; shares of devices
	}
	if f.Name == "Cause" && kind == leyline.EventSeedMoved {
		return true // a command's id
	}
	command := kind == leyline.EventCommandVerified || kind == leyline.EventCommandRejected
	return strings.HasSuffix(f.Name, "Ns") || command && f.Name == "Digest"
}
