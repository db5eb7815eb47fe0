package decider_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// FuzzDecide leads a plane through a history in which every other input is
// scrambled. Whatever comes in, no rule decides an invalid event, which would end
// the process, and every record can be stored and read again.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(24) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newWorld(t, func(c *leyline.ExecutionConfig) {
			c.Tamiyo.PolicyInline = seed%2 == 0
			c.Tolaria.DivergeWarmup, c.Tolaria.DivergeSteps = 3, 2
			c.Kasmina.EmbargoSteps, c.Kasmina.Embargo = 1, 1
		})
		w.open()
		z := &scrambler{w: w, r: detmath.NewPCG(seed, 7)}
		for i := 0; i < 400 && w.run().Status == leyline.RunStatusOpen; i++ {
			z.next()
		}
		w.readable()
	})
}

// readable stores and reads every record.
func (w *world) readable() {
	w.t.Helper()
	for _, r := range w.log {
		b, err := wire.AppendRecord(nil, r)
		if err != nil {
			continue // the door refuses an input that has no stored form
		}
		if _, err := wire.DecodeRecord(r.Seq, r.At, b); err != nil {
			w.t.Fatal(err)
		}
	}
}

// scrambler makes histories.
type scrambler struct {
	w *world
	r *detmath.PCG
}

func (z *scrambler) pick(n int) int { return int(z.r.Uint64() % uint64(n)) }

// next feeds one input: one that fits, or one of which fields were changed.
func (z *scrambler) next() {
	in := z.fitting()
	if z.pick(4) == 0 {
		v := reflect.New(reflect.TypeOf(in)).Elem()
		v.Set(reflect.ValueOf(in))
		z.scramble(v)
		in = v.Interface().(leyline.Input)
	}
	switch z.pick(300) {
	case 0:
		z.w.at = z.w.at.Add(13 * time.Second)
	case 1:
		z.w.at = z.w.at.Add(time.Hour)
	}
	z.w.feed(in)
	z.w.inc = z.w.run().Incarnation
}

// fitting is an input that the plane may be waiting for.
func (z *scrambler) fitting() leyline.Input {
	w := z.w
	if run := w.run(); run.Rollback.Active() && z.pick(2) == 0 {
		x := w.rollback(run.Rollback.Phase, leyline.Digest{1})
		if s := run.Snapshot(run.Rollback.Snapshot); s != nil && z.pick(10) > 0 {
			x.Digest = s.Digest
		}
		return x
	}
	switch z.pick(24) {
	case 0, 7, 8:
		return w.snapshot(fmt.Sprintf("s-%d", z.pick(1<<20)))
	case 1, 9, 10, 11:
		return z.answer()
	case 2:
		return w.received(w.valid(z.command()))
	case 3:
		if due, ok := w.s.NextTimer(); ok && (due.Timer != leyline.TimerRollback || z.pick(20) == 0) {
			w.at = max(w.at, due.Due)
			return due
		}
	case 4:
		return z.rare()
	case 5:
		if w.run().Track.Step < 12 || z.pick(2) > 0 {
			break
		}
		x := w.report()
		x.Losses = []float64{[]float64{math.NaN(), math.Inf(1), 1e308, 40}[z.pick(4)], 1}
		return x
	case 6:
		for _, id := range w.s.Kasmina.ProbesDue("run-1", w.run().Track.Step) {
			return w.probe(id, 0.02)
		}
	}
	return w.report()
}

// answer completes what is outstanding.
func (z *scrambler) answer() leyline.Input {
	w := z.w
	if k := w.seed().Kernel; !k.Request.IsZero() {
		if z.pick(4) == 0 {
			return leyline.KernelFailed{Request: k.Request, Run: "run-1", Seed: "seed-a", Outcome: leyline.OutcomeFailed, Reason: "x"}
		}
		return leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6}
	}
	if q := w.s.Tamiyo.Run("run-1").Asked.Effect; !q.IsZero() {
		if z.pick(3) == 0 {
			return leyline.PolicyFailed{Request: q, Run: "run-1", Outcome: leyline.OutcomeDeadline, Reason: "late"}
		}
		return w.honest(q)
	}
	for _, p := range w.s.Kasmina.Pending {
		return leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: p.Command, Outcome: leyline.OutcomeOK}
	}
	return leyline.EpochObserved{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Epoch: w.run().Track.Epoch + 1,
		Losses: []float64{1, 1}, Accuracies: []float64{0, 1}, Samples: 1,
	}
}

func (z *scrambler) command() leyline.SeedCommand {
	c := germinate()
	c.Operation = leyline.SeedOperation(z.pick(10))
	c.Blend = leyline.BlendPlan{Mode: leyline.BlendMode(z.pick(5)), TotalSteps: uint32(z.pick(3)), Temperature: float64(z.pick(3))}
	switch c.Blend.Mode {
	case leyline.BlendChannel:
		c.Blend.Channels, c.Blend.ChannelCount = []float64{0.5, float64(z.pick(3))}, 2
	case leyline.BlendConfidence:
		c.Blend.Gate, c.Blend.Source = leyline.ConfidenceGate{K: 4, Lo: float64(z.pick(2)), Hi: 1}, leyline.LogitSource(z.pick(3))
	}
	return c
}

// rare begins a process or a life, or sends any other kind of input.
func (z *scrambler) rare() leyline.Input {
	w := z.w
	switch z.pick(4) {
	case 0:
		return leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version}
	case 1:
		again := w.run().Plan
		again.Resume = true
		for _, s := range w.run().Snapshots {
			if z.pick(3) == 0 {
				again.Damaged = append(again.Damaged, leyline.SnapshotCopy{Snapshot: s.ID, Tier: s.Copies[0].Tier})
			}
		}
		return again
	case 2:
		other := signer(w.t, 5)
		key := leyline.Key{ID: other.KeyID(), Public: other.Public(), Issuer: "operator", Kinds: []leyline.CommandKind{leyline.CommandSeed}}
		z.scramble(reflect.ValueOf(&key).Elem())
		if body, err := wire.EncodeKey(key); err == nil {
			return leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)}
		}
	}
	inputs := leylinetest.Inputs()
	in := inputs[z.pick(len(inputs))].Value
	if in.InputKind() == leyline.InputRunClosed {
		return w.report() // nothing happens to a run that has ended
	}
	return in
}

// scramble changes about one field in eight to what may break a rule.
func (z *scrambler) scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			z.scramble(v.Field(i))
		}
		return
	case reflect.Slice:
		if z.pick(8) == 0 {
			v.Set(v.Slice(0, z.pick(v.Len()+1)))
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		v.Set(c)
		for i := range v.Len() {
			z.scramble(v.Index(i))
		}
		return
	}
	if z.pick(8) > 0 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, v.Int() + 1}[z.pick(6)])
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{0, 1, math.MaxUint64, v.Uint() + 1}[z.pick(4)] & (1<<v.Type().Bits() - 1))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, -1, 1e308, math.NaN(), math.Inf(1), math.Inf(-1)}[z.pick(7)])
	case reflect.String:
		v.SetString([]string{"", "a b", "\xff", "seed-a", "run-2", "s-1"}[z.pick(6)])
	}
}

// TestFullCountStaysFull: a seed that is kept is looked at in every step from
// then on.
func TestFullCountStaysFull(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Stage != leyline.StageTraining {
		w.steps(1)
	}
	w.seed().Isolation.Steps = math.MaxUint32
	if e := one[leyline.IsolationAssessed](w, w.must(w.report())); e.Steps != math.MaxUint32 {
		t.Errorf("after 2^32-1 steps comes step %d", e.Steps)
	}
}
