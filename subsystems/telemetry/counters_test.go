package telemetry

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

func TestCountersOfTheStories(t *testing.T) {
	var c Counters
	for _, p := range allPackets() {
		c.Add(p)
	}
	for _, row := range []struct {
		name  l.MetricName
		attrs []l.Attr
		want  float64
	}{
		{l.MetricReportsPublished, nil, 1},
		{l.MetricCommandsRejected, nil, 100_019},
		{l.MetricCommandsRejected, []l.Attr{{Key: "reason", Value: "nonce_replayed"}}, 2},
		{l.MetricCommandsRejected, []l.Attr{{Key: "reason", Value: "malformed"}}, 0},
		{l.MetricLedgerEvictions, nil, 2},
		{l.MetricCommandsAccepted, []l.Attr{{Key: "operation", Value: "GERMINATE"}, {Key: "run", Value: "r1"}}, 1},
		{l.MetricCommandsAccepted, []l.Attr{{Key: "operation", Value: "GERMINATE"}, {Key: "run", Value: "r2"}}, 0},
		{l.MetricPrefetchRequests, nil, 8},
		{l.MetricPrefetchRequests, []l.Attr{{Key: "status", Value: "scheduled"}}, 1},
		{l.MetricPrefetchRequests, []l.Attr{{Key: "status", Value: "canceled"}}, 2},
		{l.MetricRiskShadow, []l.Attr{{Key: "check", Value: "loss_spike"}}, 2},
		{l.MetricRollbackFailures, nil, 1},
		{l.MetricRollbackDeadline, nil, 2},
		{l.MetricSnapshotsTotal, []l.Attr{{Key: "tier", Value: "full"}}, 1},
		{l.MetricTrainingLoss, nil, 0}, // a gauge is not summed
	} {
		if got := c.Value(row.name, row.attrs...); got != row.want {
			t.Errorf("%s%s = %v, want %v", row.name, printAttrs(row.attrs), got, row.want)
		}
	}
}

// TestCountersAgainstASlowTwin adds random packets in two orders and compares
// with a plain map.
func TestCountersAgainstASlowTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	names := []l.MetricName{l.MetricSnapshotsTotal, l.MetricEpochs, l.MetricTrainingLoss, l.MetricPrefetchRequests}
	values := []string{"", "x", "y", "xy"}
	var packets []l.Packet
	twin := make(map[string]float64)
	for range 2000 {
		m := l.Metric{Name: names[rng.IntN(len(names))], Value: 1, Unit: "count"}
		for _, key := range [][]string{nil, {"k"}, {"kk"}, {"k", "kk"}}[rng.IntN(4)] {
			m.Attrs = append(m.Attrs, l.Attr{Key: key, Value: values[rng.IntN(len(values))]})
		}
		packets = append(packets, l.Packet{Metrics: []l.Metric{m}})
		if IsCounter(m.Name) {
			twin[string(m.Name)+printAttrs(m.Attrs)]++
		}
	}
	var forward, backward Counters
	for i := range packets {
		forward.Add(packets[i])
		backward.Add(packets[len(packets)-1-i])
	}
	rows := forward.All()
	if !reflect.DeepEqual(rows, backward.All()) {
		t.Error("totals depend on the order of packets")
	}
	if len(rows) != len(twin) {
		t.Errorf("%d rows, the twin has %d", len(rows), len(twin))
	}
	for _, r := range rows {
		if want := twin[string(r.Name)+printAttrs(r.Attrs)]; r.Value != want {
			t.Errorf("%s%s = %v, the twin has %v", r.Name, printAttrs(r.Attrs), r.Value, want)
		}
	}
	if !slices.IsSortedFunc(rows, compareMetrics) {
		t.Error("rows are not sorted")
	}
}

func TestCountersAreIndependentOfPacketsAndCopies(t *testing.T) {
	attrs := []l.Attr{{Key: "run", Value: "r1"}}
	var c Counters
	c.Add(l.Packet{Metrics: []l.Metric{{Name: l.MetricEpochs, Value: 1, Attrs: attrs}}})
	attrs[0].Value = "changed in the packet"
	copied := c.All()
	copied[0].Attrs[0].Value = "changed in the copy"
	copied[0].Value = 99
	if got := c.Value(l.MetricEpochs, l.Attr{Key: "run", Value: "r1"}); got != 1 {
		t.Errorf("the total for run r1 is %v, want 1", got)
	}
}
