package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/workload"
)

// summaryDoc is the end of a run for machines.
type summaryDoc struct {
	Run        leyline.RunID         `json:"run"`
	Resumed    bool                  `json:"resumed"`
	Steps      leyline.Step          `json:"steps"`
	Digest     leyline.Digest        `json:"digest"`
	Tasks      []workload.TaskResult `json:"tasks"`
	Conflicted uint64                `json:"steps_in_conflict"`
	Combined   uint64                `json:"steps_combined"`
	Method     leyline.Aggregation   `json:"aggregation"`
	Ratio      float64               `json:"conflict_ratio_mean"`
	Timeline   []beat                `json:"timeline"`
	Accepted   uint64                `json:"commands_accepted"`
	Rejected   uint64                `json:"commands_rejected"`
	Answered   uint64                `json:"commands_answered"`
	Failed     uint64                `json:"commands_failed"`
	Rollbacks  []rollbackStory       `json:"rollbacks"`
	Snapshots  int                   `json:"snapshots"`
	Kept       []leyline.Step        `json:"snapshots_kept"`
	Packets    map[string]uint64     `json:"telemetry_packets"`
	Critical   []named               `json:"critical_events"`
	Log        string                `json:"log"`
	Records    uint64                `json:"records"`
	Last       leyline.Seq           `json:"last_seq"`
	Seconds    float64               `json:"seconds"`
}

// summary tells the whole story of the run from its log.
func (j *job) summary(res workload.Result) (summaryDoc, error) {
	s := newStory(j.run)
	var last leyline.Seq
	mine := false
	for e, err := range j.dir.Source().All(1) {
		if err != nil {
			return summaryDoc{}, err
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return summaryDoc{}, err
		}
		last = r.Seq
		if mine = mine || r.Run == j.run; mine {
			s.add(r)
		}
	}
	return summaryDoc{
		Run: j.run, Resumed: res.Resumed, Steps: res.Steps, Digest: res.Digest, Tasks: res.Tasks,
		Conflicted: s.Conflicts, Combined: s.Combined, Ratio: s.ratioSum / float64(max(s.Combined, 1)), Method: s.method, Timeline: s.Timeline,
		Accepted: s.Accepted, Rejected: s.Rejected, Answered: s.Answered, Failed: s.Failed, Rollbacks: s.Rollbacks, Snapshots: s.Snapshots, Kept: s.Kept,
		Packets: s.Packets, Critical: s.Critical, Log: filepath.Join(j.dir.Path, "log"), Records: s.records, Last: last,
		Seconds: res.Elapsed.Seconds(),
	}, nil
}

func (d summaryDoc) print(out io.Writer, dir string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	d.head(w)
	d.tasks(w)
	d.timeline(w)
	d.rollbacks(w)
	d.tail(w, dir)
	return w.Flush()
}

func (d summaryDoc) head(w io.Writer) {
	fmt.Fprintf(w, "\n%s finished: %d steps in %.1f s", d.Run, d.Steps, d.Seconds)
	if d.Resumed {
		fmt.Fprint(w, " since it was resumed")
	}
	fmt.Fprintf(w, "\nweights\t%s\n", d.Digest.Short())
	fmt.Fprintf(w, "conflicts\t%d of %d steps had conflicting task gradients, %.0f%% of pairs on average; combined by %s through the Gram matrix\n",
		d.Conflicted, d.Combined, 100*d.Ratio, d.Method)
}

func (d summaryDoc) tasks(w io.Writer) {
	fmt.Fprint(w, "\nheld-out\taccuracy\tloss\tseed at alpha 0\n")
	for _, t := range d.Tasks {
		fmt.Fprintf(w, "  %s\t%.1f%%\t%.3f\t%.1f%%, %.3f\n", t.Task, 100*t.Accuracy, t.Loss, 100*t.AccuracyAt0, t.LossAt0)
	}
}

func (d summaryDoc) timeline(w io.Writer) {
	fmt.Fprint(w, "\nrecord\tstep\twhat happened\n")
	for _, b := range d.Timeline {
		fmt.Fprintf(w, "  %d\t%d\t%s\n", b.Seq, b.Step, b.Text)
	}
}

func (d summaryDoc) rollbacks(w io.Writer) {
	for _, b := range d.Rollbacks {
		if b.Resumed {
			fmt.Fprintf(w, "\nrollback\t%s: %s at step %d, back to step %d: the process died within it, the resume completed it\n",
				b.ID, b.Cause, b.FaultStep, b.ToStep)
			continue
		}
		fmt.Fprintf(w, "\nrollback\t%s: %s at step %d, back to step %d: %s\n", b.ID, b.Cause, b.FaultStep, b.ToStep, b.Outcome)
		same := "DIFFERS from"
		if b.Saved == b.Restored {
			same = "equals"
		}
		fmt.Fprintf(w, "  bytes\tdigest restored %s %s digest saved %s\n", b.Restored.Short(), same, b.Saved.Short())
		within := "MISSED"
		if b.WithinSLA {
			within = "met"
		}
		fmt.Fprintf(w, "  time\tprepare %.2f ms, commit %.2f ms, total %.2f ms of %.0f ms (SLA %s), first good step after %.2f ms\n",
			b.PrepareMs, b.CommitMs, b.TotalMs, b.SLAMs, within, b.GoodMs)
	}
}

func (d summaryDoc) tail(w io.Writer, dir string) {
	fmt.Fprintf(w, "\ncommands\t%d accepted, %d rejected, %d answered by the trainer, %d of them could not be carried out\n", d.Accepted, d.Rejected, d.Answered, d.Failed)
	fmt.Fprintf(w, "snapshots\t%d taken, %d kept, of steps %s\n", d.Snapshots, len(d.Kept), strings.Trim(fmt.Sprint(d.Kept), "[]"))
	fmt.Fprintf(w, "telemetry\t%d packets: %d normal; emergency stream: %d high, %d critical\n",
		d.Packets["NORMAL"]+d.Packets["HIGH"]+d.Packets["CRITICAL"], d.Packets["NORMAL"], d.Packets["HIGH"], d.Packets["CRITICAL"])
	for _, c := range d.Critical {
		fmt.Fprintf(w, "  CRITICAL\t%s x%d\n", c.Name, c.Count)
	}
	fmt.Fprintf(w, "log\t%s, %d records, this run's %d among them\n", d.Log, d.Last, d.Records)
	fmt.Fprintf(w, "\nnext\tesper replay %s\n\tesper audit %s\n\tesper replay bundle --rollback -o incident.esper %s\n", dir, dir, dir)
}
