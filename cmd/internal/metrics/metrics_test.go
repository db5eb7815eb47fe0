package metrics

import (
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	l "github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/telemetry"
	"github.com/esper-plane/esper/subsystems/worker"
)

// record folds the events of one record.
func record(c *Collector, seq l.Seq, run l.RunID, in l.Input, events ...l.Event) {
	c.Add(telemetry.Packets(l.Record{Seq: seq, Run: run, Input: in, Events: events}))
}

// shown returns the lines of the series whose name begins so, without help.
func shown(t *testing.T, c *Collector, name string) []string {
	t.Helper()
	h, err := NewHandler(c)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %s %v", w.Code, body, err)
	}
	var out []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, name) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func want(t *testing.T, c *Collector, name string, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, shown(t, c, name)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// everything measures every name that records or the process can give.
func everything() *Collector {
	process := func() (out []l.Metric) {
		for _, m := range l.Metrics() {
			if m.Status == l.NameProcess && m.Name != l.MetricSeriesDropped {
				out = append(out, example(m))
			}
		}
		return out
	}
	c := New(Options{Process: []func() []l.Metric{process}})
	for _, m := range l.Metrics() {
		if m.Status == l.NameEmitted {
			c.Add([]l.Packet{{Run: "r1", Metrics: []l.Metric{example(m)}}})
		}
	}
	return c
}

func example(m l.MetricInfo) l.Metric {
	out := l.Metric{Name: m.Name, Value: 1500, Unit: m.Unit}
	for _, key := range strings.Fields(m.Keys) {
		out.Attrs = append(out.Attrs, l.Attr{Key: key, Value: "r1"})
	}
	return out
}

// TestNamesPleasePrometheus runs its linter over every name.
func TestNamesPleasePrometheus(t *testing.T) {
	c := everything()
	problems, err := testutil.CollectAndLint(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	rows := 0
	for _, m := range l.Metrics() {
		if m.Status != l.NameReserved {
			rows++
		}
	}
	if n := testutil.CollectAndCount(c); n != rows {
		t.Errorf("%d series for %d names", n, rows)
	}
}

// TestNamesAreDistinct looks at every name, also of what is not emitted yet.
func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]l.MetricName{}
	for _, m := range l.Metrics() {
		name := SeriesName(m)
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s are both called %s", m.Name, other, name)
		}
		seen[name] = m.Name
		if (m.Kind == l.MetricCounter) != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s and called %s", m.Name, m.Kind, name)
		}
	}
}

