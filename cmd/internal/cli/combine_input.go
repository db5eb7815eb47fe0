package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// combineInput is what `esper combine` was asked.
type combineInput struct {
	method  leyline.Aggregation
	options aggregate.Options
	gram    aggregate.Gram // K is 0 where gradients were given
	grads64 [][]float64
	grads32 [][]float32
	shape   []int // of every gradient
	orders  [][]int
	seed    wholeNumber
	weights []float64
	owners  []aggregate.Owner
	targets []float64
}

// combineDocument is the document as it is written.
type combineDocument struct {
	Method    string          `json:"method"`
	Gradients json.RawMessage `json:"gradients"`
	Gram      [][]float64     `json:"gram"`
	Orders    [][]int         `json:"orders"`
	Seed      *wholeNumber    `json:"seed"`
	Weights   []float64       `json:"weights"`
	Stages    []string        `json:"stages"`
	Alphas    []float64       `json:"alphas"`
	Targets   matrix          `json:"targets"`
	Options   combineOptions  `json:"options"`
	DType     string          `json:"dtype"`
	Manifest  json.RawMessage `json:"manifest"`
}

type combineOptions struct {
	Reduction *string  `json:"reduction"`
	Beta      *float64 `json:"beta"`
	C         *float64 `json:"c"`
	Reg       *float64 `json:"reg"`
	Scale     *string  `json:"scale"`
	MaxNorm   *float64 `json:"max_norm"`
}

