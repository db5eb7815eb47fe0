package wire

import (
	"math"
	"reflect"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// populate sets every field below v to a value that is neither zero nor equal
// to its neighbours: two elements per slice, boundary values for numbers.
func populate(v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int:
		v.SetInt(-int64(*n) * 1_000_003)
	case reflect.Uint8:
		if k, ok := v.Interface().(known); ok && k.Known() {
			if v.SetUint(1 + *n%2); !v.Interface().(known).Known() {
				v.SetUint(1) // an enum of one member
			}
			return
		}
		v.SetUint(*n % 256)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(1<<v.Type().Bits() - 1 - *n)
	case reflect.Float64:
		v.SetFloat(math.Pi * float64(*n))
	case reflect.String:
		v.SetString("text-" + string(rune('a'+*n%26)) + string(rune('a'+*n/26%26)))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		populateAll(v.Len(), v.Index, n)
	case reflect.Array:
		populateAll(v.Len(), v.Index, n)
	case reflect.Struct:
		populateAll(v.NumField(), v.Field, n)
	default:
		panic("populate: " + v.Type().String())
	}
}

func populateAll(count int, at func(int) reflect.Value, n *uint64) {
	for i := range count {
		populate(at(i), n)
	}
}

func full(t reflect.Type) reflect.Value {
	var n uint64
	v := reflect.New(t).Elem()
	populate(v, &n)
	return v
}

func fullOf[T any]() T { return full(reflect.TypeFor[T]()).Interface().(T) }

// stepRecord is what one step of a three-task run with one blending seed
// leaves in the log.
func stepRecord() leyline.Record {
	run := leyline.RunID("penguins-0001")
	moments := leyline.Moments{Mean: 0.71234, Var: 0.0123, N: 412}
	return leyline.Record{
		Seq: 4711, At: 1_790_000_000_123_456_789, Wall: 1_790_000_000_123_999_000, Run: run,
		Input: leyline.StepObserved{
			Run: run, Incarnation: 2, Step: 412,
			Losses: []float64{0.61, 0.72, 0.83},
			Gram:   []float64{1.5, -0.2, 0.1, -0.2, 2.5, 0.3, 0.1, 0.3, 3.5},
			Seed:   0x9e3779b97f4a7c15, Samples: 32, LearnRate: 0.01,
			Seeds: []leyline.SeedObserved{{
				Seed: "slot-0", Alpha: 0.31, GradNorm: 0.9, HostNorm: 1.7, Cosine: 0.1, Leak: 0, Loss: 0.4, Stage: leyline.StageBlending,
			}},
			ForwardNs: 812_345, PreviousNs: 1_234_567,
		},
		Events: []leyline.Event{
			leyline.GradientsCombined{
				Run: run, Step: 412, Method: leyline.AggregationPCGrad,
				Weights: []float64{1.08, 1.13, 1}, Conflicts: 1, Ratio: 1. / 3,
			},
			leyline.TrainingAssessed{
				Run: run, Step: 412, Health: leyline.HealthHealthy, Loss: 0.72, Delta: 0.008,
				LossEWMA: moments, GradEWMA: moments, ConflictEWMA: moments, QuietBy: 1_790_000_010_123_456_789,
			},
			leyline.BlendStepped{Run: run, Seed: "slot-0", AlphaStep: 9, Alpha: 0.38, TotalSteps: 20, Temperature: 2},
		},
	}
}

// decodeForm decodes a record by its form alone. The values of fullOf are made to
// exercise the form: as events most of them are not valid.
func decodeForm(seq leyline.Seq, at leyline.Instant, b []byte) (leyline.Record, error) {
	return decodeJudged(seq, at, b, func(leyline.Event) error { return nil })
}

func mustRecord(t testing.TB, r leyline.Record) []byte {
	t.Helper()
	b, err := AppendRecord(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
