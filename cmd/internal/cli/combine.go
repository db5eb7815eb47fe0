package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/vectors"
)

const combineHelp = `Combine the gradients of several tasks into one update, as a plane would. Reads one
JSON document from stdin and writes one to stdout.

  method     which weights: METHODS
  gradients  one per task: lists of numbers of one shape and of any rank; or
  gram       their inner products, a symmetric k x k matrix
  orders     of pcgrad, gradvac: per task, the order in which it visits the others
  seed       of pcgrad, gradvac: draws the orders instead, as the plane does for a
             step with that seed; a number, or a text of digits. 0 if left out.
             The other methods draw nothing
  weights    of weighted: one per task; they are divided by their sum
  stages     of state_weighted: per task, the stage of the seed that owns it
             (GERMINATED, TRAINING, BLENDING, ...), or "" for the host
  alphas     of state_weighted: per task, the seed's alpha, 0 to 1
  targets    of gradvac: k x k target cosines, as the answer to the step before
             gave them; zeros if left out
  options    pcgrad: reduction (sum, mean); gradvac: beta (0.5); cagrad: c (0.5);
             upgrad, dualproj: reg (1e-4, of the Gram matrix of trace 1); aligned_mtl:
             scale (min, median, rmse); nash_mtl: max_norm (1; 0 for any)
  dtype      of gradients: float64, or float32. Sums are float64 in either case, and
             combined is rounded to dtype once
  manifest   of the tensors that flat gradients consist of: a list of {"name",
             "dtype", "device", "shape"}, or one such list per task. All must agree

The answer holds weights; combined, the update, if gradients were given; conflicts,
the pairs of tasks with a negative inner product, and conflict_ratio, their share of
all pairs; targets of gradvac; and the certificate of a method that needs a solver:
its kind, residual, tolerance and the iterations it took.

JSON has no NaN and no Infinity, and no gradient may hold one: leave out the step.
Where a method has no weights, as nash_mtl between opposed gradients, the exit code
is 1 and the reason is told; wrong input gives 2.`

const combineExample = `  echo '{"method":"pcgrad","gradients":[[-4,1,1],[6,1,1]]}' | esper combine
  echo '{"method":"pcgrad","gram":[[18,-22],[-22,38]],"orders":[[1],[0]]}' | esper combine
  echo '{"method":"cagrad","gradients":[[-4,1,1],[6,1,1]],"options":{"c":0.4}}' | esper combine
  echo '{"method":"weighted","gradients":[[[1,1],[1,1]],[[2,2],[2,2]]],"weights":[1,3]}' | esper combine
  echo '{"method":"state_weighted","gram":[[1,0],[0,1]],"stages":["","BLENDING"],"alphas":[1,0.5]}' | esper combine`

func newCombine(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "combine",
		Short:   "Combine task gradients from stdin by any aggregation method",
		Long:    strings.Replace(combineHelp, "METHODS", wrapWords(methodNames(), 13, 80), 1),
		Example: combineExample,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.combine(cmd.InOrStdin()) },
	}
}

