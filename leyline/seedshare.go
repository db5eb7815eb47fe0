package leyline

import "fmt"

// MaxSeedLayers bounds the layers that are reported of one seed.
const MaxSeedLayers = 64

// Attribution says how the host's gradient is attributed to the seeds of the
// network: for the figures of an epoch, and for the weights of state_weighted, where
// the host takes part through its seeds.
type Attribution = Enum[attributions]

type attributions struct{}

func (attributions) list() []string { return attributionNames[:] }

var attributionNames = [...]string{"unspecified", "off", "uniform", "reported"}

// The attributions: none; the same to every seed that is TRAINING or BLENDING,
// or to all where there is none of these; what the trainer reports, for instance
// by the samples that a seed was used for.
const (
	AttributionUnspecified Attribution = iota
	AttributionOff
	AttributionUniform
	AttributionReported
)

// LayerNorm is the L2 norm of a gradient in one layer, or a sum or mean of such.
type LayerNorm struct {
	Layer string
	Norm  float64
}

// Tally is what the healthy steps of an epoch showed of the seeds in the network,
// added up. Only steps with a seed count.
type Tally struct {
	Steps     uint32
	HostNorm  float64 // sum of the host's gradient norms
	HostShare float64 // sum of the host's norm over all norms of the step
	Seeds     []SeedTally
}

// SeedTally is the part of one seed.
type SeedTally struct {
	Seed       SeedID
	Steps      uint32  // in which it was in the network
	Weight     float64 // sum of its weights by stage and alpha
	Norm       float64 // sum of its gradient norms
	Share      float64 // sum of its norm over all norms of the step
	Alpha      float64 // sum of its alphas
	Attributed float64 // sum of the shares of the host's gradient that are attributed to it
	Conflicts  uint32  // steps in which its gradient pointed against the host's at the graft boundary
	Parameters uint64  // as last reported
	Layers     []LayerNorm
}

// SeedShare is what an epoch showed of a seed: means over the steps in which it
// was in the network.
type SeedShare struct {
	Seed         SeedID
	Stage        Stage // at the end of the epoch
	Steps        uint32
	Weight       float64 // by stage and alpha, (0,1]
	Norm         float64 // of its gradient
	Share        float64 // of its norm in the sum of all norms, [0,1]
	ShareDelta   float64 // change since the epoch before; a seed that was not there had a share of 0
	Alpha        float64 // [0,1]
	Attributed   float64 // share of the host's gradient that is attributed to it, [0,1]
	Conflicts    uint32
	Conflict     float64     // Conflicts over Steps, [0,1]
	Parameters   uint64      // that it owns; 0: the trainer has not said
	MaskFraction float64     // Parameters over all parameters of the network, [0,1]
	Layers       []LayerNorm // the largest mean norms, falling; at most tolaria.seed_layers
	Jumped       bool        // ShareDelta has reached Shares.JumpLimit, up or down, in a seed that was there before
	Conflicting  bool        // Conflict has reached Shares.ConflictLimit
}

// Shares are what an epoch showed of the gradients of host and seeds.
type Shares struct {
	Steps         uint32  // healthy steps with a seed in the network; 0: there is nothing to tell
	HostNorm      float64 // mean of the host's gradient norm
	HostShare     float64 // mean of its share in the sum of all norms, [0,1]
	Seeds         []SeedShare
	Compact       bool    // telemetry tells the short form
	JumpLimit     float64 // tolaria.seed_share_jump
	ConflictLimit float64 // tolaria.seed_conflict
}

func (x *Tally) check(c *check) {
	bound(c, "tally.seeds", len(x.Seeds), MaxSeeds)
	amount(c, "tally.host_norm", x.HostNorm)
	amount(c, "tally.host_share", x.HostShare)
	for i := range x.Seeds {
		s := &x.Seeds[i]
		c.element("tally.seeds", i)
		needID(c, "seed", s.Seed)
		need(c, "steps", s.Steps > 0)
		for _, v := range [...]struct {
			name  string
			value float64
		}{{"weight", s.Weight}, {"norm", s.Norm}, {"share", s.Share}, {"alpha", s.Alpha}, {"attributed", s.Attributed}} {
			amount(c, v.name, v.value)
		}
		checkLayers(c, s.Layers, false)
	}
	c.leave()
}

func (x *Shares) check(c *check) {
	bound(c, "shares.seeds", len(x.Seeds), MaxSeeds)
	amount(c, "shares.host_norm", x.HostNorm)
	unit(c, "shares.host_share", x.HostShare)
	for i := range x.Seeds {
		s := &x.Seeds[i]
		c.element("shares.seeds", i)
		needID(c, "seed", s.Seed)
		need(c, "steps", s.Steps > 0)
		amount(c, "norm", s.Norm)
		finite(c, "share_delta", s.ShareDelta)
		for _, v := range [...]struct {
			name  string
			value float64
		}{
			{"weight", s.Weight}, {"share", s.Share}, {"alpha", s.Alpha}, {"attributed", s.Attributed}, {"conflict", s.Conflict},
			{"mask_fraction", s.MaskFraction},
		} {
			unit(c, v.name, v.value)
		}
		checkLayers(c, s.Layers, false)
	}
	c.leave()
}

// checkLayers demands names of a short list and norms that are not negative; only
// a report may hold norms that are not finite.
func checkLayers(c *check, layers []LayerNorm, report bool) {
	bound(c, "layers", len(layers), MaxSeedLayers)
	for i, l := range layers {
		switch {
		case l.Layer == "":
			c.fail(Missing(fmt.Sprintf("layers[%d].layer", i)))
		case len(l.Layer) > MaxText || l.Norm < 0 || !report && !isFinite(l.Norm):
			c.fail(Invalid(fmt.Sprintf("layers[%d]", i), fmt.Sprintf("is %v of %q; want a norm, 0 or more, of a layer with a short name", l.Norm, clip(l.Layer))))
		}
	}
}

// amount demands a finite number, 0 or more.
func amount(c *check, field string, v float64) {
	finite(c, field, v)
	notNegative(c, field, v)
}