// readCombine reads and checks a document. An error names the field.
func readCombine(b []byte) (*combineInput, error) {
	var d combineDocument
	if err := strictJSON(b, &d); err != nil {
		return nil, err
	}
	in := &combineInput{}
	for _, read := range []func(*combineDocument) error{
		in.readMethod, in.readOptions, in.readGradients, in.readGram, in.readManifest, in.readOrders, in.readWeights, in.readOwners, in.readTargets,
	} {
		if err := read(&d); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// methodNames are the names of all methods.
func methodNames() []string {
	var names []string
	for m := leyline.AggregationSum; m.Known(); m++ {
		names = append(names, m.String())
	}
	return names
}

func (in *combineInput) readMethod(d *combineDocument) error {
	hint := "write one of " + strings.Join(methodNames(), ", ")
	if d.Method == "" {
		return wrong("method", hint, "is missing")
	}
	if err := in.method.UnmarshalText([]byte(d.Method)); err != nil || in.method == leyline.AggregationUnspecified {
		return wrong("method", hint, "is %q", clipText(d.Method))
	}
	if (d.Gradients == nil) == (d.Gram == nil) {
		return wrong("gradients", "send the gradients or their gram matrix", "and gram are both %s", map[bool]string{true: "missing", false: "given"}[d.Gram == nil])
	}
	if d.Gradients == nil && (d.DType != "" || d.Manifest != nil) {
		return wrong("dtype", "leave dtype and manifest out", "and manifest are of gradients, and a gram matrix was given")
	}
	return nil
}

// belongs refuses what would be ignored.
func (in *combineInput) belongs(field string, given bool, to ...leyline.Aggregation) error {
	if !given {
		return nil
	}
	names := make([]string, len(to))
	for i, m := range to {
		if m == in.method {
			return nil
		}
		names[i] = m.String()
	}
	return wrong(field, "leave it out", "means something to %s only, not to %s", strings.Join(names, " and "), in.method)
}

func (in *combineInput) readOptions(d *combineDocument) error {
	c := leyline.DefaultConfig()
	in.options = aggregate.Configured(&c.Tolaria)
	o := &d.Options
	for _, err := range []error{
		in.belongs("options.reduction", o.Reduction != nil, leyline.AggregationPCGrad),
		in.belongs("options.beta", o.Beta != nil, leyline.AggregationGradVac),
		in.belongs("options.c", o.C != nil, leyline.AggregationCAGrad),
		in.belongs("options.reg", o.Reg != nil, leyline.AggregationUPGrad, leyline.AggregationDualProj),
		in.belongs("options.scale", o.Scale != nil, leyline.AggregationAlignedMTL),
		in.belongs("options.max_norm", o.MaxNorm != nil, leyline.AggregationNashMTL),
		ranged("options.beta", o.Beta, 1, &in.options.Beta),
		ranged("options.c", o.C, leyline.MaxCAGradC, &in.options.C),
		ranged("options.reg", o.Reg, leyline.MaxQPReg, &in.options.Reg),
		ranged("options.max_norm", o.MaxNorm, leyline.MaxNashNorm, &in.options.MaxNorm),
	} {
		if err != nil {
			return err
		}
	}
	if o.Reduction != nil {
		if *o.Reduction != "sum" && *o.Reduction != "mean" {
			return wrong("options.reduction", "write sum or mean", "is %q", clipText(*o.Reduction))
		}
		in.options.Mean = *o.Reduction == "mean"
	}
	if o.Scale != nil {
		if err := in.options.Scale.UnmarshalText([]byte(*o.Scale)); err != nil || in.options.Scale == leyline.ScaleUnspecified {
			return wrong("options.scale", "write min, median or rmse", "is %q", clipText(*o.Scale))
		}
	}
	return nil
}

// ranged takes over an option from 0 to most, if it is given.
func ranged(field string, v *float64, most float64, to *float64) error {
	if v == nil {
		return nil
	}
	if !(*v >= 0 && *v <= most) {
		return wrong(field, fmt.Sprintf("write a number from 0 to %v", most), "is %v", *v)
	}
	*to = *v
	return nil
}

// k is the number of tasks.
func (in *combineInput) k() int { return max(in.gram.K, len(in.grads64), len(in.grads32)) }

// perTask demands one entry for each task.
func (in *combineInput) perTask(field string, n int) error {
	if n == in.k() {
		return nil
	}
	return wrong(field, "send one entry per task", "has %d entries for %d tasks", n, in.k())
}

func (in *combineInput) readGram(d *combineDocument) error {
	if d.Gram == nil {
		return nil
	}
	k := len(d.Gram)
	if k < 1 || k > leyline.MaxTasks {
		return wrong("gram", "send a matrix of 1 to 64 rows", "has %d rows", k)
	}
	in.gram.K = k
	for i, row := range d.Gram {
		if len(row) != k {
			return wrong(fmt.Sprintf("gram[%d]", i), "send a square matrix", "has %d numbers, the matrix %d rows", len(row), k)
		}
		in.gram.V = append(in.gram.V, row...)
	}
	return nil
}

func (in *combineInput) readOrders(d *combineDocument) error {
	in.orders = d.Orders
	if d.Seed != nil {
		in.seed = *d.Seed
	}
	return in.belongs("orders", d.Orders != nil, leyline.AggregationPCGrad, leyline.AggregationGradVac)
}

func (in *combineInput) readWeights(d *combineDocument) error {
	if err := in.belongs("weights", d.Weights != nil, leyline.AggregationWeighted); err != nil {
		return err
	}
	in.weights = d.Weights
	if in.method != leyline.AggregationWeighted {
		return nil
	}
	if d.Weights == nil {
		return wrong("weights", "send one number per task", "are missing")
	}
	return in.perTask("weights", len(d.Weights))
}

func (in *combineInput) readOwners(d *combineDocument) error {
	if err := in.belongs("stages", d.Stages != nil || d.Alphas != nil, leyline.AggregationStateWeighted); err != nil {
		return err
	}
	if in.method != leyline.AggregationStateWeighted {
		return nil
	}
	if err := in.perTask("stages", len(d.Stages)); err != nil {
		return err
	}
	if err := in.perTask("alphas", len(d.Alphas)); err != nil {
		return err
	}
	for i, name := range d.Stages {
		o := aggregate.Owner{Host: name == "", Alpha: d.Alphas[i]}
		if err := o.Stage.UnmarshalText([]byte(name)); !o.Host && (err != nil || o.Stage == leyline.StageUnknown) {
			return wrong(fmt.Sprintf("stages[%d]", i), `write GERMINATED, TRAINING, BLENDING, SHADOWING, PROBATIONARY, FOSSILIZED, or "" for the host`, "is %q", clipText(name))
		}
		if !(o.Alpha >= 0 && o.Alpha <= 1) {
			return wrong(fmt.Sprintf("alphas[%d]", i), "write a number from 0 to 1", "is %v", o.Alpha)
		}
		in.owners = append(in.owners, o)
	}
	return nil
}

func (in *combineInput) readTargets(d *combineDocument) error {
	if err := in.belongs("targets", d.Targets != nil, leyline.AggregationGradVac); err != nil || d.Targets == nil {
		return err
	}
	if err := in.perTask("targets", len(d.Targets)); err != nil {
		return err
	}
	for i, row := range d.Targets {
		if err := in.perTask(fmt.Sprintf("targets[%d]", i), len(row)); err != nil {
			return err
		}
		in.targets = append(in.targets, row...)
	}
	return nil
}
