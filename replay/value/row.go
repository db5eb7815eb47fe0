package value

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// Row is what came of one run.
type Row struct {
	Key
	Protocol leyline.Digest `json:"protocol"`
	Build    string         `json:"build"`  // program and machine
	Config   leyline.Digest `json:"config"` // of the effective configuration
	Steps    leyline.Step   `json:"steps"`
	Failed   string         `json:"failed,omitempty"` // why the figures are those of guessing

	Accuracy float64         `json:"accuracy"` // held-out, at the end, mean over tasks, [0,1]
	Loss     float64         `json:"loss"`     // held-out cross-entropy, at the end, mean over tasks, in nats
	Area     float64         `json:"area"`     // the same, mean over the run
	Tasks    []TaskRow       `json:"tasks,omitempty"`
	Curve    []Point         `json:"curve,omitempty"`
	Weights  *leyline.Digest `json:"weights,omitempty"` // of the final training state

	Hidden     int      `json:"hidden"`     // units of each layer of the trunk
	Parameters int      `json:"parameters"` // of all that has a part in the output at the end
	Modules    []string `json:"modules"`    // blueprints of the blocks among them, in their order
	Work       uint64   `json:"multiply_adds"`
	Probing    uint64   `json:"multiply_adds_of_probes"` // part of Work
	Life
	Records  uint64  `json:"records"` // of its log
	Replayed bool    `json:"replayed"`
	Seconds  float64 `json:"seconds"`
}

// Key names a run of the experiment.
type Key struct {
	Workload string `json:"workload"`
	Arm      Arm    `json:"arm"`
	Seed     uint64 `json:"seed"`
}

// TaskRow is the held-out result of one task at the end.
type TaskRow struct {
	Task     leyline.TaskID `json:"task"`
	Accuracy float64        `json:"accuracy"`
	Loss     float64        `json:"loss"`
}

// Point is a judgement by the held-out rows, mean over tasks.
type Point struct {
	Step     leyline.Step `json:"step"`
	Loss     float64      `json:"loss"`
	Accuracy float64      `json:"accuracy"`
}

// Life counts what became of seeds and commands.
type Life struct {
	Germinated int `json:"germinated"`
	Kept       int `json:"kept"`
	Culled     int `json:"culled"`
	Accepted   int `json:"commands_accepted"`
	Refused    int `json:"commands_refused"`
	Withheld   int `json:"proposals_withheld"` // by an evaluator of risk
	Missed     int `json:"policy_missed"`      // questions without an answer in time
}

// count notes what a durable record says. It is called for every record, in order.
func (l *Life) count(r leyline.Record) {
	for _, e := range r.Events {
		switch x := e.(type) {
		case leyline.SeedMoved:
			switch x.To {
			case leyline.StageGerminated:
				l.Germinated++
			case leyline.StageFossilized:
				l.Kept++
			case leyline.StageCulled:
				l.Culled++
			}
		case leyline.CommandVerified:
			l.Accepted++
		case leyline.CommandRejected:
			l.Refused++
		case leyline.RiskAssessed:
			if x.Proposed != leyline.OpUnknown && !x.Allowed() {
				l.Withheld++
			}
		case leyline.PolicyMissed:
			l.Missed++
		}
	}
}

// outcome fills in what a run that came to its end has reached. It returns false when
// the figures are not finite.
func (r *Row) outcome(res workload.Result) bool {
	for _, t := range res.Tasks {
		r.Tasks = append(r.Tasks, TaskRow{t.Task, t.Accuracy, t.Loss})
		r.Accuracy += t.Accuracy / float64(len(res.Tasks))
		r.Loss += t.Loss / float64(len(res.Tasks))
	}
	for _, j := range res.Curve {
		r.Curve = append(r.Curve, Point{j.Step, mean(j.Losses), mean(j.Accuracy)})
	}
	if last := len(r.Curve) - 1; last < 0 || r.Curve[last].Step < res.Steps {
		r.Curve = append(r.Curve, Point{res.Steps, r.Loss, r.Accuracy})
	}
	if r.Area = area(r.Curve); !finite(r.Accuracy) || !finite(r.Loss) || !finite(r.Area) {
		return false
	}
	for _, s := range res.Seeds {
		if s.Alpha > 0 {
			r.Parameters += s.Size
			r.Modules = append(r.Modules, string(s.Blueprint))
		}
	}
	r.Work, r.Probing, r.Weights = res.Work.Total(), res.Work.Probes, &res.Digest
	return true
}

// guess gives the row the figures of guessing among the classes of every task.
func (r *Row) guess(tasks []workload.Task) {
	r.Accuracy, r.Loss, r.Tasks, r.Curve = 0, 0, nil, nil
	for _, t := range tasks {
		r.Accuracy += 1 / float64(t.Classes) / float64(len(tasks))
		r.Loss += math.Log(float64(t.Classes)) / float64(len(tasks))
	}
	r.Area = r.Loss
}

// area is the mean of the loss over the steps of a curve, by trapezoids.
func area(c []Point) float64 {
	sum := 0.0
	for i := 1; i < len(c); i++ {
		sum += (c[i].Loss + c[i-1].Loss) / 2 * float64(c[i].Step-c[i-1].Step)
	}
	return sum / float64(c[len(c)-1].Step-c[0].Step)
}

func mean(xs []float64) float64 {
	m, _ := moments(xs)
	return m
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
