package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

const netFormat = "esper-workload-net/3"

// velocityPrefix begins the names of the tensors that belong to the optimizer.
const velocityPrefix = "velocity."

// Save returns all training state as a safetensors file: parameters and
// velocities of trunk, heads and seeds as tensors; step, learning rate,
// momentum and every seed's slot, blueprint, what it reads, channels, width, mode,
// alpha and blend as metadata (floats in hexadecimal, so exact). Equal state and step give equal bytes.
// The step is the caller's count; the net keeps none. A net whose numbers are
// not finite can be saved, to be looked at, but Load will refuse the file.
// The error is a *tensorfile.FormatError: the name of the data or of a task that cannot be
// written (not UTF-8, or two names that give one tensor name).
func (n *Net) Save(step uint64) ([]byte, error) {
	b, err := tensorfile.Encode(n.metadata(step), n.tensors())
	if err != nil {
		return nil, fmt.Errorf("cannot save: %w", err)
	}
	return b, nil
}

// SavedStep returns the step that a file of Save was given. It checks the
// format of the file, not that a net could load it.
func SavedStep(b []byte) (uint64, error) {
	meta, _, err := tensorfile.Decode(b)
	if err != nil {
		return 0, fmt.Errorf("cannot read the saved step: %w", err)
	}
	step, err := savedStep(meta)
	if err != nil {
		return 0, fmt.Errorf("cannot read the saved step: %w", err)
	}
	return step, nil
}

// Load replaces all training state by that of a file of Save. The state is
// built and checked aside and takes over only as a whole: after an error the
// net is bit for bit what it was. The file must come from a net of the same
// data and hidden size, hold finite numbers only, and be exactly what Save
// writes. Errors: *tensorfile.FormatError, *ShapeError, *ContentError. The last Pass
// becomes stale; NetConfig.Seed and Batch stay this net's.
func (n *Net) Load(b []byte) error {
	staged, err := n.stage(b)
	if err != nil {
		return fmt.Errorf("cannot load: %w", err)
	}
	n.adopt(staged)
	return nil
}

// adopt takes over the state of a net that stage has built. It cannot fail and
// takes no time worth counting.
func (n *Net) adopt(staged *Net) {
	n.cfg, n.trunk, n.heads, n.seeds, n.stuck = staged.cfg, staged.trunk, staged.heads, staged.seeds, false
	n.relayout()
}

// Digest returns the SHA-256 of the file that Save writes for step 0: it covers
// every bit of the training state, and nothing that only counts or measures.
// It panics where Save would fail.
func (n *Net) Digest() [sha256.Size]byte {
	b, err := n.Save(0)
	if err != nil {
		panic("workload: " + err.Error())
	}
	return sha256.Sum256(b)
}

func (n *Net) metadata(step uint64) map[string]string {
	meta := map[string]string{
		"format":        netFormat,
		"data":          n.data.Name,
		"hidden":        strconv.Itoa(n.cfg.Hidden),
		"step":          strconv.FormatUint(step, 10),
		"learning_rate": hexFloat(n.cfg.LearningRate),
		"momentum":      hexFloat(n.cfg.Momentum),
		"seeds":         strconv.Itoa(len(n.seeds)),
	}
	for i, s := range n.seeds {
		p := seedPrefix(i)
		meta[p+"slot"], meta[p+"blueprint"] = s.ID, s.Blueprint
		meta[p+"reads"], meta[p+"channels"] = s.shape.Reads(), strconv.Itoa(s.shape.Channels)
		meta[p+"width"] = strconv.Itoa(s.Width)
		meta[p+"mode"], meta[p+"alpha"] = s.Mode.String(), hexFloat(s.Alpha)
		meta[p+"blend"] = planText(s.plan)
	}
	return meta
}

func seedPrefix(i int) string { return fmt.Sprintf("seed.%d.", i) }

// ownPrefix begins the names of a seed's tensors. It is that of its slot, not of its
// place in the file, so that a tensor keeps its name when another seed goes.
func ownPrefix(slot string) string { return "seed." + slot + "." }

func hexFloat(x float64) string { return strconv.FormatFloat(x, 'x', -1, 64) }

// tensors returns views of all parameters and velocities.
func (n *Net) tensors() []tensorfile.Tensor {
	ts := n.hostTensors()
	ts = append(ts, n.trunk.tensors(velocityPrefix+"trunk.", n.trunk.velocity)...)
	for t, task := range n.data.Tasks {
		ts = append(ts, affineOver(n.heads[t].velocity, n.cfg.Hidden, task.Classes).tensors(velocityPrefix+"head."+task.Name)...)
	}
	for _, s := range n.seeds {
		ts = append(ts, s.shape.tensors(ownPrefix(s.ID), s.value)...)
		ts = append(ts, s.shape.tensors(velocityPrefix+ownPrefix(s.ID), s.velocity)...)
	}
	return ts
}

// hostTensors returns views of the parameters of trunk and heads.
func (n *Net) hostTensors() []tensorfile.Tensor {
	ts := n.trunk.tensors("trunk.", n.trunk.value)
	for t, task := range n.data.Tasks {
		ts = append(ts, affineOver(n.heads[t].value, n.cfg.Hidden, task.Classes).tensors("head."+task.Name)...)
	}
	return ts
}

