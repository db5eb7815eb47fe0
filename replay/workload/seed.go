package workload

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/leyline"
)

// Mode says what a grafted seed does.
//
// enum: local because it is a property of this network's code; the plane knows
// stages, not modes.
type Mode uint8

// The modes of a seed. Their names in files and messages are those of String.
const (
	// ModeTraining: the seed learns from an auxiliary loss and leaves the
	// output of the host as it is.
	ModeTraining Mode = iota
	// ModeBlending: the seed's output is mixed into the host's, see SetBlend, and
	// the seed learns from the tasks' own losses; its parameters are shared.
	ModeBlending
	// ModeFrozen: like blending, but the seed no longer learns.
	ModeFrozen
	// ModeIdle: the seed neither learns nor changes the output.
	ModeIdle
)

var modeNames = [...]string{"training", "blending", "frozen", "idle"}

// String returns the stable name of a mode.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// ParseMode is the inverse of String for the four modes; anything else is an error.
func ParseMode(s string) (Mode, error) {
	for i, name := range modeNames {
		if s == name {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("unknown seed mode %q", s)
}

func (m Mode) blends() bool { return m == ModeBlending || m == ModeFrozen }
func (m Mode) learns() bool { return m == ModeTraining || m == ModeBlending }

// Errors of the slot operations, to be found with errors.Is.
var (
	// ErrSlotTaken: a seed is grafted under this slot already.
	ErrSlotTaken = errors.New("slot is taken")
	// ErrUnknownSlot: no seed is grafted under this slot.
	ErrUnknownSlot = errors.New("no such slot")
	// ErrNoSlotLeft: MaxSlots seeds are grafted.
	ErrNoSlotLeft = errors.New("no slot is left")
)

// MaxSlots is the number of seeds that a net can carry at once.
const MaxSlots = 16

// Slot is the state of one grafted seed, as Slots reports it.
type Slot struct {
	ID        string  // the seed id it was grafted under
	Blueprint string  // the kernel's blueprint id
	Mode      Mode    //
	Alpha     float64 // blend weight in [0,1]; has an effect in blending and frozen
	Width     int     // units of the kernel that read the trunk
}

// seed is a kernel in its slot together with what one pass leaves behind.
type seed struct {
	Slot
	block
	mixing
	tr        blockTrace
	joined    blas64.General // trunk as it was read + what the block adds: the seed's output, which the heads judge
	up, du    blas64.General // gradient at the output, and at the trunk as it is read (goes nowhere)
	sampleDu  []float64      // sampled elements of du summed over tasks
	aux       []float64      // training: gradient of the auxiliary loss
	auxLosses []float64      // training: auxiliary loss per task
	offset    int            // blending: where its parameters begin in a shared gradient
	leak2     float64        // squared leak, summed over tasks
	leaky     bool           // fault drill: the detach is broken
}

func newSeed(s Slot, shape Block, rows, tasks int) *seed {
	b, hidden := newBlock(shape), shape.Hidden
	return &seed{
		Slot: s, block: b, mixing: mixing{plan: newPlan()}, tr: newBlockTrace(rows, shape),
		joined: matrix(rows, hidden), up: matrix(rows, hidden),
		du: matrix(rows, hidden), sampleDu: make([]float64, cosineSamples),
		aux: make([]float64, b.size()), auxLosses: make([]float64, tasks),
	}
}

// Graft attaches a kernel (safetensors bytes, see NewKernel) after the trunk
// under a slot that is free, behind the seeds that are there, in ModeTraining
// with alpha 0. The kernel must be of this net's hidden size and read layers
// that this net has: otherwise the error is a *ShapeError that names the tensor,
// or a *ContentError that names "reads". Other faults are *tensorfile.FormatError,
// *ContentError, ErrSlotTaken and ErrNoSlotLeft. A refused kernel changes nothing.
func (n *Net) Graft(slot string, kernel []byte) error {
	if slot == "" || !utf8.ValidString(slot) {
		return fmt.Errorf("cannot graft %q: a slot needs a name in UTF-8", slot)
	}
	if n.find(slot) != nil {
		return fmt.Errorf("cannot graft %q: %w", slot, ErrSlotTaken)
	}
	if len(n.seeds) == MaxSlots {
		return fmt.Errorf("cannot graft %q: %w", slot, ErrNoSlotLeft)
	}
	k, err := decodeKernel(kernel, n.cfg.Hidden, n.data.Side)
	if err != nil {
		return fmt.Errorf("cannot graft %q: %w", slot, err)
	}
	s := newSeed(Slot{ID: slot, Blueprint: k.blueprint, Width: k.shape.Width}, k.shape, n.cfg.Batch, len(n.data.Tasks))
	copy(s.value, k.values)
	n.seeds = append(n.seeds, s)
	n.relayout()
	return nil
}

// Remove detaches a seed and forgets its parameters. The seeds that remain keep
// their order. An unknown slot is ErrUnknownSlot.
func (n *Net) Remove(slot string) error {
	for i, s := range n.seeds {
		if s.ID == slot {
			n.seeds = append(n.seeds[:i:i], n.seeds[i+1:]...)
			n.relayout()
			return nil
		}
	}
	return fmt.Errorf("cannot remove %q: %w", slot, ErrUnknownSlot)
}

// SetAlpha sets the blend weight of a seed, within [0,1]. It takes effect with
// the next Step. Errors: ErrUnknownSlot; an alpha out of range or NaN.
func (n *Net) SetAlpha(slot string, alpha float64) error {
	s := n.find(slot)
	if s == nil {
		return fmt.Errorf("cannot set alpha of %q: %w", slot, ErrUnknownSlot)
	}
	if !validAlpha(alpha) {
		return fmt.Errorf("cannot set alpha of %q: %v is not within 0 and 1", slot, alpha)
	}
	s.Alpha = alpha
	return nil
}

// SetMode changes what a seed does from the next Step on. Alpha and momentum
// stay. A change of mode makes the last Pass stale, since entering or leaving
// blending changes the length of its gradients; the same mode again does nothing.
// Errors: ErrUnknownSlot; a mode that is not one of the four.
func (n *Net) SetMode(slot string, mode Mode) error {
	s := n.find(slot)
	if s == nil {
		return fmt.Errorf("cannot set mode of %q: %w", slot, ErrUnknownSlot)
	}
	if int(mode) >= len(modeNames) {
		return fmt.Errorf("cannot set mode of %q: unknown %v", slot, mode)
	}
	if s.Mode != mode {
		s.Mode = mode
		n.relayout()
	}
	return nil
}

// Slots returns the grafted seeds in slot order, which is the order of grafting.
func (n *Net) Slots() []Slot {
	out := make([]Slot, len(n.seeds))
	for i, s := range n.seeds {
		out[i] = s.Slot
	}
	return out
}

func (n *Net) find(slot string) *seed {
	for _, s := range n.seeds {
		if s.ID == slot {
			return s
		}
	}
	return nil
}

func validAlpha(a float64) bool { return a >= 0 && a <= 1 } // false for NaN

// run passes the features x and the current trunk output through the seed. Both
// are copied: from here on the seed works on detached numbers.
func (s *seed) run(x, current blas64.General) {
	s.read(&s.tr, x, current)
	s.forward(&s.tr, current.Rows)
	if s.Mode == ModeTraining || s.plan.Mode != leyline.BlendResidual {
		floats.AddTo(s.joined.Data[:len(current.Data)], current.Data, s.tr.y.Data[:len(current.Data)])
	}
}

// backwardSeed computes what task t owes to a learning seed. dHead is the
// task's gradient at the head input; dHost is the gradient that the trunk will
// be given. What the seed itself would send back to the trunk ends in s.du. What
// reaches dHost all the same is measured by comparing it with itself before and
// after.
func (n *Net) backwardSeed(s *seed, t, rows int) {
	up, du := top(s.up, rows), top(s.du, rows)
	dHost, before := top(n.dHost, rows), top(n.before, rows)
	copy(before.Data, dHost.Data)
	grad := s.aux
	if s.Mode == ModeBlending {
		grad = n.pass.Gradients[t][s.offset : s.offset+s.size()]
		s.mix.SeedGradient(up.Data, n.dHead.Data[:len(up.Data)])
	} else {
		dLogits := top(n.logits[t], rows)
		head := n.head(t)
		head.forward(dLogits, top(s.joined, rows))
		sum, _ := crossEntropy(dLogits, n.labels[t], 1/float64(rows))
		s.auxLosses[t] = sum / float64(rows)
		head.input(up, dLogits)
	}
	s.backward(&s.tr, up, grad, du)
	n.sample.add(s.sampleDu, du.Data)
	if s.leaky {
		floats.Add(dHost.Data, du.Data)
	}
	for i, v := range before.Data {
		if w := dHost.Data[i]; math.Float64bits(w) != math.Float64bits(v) { // NaN untouched is no leak
			s.leak2 += (w - v) * (w - v)
		}
	}
}
