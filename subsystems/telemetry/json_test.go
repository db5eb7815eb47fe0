package telemetry

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	l "github.com/esper-plane/esper/leyline"
	"github.com/google/go-cmp/cmp"
)

func TestJSONOfAPacket(t *testing.T) {
	p := l.Packet{
		Seq: 9, At: 1_000, Run: "r1", Source: l.SubsystemTolaria, Level: l.LevelWarning, Priority: l.PriorityHigh,
		Metrics: []l.Metric{
			{Name: "a.b", Value: 1.5, Unit: "ms", Attrs: []l.Attr{{Key: "z", Value: "1"}, {Key: "a", Value: strconv.FormatUint(math.MaxUint64, 10)}}},
			{Name: "nan", Value: nan}, {Name: "inf", Value: math.Inf(1)}, {Name: "-inf", Value: math.Inf(-1)},
			{Name: "tiny", Value: 1e-9}, {Name: "big", Value: 1e21}, {Name: "whole", Value: 1e20}, {Name: "zero", Value: math.Copysign(0, -1)},
		},
		Events: []l.TelemetryEvent{{Name: "e", Level: l.LevelWarning, Attrs: []l.Attr{{Key: "text", Value: "a \"quoted\" <b>\n€ \x00"}}}},
	}
	want := `{"seq":9,"source":"tolaria","at":"1970-01-01T00:00:00.000001Z","run":"r1","priority":"HIGH",` +
		`"events":[{"name":"e","level":"WARNING","attrs":{"text":"a \"quoted\" \u003cb\u003e\n€ \u0000"}}],` +
		`"metrics":[{"name":"a.b","value":1.5,"unit":"ms","attrs":{"z":"1","a":"18446744073709551615"}},` +
		`{"name":"nan","value":"NaN","unit":"","attrs":{}},{"name":"inf","value":"Infinity","unit":"","attrs":{}},` +
		`{"name":"-inf","value":"-Infinity","unit":"","attrs":{}},{"name":"tiny","value":1e-9,"unit":"","attrs":{}},` +
		`{"name":"big","value":1e+21,"unit":"","attrs":{}},{"name":"whole","value":100000000000000000000,"unit":"","attrs":{}},` +
		`{"name":"zero","value":-0,"unit":"","attrs":{}}]}`
	if diff := cmp.Diff(want, string(AppendJSON(nil, &p))); diff != "" {
		t.Error(diff)
	}
}

// TestJSONOfTheStories reads every packet back with the standard library.
func TestJSONOfTheStories(t *testing.T) {
	buf := []byte("before")
	for _, p := range allPackets() {
		buf = AppendJSON(buf[:6], &p)
		var got struct {
			Seq      l.Seq
			Source   l.Subsystem
			Run      l.RunID
			Priority l.Priority
			Events   []struct {
				Name  l.EventName
				Level l.Level
				Attrs map[string]string
			}
			Metrics []struct {
				Name  l.MetricName
				Value any
				Unit  string
				Attrs map[string]string
			}
		}
		if err := json.Unmarshal(buf[6:], &got); err != nil {
			t.Fatalf("%s: %v", buf[6:], err)
		}
		if got.Seq != p.Seq || got.Source != p.Source || got.Run != p.Run || got.Priority != p.Priority {
			t.Errorf("read back as %+v", got)
		}
		for i, m := range p.Metrics {
			g := got.Metrics[i]
			if g.Name != m.Name || g.Unit != m.Unit || len(g.Attrs) != len(m.Attrs) {
				t.Errorf("metric read back as %+v, want %+v", g, m)
			}
			if v, finite := g.Value.(float64); finite && v != m.Value {
				t.Errorf("%s is %v, want %v", m.Name, v, m.Value)
			}
		}
		for i, e := range p.Events {
			g := got.Events[i]
			for _, a := range e.Attrs {
				if g.Attrs[a.Key] != a.Value {
					t.Errorf("%s %s is %q, want %q", e.Name, a.Key, g.Attrs[a.Key], a.Value)
				}
			}
		}
	}
}

// TestJSONNumbersAreThoseOfTheLibrary compares random numbers of every size.
func TestJSONNumbersAreThoseOfTheLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		for _, x := range []float64{math.Float64frombits(rng.Uint64()), math.Pow(10, 60*rng.Float64()-30)} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				continue
			}
			want, err := json.Marshal(x)
			if got := appendNumber(nil, x); err != nil || string(got) != string(want) {
				t.Fatalf("%v is written %s, want %s: %v", x, got, want, err)
			}
		}
	}
}
