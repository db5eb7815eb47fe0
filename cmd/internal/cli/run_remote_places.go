package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// places are the directories of a remote plane's run; they are known when the run has
// been opened.
type places struct {
	full, fast, traces laterStore
	kernels            laterFS
}

// laterStore is a store that is set when the run has been opened.
type laterStore struct{ snapstore.Store }

// laterFS likewise.
type laterFS struct{ fs.FS }

func openStoreAt(path string, durable bool) snapstore.Store { return snapstore.NewDir(path, durable) }

// errNowhere says that the plane has no such store.
var errNowhere = errors.New("the plane names no directory for it")

// nowhere is the store of files that the plane has no place for. The plane asks for none
// of them, and what is tried all the same fails.
type nowhere struct{}

// Open implements snapstore.Store.
func (nowhere) Open(context.Context, leyline.RunID, string) (io.ReadCloser, uint64, error) {
	return nil, 0, errNowhere
}

// Write implements snapstore.Store.
func (nowhere) Write(leyline.RunID, string, func(io.Writer) error) error { return errNowhere }

// Remove implements snapstore.Store.
func (nowhere) Remove(leyline.RunID, string) error { return errNowhere }

// List implements snapstore.Store.
func (nowhere) List() ([]snapstore.Entry, error) { return nil, errNowhere }

// Clear implements snapstore.Store.
func (nowhere) Clear() error { return errNowhere }

// remoteSummary is what the trainer itself knows of a run; the rest is in the plane's
// log.
type remoteSummary struct {
	Run           leyline.RunID         `json:"run"`
	Plane         string                `json:"plane"`
	Framed        bool                  `json:"framed"`
	Resumed       bool                  `json:"resumed"`
	Steps         leyline.Step          `json:"steps"`
	Digest        leyline.Digest        `json:"digest"`
	Seconds       float64               `json:"seconds"`
	WaitedSeconds float64               `json:"waited_seconds"`
	Tasks         []workload.TaskResult `json:"tasks"`
	Rollbacks     int                   `json:"rollbacks"`
}

// tellRemote prints what became of the run.
func (r *farRun) tellRemote(res workload.Result) error {
	d := remoteSummary{
		Run: r.run, Plane: r.opts.Address, Framed: r.client.Framed(), Resumed: res.Resumed, Steps: res.Steps, Digest: res.Digest,
		Seconds: res.Elapsed.Seconds(), WaitedSeconds: res.Waited.Seconds(), Tasks: res.Tasks, Rollbacks: len(res.Recoveries),
	}
	if r.app.json {
		return r.app.line(map[string]any{"summary": d})
	}
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	lane := "HTTP"
	if d.Framed {
		lane = "the framed lane"
	}
	fmt.Fprintf(w, "\n%s finished: %d steps in %.1f s, against the plane at %s over %s\n", d.Run, d.Steps, d.Seconds, d.Plane, lane)
	fmt.Fprintf(w, "weights\t%s\n", d.Digest.Short())
	for _, t := range d.Tasks {
		fmt.Fprintf(w, "held-out\t%s %.2f%%, loss %.3f\n", t.Task, 100*t.Accuracy, t.Loss)
	}
	fmt.Fprintf(w, "rollbacks\t%d\n", d.Rollbacks)
	fmt.Fprintf(w, "plane\tthe trainer waited %.2f s for it, %.0f%% of the time\n", d.WaitedSeconds, 100*d.WaitedSeconds/max(d.Seconds, 1e-9))
	fmt.Fprint(w, "next\t`esper replay` and `esper audit` on the data directory of the plane tell the rest\n")
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := r.app.out.Write(readable(text.Bytes()))
	return err
}
