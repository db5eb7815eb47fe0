package decider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

const (
	diskLimit = 256 << 20 // of the default configuration
	diskSize  = 1 << 40
)

func free(bytes uint64) leyline.DiskMeasured {
	return leyline.DiskMeasured{Free: bytes, Total: diskSize}
}

// configure applies another configuration.
func (w *world) configure(change func(*leyline.ExecutionConfig)) {
	w.t.Helper()
	change(&w.config)
	body, err := wire.EncodeConfig(w.config)
	w.check(err)
	w.must(leyline.ConfigApplied{Envelope: w.admin.Sign(leyline.PayloadConfig, body)})
}

// TestDiskIsJudgedWithHysteresis walks over both edges. What changes nothing is
// admitted and decides nothing.
func TestDiskIsJudgedWithHysteresis(t *testing.T) {
	w := newWorld(t)
	low := func(b uint64) leyline.Event {
		return leyline.DiskLow{Free: b, Total: diskSize, Threshold: diskLimit}
	}
	recovered := func(b uint64) leyline.Event {
		return leyline.DiskRecovered{Free: b, Total: diskSize, Threshold: diskLimit}
	}
	const enough = diskLimit + diskLimit/4
	for i, c := range []struct {
		free uint64
		want leyline.Event
	}{
		{diskSize, nil}, {diskLimit, nil}, {diskLimit - 1, low(diskLimit - 1)}, {0, nil}, {diskLimit, nil}, {enough - 1, nil},
		{enough, recovered(enough)}, {enough, nil}, {diskLimit, nil}, {0, low(0)}, {diskSize, recovered(diskSize)},
	} {
		var want []leyline.Event
		if c.want != nil {
			want = []leyline.Event{c.want}
		}
		if d := cmp.Diff(want, w.must(free(c.free))); d != "" {
			t.Errorf("measurement %d, %d bytes free:\n%s", i, c.free, d)
		}
	}
}

// TestNewRunsAreRefusedWhileTheDiskIsLow: a new run is refused by name with the
// figures and the fix; a run that was begun goes on and is resumed.
func TestNewRunsAreRefusedWhileTheDiskIsLow(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(6)
	other := plan()
	other.Run = "run-2"
	w.must(free(diskLimit - 5))
	r := w.refused(other)
	if r.Kind != leyline.RefusalDiskLow || r.Subsystem != leyline.SubsystemPlane || r.Identifier != "run-2" {
		t.Errorf("refused as %v", &r)
	}
	for _, part := range []string{"268435451 bytes", "268435456", "log.min_free_mib = 256", "335544320 bytes", "or lower log.min_free_mib"} {
		if !strings.Contains(r.Error(), part) {
			t.Errorf("the refusal does not say %q: %v", part, &r)
		}
	}
	w.steps(2)
	again := plan()
	again.Resume = true
	w.inc = one[leyline.RunResumed](w, w.must(again)).Incarnation
	w.steps(2)
	if r := w.refused(other); r.Kind != leyline.RefusalDiskLow {
		t.Errorf("after a resume: refused as %s", r.Kind)
	}
	if r := w.refused(plan()); r.Kind != leyline.RefusalRunExists {
		t.Errorf("a run that exists is refused as %s", r.Kind)
	}
	w.must(free(diskSize))
	one[leyline.RunStarted](w, w.must(other))
}

// TestAnotherLimitDecidesAnotherHistory feeds the inputs of one history under
// other limits.
func TestAnotherLimitDecidesAnotherHistory(t *testing.T) {
	for limit, want := range map[uint32]string{
		0: " run.started seed.moved", 1: " run.started seed.moved", 100: " run.started seed.moved", 101: "disk.low dependency.violated", 1<<32 - 1: "disk.low dependency.violated",
	} {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Log.MinFreeMiB = limit })
		if got := kinds(w.must(free(100<<20))) + " " + kinds(w.feed(plan())); got != want {
			t.Errorf("limit %d MiB: %q, want %q", limit, got, want)
		}
	}
}

// TestWatchThatIsTurnedOffRefusesNothing: a shortage does not outlive the rule
// that found it, and the next measurement says so.
func TestWatchThatIsTurnedOffRefusesNothing(t *testing.T) {
	w := newWorld(t)
	w.must(free(1))
	w.refused(plan())
	w.configure(func(c *leyline.ExecutionConfig) { c.Log.MinFreeMiB = 0 })
	w.open()
	want := []leyline.Event{leyline.DiskRecovered{Free: 1, Total: diskSize}}
	if d := cmp.Diff(want, w.must(free(1))); d != "" {
		t.Error(d)
	}
	w.configure(func(c *leyline.ExecutionConfig) { c.Log.MinFreeMiB = 256 })
	other := plan()
	other.Run = "run-2"
	w.must(other)
}
