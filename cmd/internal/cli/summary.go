package cli

import (
	"math"
	"path/filepath"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/sla"
	"github.com/esper-plane/esper/replay/workload"
)

// summaryDoc is the end of a run for machines.
type summaryDoc struct {
	Run        leyline.RunID         `json:"run"`
	Workload   string                `json:"workload"`
	Seed       uint64                `json:"seed"`
	Faults     []string              `json:"faults"`
	Missed     []workload.Fault      `json:"faults_that_did_not_strike,omitempty"` // in this life of the run
	Resumed    bool                  `json:"resumed"`
	Halted     string                `json:"halted,omitempty"` // why the plane stopped it
	Steps      leyline.Step          `json:"steps"`
	Digest     leyline.Digest        `json:"digest"`
	Tasks      []workload.TaskResult `json:"tasks"`
	Grown      []workload.SeedResult `json:"seeds_in_network"`
	Conflicted uint64                `json:"steps_in_conflict"`
	Combined   uint64                `json:"steps_combined"`
	Method     leyline.Aggregation   `json:"aggregation"`
	Ratio      float64               `json:"conflict_ratio_mean"`
	Seeds      []seedLife            `json:"seeds"`
	Timeline   []beat                `json:"timeline"`
	Commands   commandStory          `json:"commands"`
	Rollbacks  []sla.Rollback        `json:"rollbacks"`
	Snapshots  int                   `json:"snapshots"`
	Kept       []leyline.Step        `json:"snapshots_kept"`
	Telemetry  telemetryStory        `json:"telemetry_packets"`
	Sink       sinkReport            `json:"emergency_stream"`
	Cost       costDoc               `json:"cost"`
	Config     []changedSetting      `json:"config_changed"`
	Log        string                `json:"log"`
	Records    uint64                `json:"records"`
	Last       leyline.Seq           `json:"last_seq"`
	Seconds    float64               `json:"seconds"`
	Series     seriesDoc             `json:"series"`
	Comparison *comparison           `json:"comparison,omitempty"`
	Next       []nextStep            `json:"next"`
	Report     string                `json:"report,omitempty"` // the HTML file
	haltedAt   leyline.Seq
	observed   observed
	weighed    []*weighing
}

// costDoc is what the plane cost the run.
type costDoc struct {
	WaitedSeconds float64 `json:"waited_seconds"` // by the trainer, since the run began or was resumed
	WaitedShare   float64 `json:"waited_share"`   // of the time since then
	LogBytes      uint64  `json:"log_bytes"`      // of this run's records, as stored
	BytesPerStep  float64 `json:"log_bytes_per_step"`
	Observed      int     `json:"steps_observed"` // repeated ones counted again
}

// changedSetting is a setting that is not the default.
type changedSetting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default string `json:"default"`
}

// seriesDoc is a few figures over the run, in the order in which steps were
// observed.
type seriesDoc struct {
	Steps  []float64   `json:"steps"`
	Loss   []float64   `json:"loss"`   // mean over tasks
	Alphas [][]float64 `json:"alphas"` // per slot
}

// maxSeries is how many points of a series go into a summary.
const maxSeries = 200

// tell tells the whole story of the run from its log, which is closed.
func (j *job) tell(res workload.Result, c *comparison) (summaryDoc, error) {
	d, err := datadir.OpenReadOnly(j.dir.Path)
	if err != nil {
		return summaryDoc{}, err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	s := newStory(j.run)
	var last leyline.Seq
	mine := false
	for e, err := range d.Source().All(0) { // 0: from what was not pruned
		if err != nil {
			return summaryDoc{}, err
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return summaryDoc{}, err
		}
		last = r.Seq
		if mine = mine || r.Run == j.run; mine {
			s.bytes += uint64(len(e.Payload))
			s.add(r)
		}
	}
	doc := j.document(s, res)
	doc.Last, doc.Comparison = last, c
	doc.Next = doc.next(j.dir.Path)
	return doc, nil
}

// document brings together what the log tells and what the trainer measured.
func (j *job) document(s *story, res workload.Result) summaryDoc {
	d := summaryDoc{
		Run: j.run, Workload: s.plan.Workload, Seed: s.plan.Seed, Resumed: res.Resumed, Missed: res.Missed, Halted: s.halted, haltedAt: s.haltedAt, Steps: max(res.Steps, s.last), Digest: res.Digest,
		Tasks: res.Tasks, Grown: res.Seeds,
		Conflicted: s.Conflicts, Combined: s.Combined, Ratio: s.ratioSum / float64(max(s.Combined, 1)), Method: s.method,
		Seeds: s.Seeds, Timeline: s.Timeline, weighed: s.weighed, Commands: s.Commands, Rollbacks: s.falls.Rollbacks,
		Snapshots: s.Snapshots, Kept: s.Kept, Telemetry: s.Telemetry, Sink: j.sink.report(), Config: changedSettings(j.config),
		Log: filepath.Join(j.dir.Path, "log"), Records: s.records, Seconds: res.Elapsed.Seconds(), observed: s.Series,
		Cost: costDoc{
			WaitedSeconds: res.Waited.Seconds(), WaitedShare: res.Waited.Seconds() / math.Max(res.Elapsed.Seconds(), 1e-9),
			LogBytes: s.bytes, BytesPerStep: float64(s.bytes) / float64(max(s.Series.count, 1)), Observed: s.Series.count,
		},
		Series: seriesDoc{Steps: s.Series.steps.lasts(maxSeries), Loss: s.Series.loss.means(maxSeries)},
	}
	for i := range s.Series.alphas {
		d.Series.Alphas = append(d.Series.Alphas, s.Series.alphas[i].lasts(maxSeries))
	}
	for _, x := range s.plan.Drills {
		d.Faults = append(d.Faults, faultsOf([]workload.Fault{{Name: x.Name, Step: x.Step}}))
	}
	return d
}

// changedSettings lists the settings that are not their defaults.
func changedSettings(c leyline.ExecutionConfig) []changedSetting {
	var out []changedSetting
	for _, d := range differences(c, leyline.DefaultConfig()) {
		out = append(out, changedSetting{d.Key, settingText(d.a), settingText(d.b)})
	}
	return out
}