// wrapWords joins words with commas in lines of a width, of which all but the
// first begin with blanks, as many as the first has before it.
func wrapWords(words []string, indent, width int) string {
	var b strings.Builder
	at := indent + len("which weights: ")
	for i, w := range words {
		if i > 0 {
			b.WriteString(",")
			at++
			if at+1+len(w) >= width {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			} else {
				b.WriteString(" ")
				at++
			}
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

// maxCombine bounds the document that is read.
const maxCombine = 64 << 20

func (a *app) combine(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxCombine+1))
	if err != nil {
		return fmt.Errorf("cannot read stdin: %w", err)
	}
	if len(b) > maxCombine {
		return usagef("the document on stdin is larger than %d MiB; send the Gram matrix instead of the gradients", maxCombine>>20)
	}
	in, err := readCombine(b)
	if err != nil {
		return usageError{err}
	}
	out, err := in.run()
	if err != nil {
		return in.fault(err)
	}
	return a.document(out)
}

// combined is the answer.
type combined struct {
	Weights       []float64    `json:"weights"`
	Combined      any          `json:"combined,omitempty"` // nested as the gradients were
	Conflicts     int          `json:"conflicts"`
	ConflictRatio float64      `json:"conflict_ratio"`
	Targets       [][]float64  `json:"targets,omitempty"`
	Certificate   *certificate `json:"certificate,omitempty"`
}

type certificate struct {
	aggregate.Certificate
	Iterations uint32 `json:"iterations"`
}

func (in *combineInput) run() (out combined, err error) {
	g, err := in.matrix()
	if err != nil {
		return combined{}, err
	}
	if err := in.decide(g, &out); err != nil {
		return combined{}, err
	}
	out.Conflicts, out.ConflictRatio = aggregate.Conflicts(g)
	out.Combined, err = in.update(out.Weights)
	return out, err
}

// matrix returns the valid Gram matrix of what was given.
func (in *combineInput) matrix() (g aggregate.Gram, err error) {
	switch {
	case in.grads32 != nil:
		g, err = vectors.Gram(in.grads32)
	case in.grads64 != nil:
		g, err = vectors.Gram(in.grads64)
	default:
		g = in.gram
	}
	if err == nil {
		err = g.Validate()
	}
	return g, err
}

func (in *combineInput) decide(g aggregate.Gram, out *combined) (err error) {
	switch in.method {
	case leyline.AggregationSum:
		out.Weights = aggregate.SumWeights(nil, g.K)
	case leyline.AggregationMean:
		out.Weights = aggregate.MeanWeights(nil, g.K)
	case leyline.AggregationWeighted:
		out.Weights, err = aggregate.Normalised(nil, in.weights)
	case leyline.AggregationStateWeighted:
		out.Weights, err = aggregate.StateWeights(nil, in.owners)
	case leyline.AggregationPCGrad:
		out.Weights, err = aggregate.PCGrad(nil, g, in.visits(g.K), in.options.Mean)
	case leyline.AggregationGradVac:
		var next []float64
		out.Weights, next, err = aggregate.GradVac(nil, in.targets, g, in.visits(g.K), in.options.Beta)
		out.Targets = square(next, g.K)
	default:
		s, c, serr := solve.Weights(in.method, in.options, g)
		out.Weights, out.Certificate, err = s.Weights, &certificate{c, s.Iterations}, serr
	}
	return err
}

// visits are the orders that were given or drawn.
func (in *combineInput) visits(k int) [][]int {
	if in.orders != nil {
		return in.orders
	}
	return aggregate.Orders(k, detmath.NewPCG(detmath.Mix(uint64(in.seed))))
}

// square cuts a row-major matrix into rows.
func square(v []float64, k int) [][]float64 {
	var rows [][]float64
	for i := 0; i < len(v); i += k {
		rows = append(rows, v[i:i+k])
	}
	return rows
}

// update returns the combination in the shape of the gradients; nil without any.
func (in *combineInput) update(w []float64) (any, error) {
	switch {
	case in.grads32 != nil:
		dst := make([]float32, len(in.grads32[0]))
		err := vectors.Combine(dst, w, in.grads32)
		return nest(dst, in.shape), err
	case in.grads64 != nil:
		dst := make([]float64, len(in.grads64[0]))
		err := vectors.Combine(dst, w, in.grads64)
		return nest(dst, in.shape), err
	}
	return nil, nil
}

// nest cuts a flat tensor into nested lists of a shape.
func nest[T any](flat []T, shape []int) any {
	if len(shape) <= 1 {
		return flat
	}
	rows, size := make([]any, shape[0]), 0
	if shape[0] > 0 {
		size = len(flat) / shape[0]
	}
	for i := range rows {
		rows[i] = nest(flat[i*size:(i+1)*size], shape[1:])
	}
	return rows
}

// fault says which field an error of the numeric core is about. What is neither
// wrong nor solvable is a failure, not a mistake in the input.
func (in *combineInput) fault(err error) error {
	field, hint := "gradients", "mend that gradient"
	if in.gram.K > 0 {
		field, hint = "gram", "send the inner products of the unscaled gradients"
	}
	var order *aggregate.OrderError
	var target *aggregate.TargetError
	var vector *aggregate.VectorError
	switch {
	case errors.As(err, &order):
		field, hint = "orders", "list for each task all others once"
		if order.Task >= 0 {
			field = fmt.Sprintf("orders[%d]", order.Task)
		}
	case errors.As(err, &target):
		field, hint = "targets", "send the targets of the answer before, or none"
	case as[*aggregate.GramError](err):
		return usageError{&fieldError{field, strings.TrimPrefix(err.Error(), "gram matrix: "), hint}}
	case errors.As(err, &vector):
		if vector.Reason == aggregate.ReasonTotal {
			field, hint = "weights", "send weights with a finite sum greater than 1e-12"
			if in.method == leyline.AggregationStateWeighted {
				field, hint = "stages", "name at least one seed of the network, or the host"
			}
		}
	default:
		return err
	}
	return usageError{&fieldError{field, err.Error(), hint}}
}
