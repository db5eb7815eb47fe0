package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// tracer times what the trainer does in the steps of a profile window. Training
// never depends on it: what it cannot write is reported and otherwise forgotten.
type tracer struct {
	store       snapstore.Store // nil: there is nowhere to write to
	window      leyline.Step    // first step of the plane's window; 0: none is open
	began       time.Time
	incarnation leyline.Incarnation
	first, last leyline.Step // that were run
	spans       []span
}

// span is one thing that was done, in time since the window began.
type span struct {
	name       string
	step       leyline.Step
	start, end time.Duration
}

func ignore() {}

// span begins something and returns what ends it. Outside a window it costs
// nothing.
func (r *tracer) span(name string, s leyline.Step) (end func()) {
	if r.window == 0 {
		return ignore
	}
	i := len(r.spans)
	r.spans = append(r.spans, span{name: name, step: s, start: time.Since(r.began)})
	return func() { r.spans[i].end = time.Since(r.began) }
}

// profile closes the window that the next step, s, is not in, and opens the one
// that it is in.
func (t *trainer) profile(ctx context.Context, s leyline.Step) error {
	r := &t.trace
	if r.window != 0 && (r.window != t.answer.Profile || r.incarnation != t.answer.Incarnation) {
		if err := t.reportProfile(ctx); err != nil {
			return err
		}
	}
	if t.answer.Profile == 0 {
		return nil
	}
	if r.window == 0 {
		*r = tracer{
			store: r.store, window: t.answer.Profile, began: time.Now(), incarnation: t.answer.Incarnation, first: s, spans: r.spans[:0],
		}
	}
	r.last = s
	return nil
}

// reportProfile writes the open window's trace, closes it and says what came of
// it.
func (t *trainer) reportProfile(ctx context.Context) error {
	r := &t.trace
	start := time.Now()
	in := leyline.ProfileReported{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, First: r.first, Last: r.last, Outcome: leyline.OutcomeOK,
		// Unique: an incarnation runs a step once.
		File: fmt.Sprintf("%s-%d-%d.trace.json", t.opts.Run, r.incarnation, r.first),
	}
	size, err := r.write(t.opts.Run, in.File)
	if in.Bytes = size; err != nil {
		in.Outcome, in.Reason, in.File, in.Bytes = leyline.OutcomeFailed, clipReason(err), "", 0
	}
	in.TookNs = uint64(time.Since(start))
	r.window = 0
	a, err := t.plane.Profiled(ctx, in, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("profile of steps %d to %d: %w", in.First, in.Last, err)
	}
	return t.hear(a)
}

func (r *tracer) write(run leyline.RunID, name string) (uint64, error) {
	if r.store == nil {
		return 0, errors.New("the trainer was given no directory for traces")
	}
	b, err := json.Marshal(r.document(string(run)))
	if err != nil {
		return 0, err
	}
	err = r.store.Write(run, name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	return uint64(len(b)), err
}

// traceFile is the JSON object form of the Trace Event Format (Google, "Trace
// Event Format", 2016), which chrome://tracing and Perfetto open.
type traceFile struct {
	Events []traceEvent      `json:"traceEvents"`
	Unit   string            `json:"displayTimeUnit"`
	Other  map[string]string `json:"otherData"`
}

// traceEvent is a complete event ("X"), or the name of a process or thread ("M").
type traceEvent struct {
	Name     string         `json:"name"`
	Phase    string         `json:"ph"`
	Category string         `json:"cat,omitempty"`
	Start    float64        `json:"ts"`            // microseconds
	Duration *float64       `json:"dur,omitempty"` // microseconds, of a complete event
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// document renders the window. A span that was never ended, because a step
// failed within it, ends where the window does.
func (r *tracer) document(process string) traceFile {
	closed := time.Since(r.began)
	doc := traceFile{
		Unit:  "ms",
		Other: map[string]string{"run": process, "incarnation": fmt.Sprint(r.incarnation), "began": r.began.UTC().Format(time.RFC3339Nano)},
		Events: []traceEvent{
			{Name: "process_name", Phase: "M", Process: 1, Thread: 1, Args: map[string]any{"name": "esper " + process}},
			{Name: "thread_name", Phase: "M", Process: 1, Thread: 1, Args: map[string]any{"name": "trainer"}},
		},
	}
	for _, s := range r.spans {
		if s.end == 0 {
			s.end = closed
		}
		took := micros(s.end - s.start)
		doc.Events = append(doc.Events, traceEvent{
			Name: s.name, Phase: "X", Category: "training", Start: micros(s.start), Duration: &took,
			Process: 1, Thread: 1, Args: map[string]any{"step": s.step},
		})
	}
	return doc
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