// stage builds the net that a file describes, sharing only the data with n.
func (n *Net) stage(b []byte) (*Net, error) {
	meta, ts, err := tensorfile.Decode(b)
	if err != nil {
		return nil, err
	}
	step, err := savedStep(meta)
	if err != nil {
		return nil, err
	}
	if err := n.checkOrigin(meta); err != nil {
		return nil, err
	}
	cfg := n.cfg
	if cfg.LearningRate, err = metaFloat(meta, "learning_rate"); err != nil {
		return nil, err
	}
	if cfg.Momentum, err = metaFloat(meta, "momentum"); err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, &ContentError{"learning_rate, momentum", err.Error()}
	}
	staged := blank(n.data, cfg)
	if err := staged.stageSeeds(meta); err != nil {
		return nil, err
	}
	if err := fill(staged.tensors(), ts); err != nil {
		return nil, err
	}
	again, err := staged.Save(step)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, &ContentError{"header", "has unknown metadata or is not in the form that Save writes"}
	}
	return staged, nil
}

func savedStep(meta map[string]string) (uint64, error) {
	if meta["format"] != netFormat {
		return 0, &ContentError{"format", fmt.Sprintf("is %q, want %q", meta["format"], netFormat)}
	}
	step, err := strconv.ParseUint(meta["step"], 10, 64)
	if err != nil {
		return 0, &ContentError{"step", fmt.Sprintf("%q is not a number of steps", meta["step"])}
	}
	return step, nil
}

func (n *Net) checkOrigin(meta map[string]string) error {
	for _, want := range [][2]string{{"data", n.data.Name}, {"hidden", strconv.Itoa(n.cfg.Hidden)}} {
		if got := meta[want[0]]; got != want[1] {
			return &ContentError{want[0], fmt.Sprintf("is %q, this net has %q", got, want[1])}
		}
	}
	return nil
}

func metaFloat(meta map[string]string, key string) (float64, error) {
	x, err := strconv.ParseFloat(meta[key], 64)
	if err != nil {
		return 0, &ContentError{key, fmt.Sprintf("%q is not a number", meta[key])}
	}
	return x, nil
}

// stageSeeds adds the seeds that the metadata announces, still without weights.
func (n *Net) stageSeeds(meta map[string]string) error {
	count, err := strconv.Atoi(meta["seeds"])
	if err != nil || count < 0 || count > MaxSlots {
		return &ContentError{"seeds", fmt.Sprintf("%q is not within 0 and %d", meta["seeds"], MaxSlots)}
	}
	for i := range count {
		s, err := metaSlot(meta, seedPrefix(i))
		if err != nil {
			return err
		}
		if n.find(s.ID) != nil {
			return &ContentError{seedPrefix(i) + "slot", fmt.Sprintf("%q is used twice", s.ID)}
		}
		shape, err := n.metaShape(meta, seedPrefix(i), s.Width)
		if err != nil {
			return err
		}
		plan, err := n.metaPlan(meta, seedPrefix(i))
		if err != nil {
			return err
		}
		grown := newSeed(s, shape, n.cfg.Batch, len(n.data.Tasks))
		n.setPlan(grown, plan)
		n.seeds = append(n.seeds, grown)
	}
	return nil
}

// planText writes a plan so that it comes back bit for bit. It panics on a plan that
// SetBlend would not have taken.
func planText(p leyline.BlendPlan) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("workload: " + err.Error())
	}
	return string(b)
}

func (n *Net) metaPlan(meta map[string]string, prefix string) (leyline.BlendPlan, error) {
	var p leyline.BlendPlan
	err := json.Unmarshal([]byte(meta[prefix+"blend"]), &p)
	if err == nil {
		err = n.checkPlan(&p)
	}
	if err != nil {
		return p, &ContentError{prefix + "blend", err.Error()}
	}
	return p, nil
}

func metaSlot(meta map[string]string, prefix string) (Slot, error) {
	s := Slot{ID: meta[prefix+"slot"], Blueprint: meta[prefix+"blueprint"]}
	if s.ID == "" || s.Blueprint == "" {
		return s, &ContentError{prefix + "slot", "slot or blueprint is missing"}
	}
	var err error
	if s.Mode, err = ParseMode(meta[prefix+"mode"]); err != nil {
		return s, &ContentError{prefix + "mode", err.Error()}
	}
	if s.Alpha, err = metaFloat(meta, prefix+"alpha"); err != nil {
		return s, err
	}
	if !validAlpha(s.Alpha) {
		return s, &ContentError{prefix + "alpha", fmt.Sprintf("%v is not within 0 and 1", s.Alpha)}
	}
	if s.Width, err = strconv.Atoi(meta[prefix+"width"]); err != nil || s.Width < 1 || s.Width > maxWidth {
		return s, &ContentError{prefix + "width", fmt.Sprintf("%q is not within 1 and %d", meta[prefix+"width"], maxWidth)}
	}
	return s, nil
}

// metaShape returns the make-up of a seed's block and holds it against what the
// file says that the seed reads, and against the layers of this net.
func (n *Net) metaShape(meta map[string]string, prefix string, width int) (Block, error) {
	b := Block{Hidden: n.cfg.Hidden, Width: width}
	var err error
	if b.Channels, err = strconv.Atoi(meta[prefix+"channels"]); err != nil {
		return b, &ContentError{prefix + "channels", fmt.Sprintf("%q is not a number", meta[prefix+"channels"])}
	}
	if b.Channels > 0 {
		b.Side = n.data.Side
	}
	if err := b.validate(); err != nil {
		return b, &ContentError{prefix + "channels", err.Error()}
	}
	if got := meta[prefix+"reads"]; got != b.Reads() {
		return b, &ContentError{prefix + "reads", fmt.Sprintf("is %q, a block of %d channels reads %q", got, b.Channels, b.Reads())}
	}
	return b, nil
}