func TestSeriesInFull(t *testing.T) {
	c := New(Options{})
	record(c, 2, "r1", l.StepObserved{Run: "r1", PreviousNs: 2_500_000, ForwardNs: 1_000_000})
	record(c, 3, "r1", l.StepObserved{Run: "r1", PreviousNs: 1_500_000})
	record(c, 4, "r1", nil, l.EpochAssessed{Run: "r1", Accuracies: []float64{0.5, math.NaN()}})
	record(c, 5, "r1", nil, l.EpochAssessed{Run: "r1"})
	expected := `# HELP esper_tolaria_training_latency_seconds The whole step before the last one as the trainer measured it.
# TYPE esper_tolaria_training_latency_seconds gauge
esper_tolaria_training_latency_seconds{run="r1"} 0.0015
# HELP esper_tolaria_training_forward_seconds Forward and backward pass of the last step as the trainer measured it.
# TYPE esper_tolaria_training_forward_seconds gauge
esper_tolaria_training_forward_seconds{run="r1"} 0.001
# HELP esper_tolaria_epochs_total Held-out evaluations at the end of an epoch.
# TYPE esper_tolaria_epochs_total counter
esper_tolaria_epochs_total{run="r1"} 2
# HELP esper_tolaria_training_accuracy_ratio Held-out accuracy of a task by its place in the plan, or of all tasks.
# TYPE esper_tolaria_training_accuracy_ratio gauge
esper_tolaria_training_accuracy_ratio{run="r1",task="0"} 0.5
esper_tolaria_training_accuracy_ratio{run="r1",task="1"} NaN
esper_tolaria_training_accuracy_ratio{run="r1",task="all"} NaN
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(expected), "esper_tolaria_training_latency_seconds",
		"esper_tolaria_training_forward_seconds", "esper_tolaria_epochs_total", "esper_tolaria_training_accuracy_ratio"); err != nil {
		t.Error(err)
	}
}

// TestCountersAreThoseOfTheFold compares with telemetry.Counters.
func TestCountersAreThoseOfTheFold(t *testing.T) {
	c := New(Options{})
	var n telemetry.Counters
	reasons := l.RejectNone.Members()
	for i := range 500 {
		packets := telemetry.Packets(l.Record{Seq: l.Seq(i + 2), Events: []l.Event{l.CommandRejected{Reason: reasons[i%len(reasons)]}}})
		c.Add(packets)
		for _, p := range packets {
			n.Add(p)
		}
	}
	var lines []string
	for _, m := range n.All() {
		lines = append(lines, fmt.Sprintf("esper_kasmina_command_verifier_rejections_total{reason=%q} %v", m.Attrs[0].Value, m.Value))
	}
	want(t, c, "esper_kasmina_command_verifier_rejections_total", lines...)
}

// TestRewind: a rollback makes the gauges of its run's seeds unknown, and leaves
// counters and other runs alone.
func TestRewind(t *testing.T) {
	for name, e := range map[string]l.Event{
		"rollback": l.RollbackFinished{Run: "r1", Outcome: l.OutcomeOK}, "resume": l.RunResumed{Run: "r1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{})
			for _, run := range []l.RunID{"r1", "r2"} {
				record(c, 2, run, nil, l.SeedMoved{Run: run, Seed: "s1", To: l.StageTraining},
					l.GateEvaluated{Run: run, Seed: "s1", Gate: l.GateSanity, Passed: true},
					l.BlendConfigured{Run: run, Seed: "s1", Plan: l.BlendPlan{Mode: l.BlendConvex}})
			}
			// What the record of the rewind measures itself stays.
			record(c, 3, "r1", nil, e, l.SeedMoved{Run: "r1", Seed: "s2", To: l.StageDormant})
			want(t, c, "esper_kasmina_seed_stage", `esper_kasmina_seed_stage{run="r1",seed_id="s2"} 1`, `esper_kasmina_seed_stage{run="r2",seed_id="s1"} 3`)
			want(t, c, "esper_kasmina_gate",
				`esper_kasmina_gate_evaluations_total{gate="G0_SANITY",passed="true",run="r1"} 1`,
				`esper_kasmina_gate_evaluations_total{gate="G0_SANITY",passed="true",run="r2"} 1`,
				`esper_kasmina_gate_passed{gate="G0_SANITY",run="r2",seed_id="s1"} 1`)
			want(t, c, "esper_kasmina_blend_total_steps", `esper_kasmina_blend_total_steps{run="r2",seed_id="s1"} 0`)
		})
	}
}

func losses(runs ...string) (out []string) {
	for _, r := range runs {
		out = append(out, fmt.Sprintf("esper_tolaria_training_loss{run=%q} 1", r))
	}
	return out
}

func step(c *Collector, run l.RunID) {
	record(c, 2, run, nil, l.TrainingAssessed{Run: run, Loss: 1, Health: l.HealthSuspect})
}

// TestEndedRunsAreDropped: the last values stay until more runs have ended.
func TestEndedRunsAreDropped(t *testing.T) {
	c := New(Options{Ended: 2})
	step(c, "open")
	for _, run := range []l.RunID{"a", "b", "c"} {
		step(c, run)
		record(c, 3, run, nil, l.RunEnded{Run: run})
	}
	want(t, c, "esper_tolaria_training_loss{", losses("b", "c", "open")...)
	want(t, c, "esper_plane_telemetry_series_dropped_total", "esper_plane_telemetry_series_dropped_total 0")
}

// TestRunsAreBounded: the run that was heard of least recently goes, and that is
// said.
func TestRunsAreBounded(t *testing.T) {
	c := New(Options{Runs: 3})
	for _, run := range []l.RunID{"a", "b", "c", "a", "d"} {
		step(c, run)
	}
	want(t, c, "esper_tolaria_training_loss{", losses("a", "c", "d")...)
	want(t, c, "esper_plane_telemetry_series_dropped_total", "esper_plane_telemetry_series_dropped_total 3") // its step, its loss, whether it was profiled
}

func TestSeriesAreBounded(t *testing.T) {
	c := New(Options{Series: 6})
	for _, run := range []l.RunID{"a", "b", "c", "a", "c"} {
		step(c, run)
	}
	want(t, c, "esper_tolaria_training_loss{", losses("a", "b")...)
	want(t, c, "esper_plane_telemetry_series_dropped_total", "esper_plane_telemetry_series_dropped_total 6")
	if len(c.runs) != 2 {
		t.Errorf("%d runs are kept", len(c.runs))
	}
}

// TestProcess shows a hub and a worker, and an unknown name as what it is.
func TestProcess(t *testing.T) {
	hub, err := telemetry.NewHub(telemetry.HubOptions{EmergencyPerMin: 120})
	if err != nil {
		t.Fatal(err)
	}
	hub.Publish(l.Record{Seq: 2, At: 1})
	stats := worker.Stats{Submitted: 3, Done: 2, Failed: 1}
	stats.Ran.Done.Max, stats.Ran.Done.Counts[len(stats.Ran.Done.Counts)-1] = 90*time.Second, 1
	c := New(Options{Process: []func() []l.Metric{hub.Metrics, func() []l.Metric { return Worker(stats) }}})
	want(t, c, "esper_plane_telemetry_records", "esper_plane_telemetry_records_total 1")
	want(t, c, "esper_plane_telemetry_emergency", "esper_plane_telemetry_emergency_tokens 120")
	want(t, c, "esper_plane_worker_ran", `esper_plane_worker_ran_seconds{share="0.5"} 90`, `esper_plane_worker_ran_seconds{share="0.99"} 90`,
		`esper_plane_worker_ran_seconds{share="1"} 90`)
	want(t, c, "esper_plane_worker_ended", `esper_plane_worker_ended_total{state="cancelled"} 0`, `esper_plane_worker_ended_total{state="done"} 2`,
		`esper_plane_worker_ended_total{state="failed"} 1`, `esper_plane_worker_ended_total{state="timed_out"} 0`)
	kernels := New(Options{Process: []func() []l.Metric{func() []l.Metric {
		return Kernels(kernelcache.Stats{Kernels: 2, Bytes: 9, Found: 1, Read: 3, Evicted: 4, Expired: 5, Cleared: 6})
	}}})
	want(t, kernels, "esper_kasmina_cache_kernel", `esper_kasmina_cache_kernel_bytes 9`, `esper_kasmina_cache_kernel_evictions_total{cause="age"} 5`,
		`esper_kasmina_cache_kernel_evictions_total{cause="cleared"} 6`, `esper_kasmina_cache_kernel_evictions_total{cause="room"} 4`,
		`esper_kasmina_cache_kernel_hit_rate_ratio 0.25`, `esper_kasmina_cache_kernel_size 2`)
	full := New(Options{Process: []func() []l.Metric{func() []l.Metric {
		return Process("v1", func() (uint64, uint64, error) { return 5, 9, nil })
	}}})
	want(t, full, "esper_plane_", `esper_plane_build{version="v1"} 1`, "esper_plane_disk_free_bytes 5", "esper_plane_telemetry_series_dropped_total 0")
	if rows := Process("v1", func() (uint64, uint64, error) { return 0, 0, io.EOF }); len(rows) != 1 {
		t.Errorf("a disk that does not answer is shown as %+v", rows)
	}
	if lines := shown(t, c, "go_goroutines"); len(lines) != 1 {
		t.Errorf("the runtime says %q", lines)
	}
	wrong := New(Options{Process: []func() []l.Metric{func() []l.Metric { return []l.Metric{{Name: "plane.nonsense"}} }}})
	if _, err := testutil.CollectAndLint(wrong); err == nil || !strings.Contains(err.Error(), "plane.nonsense is not in the catalogue") {
		t.Errorf("an unknown name: %v", err)
	}
}

// TestScrapesDoNotDisturb scrapes while packets are folded.
func TestScrapesDoNotDisturb(t *testing.T) {
	c := New(Options{Ended: 1, Runs: 2})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 2000 {
			run := l.RunID(fmt.Sprint("r", i/10))
			step(c, run)
			if i%10 == 9 {
				record(c, 3, run, nil, l.RunEnded{Run: run})
			}
		}
	})
	for range 20 {
		if lines := shown(t, c, "esper_tolaria_training_loss{"); len(lines) > 2 || !slices.IsSorted(lines) {
			t.Errorf("shown %q", lines)
		}
	}
	wg.Wait()
}
