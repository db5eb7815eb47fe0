package tolaria

import (
	"cmp"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// tally adds a healthy step to what its epoch has shown of the seeds so far. A
// step without a seed, or with a norm that is not finite, adds nothing.
func tally(t *projections.Turn, r *projections.Run, x leyline.StepObserved) leyline.Tally {
	old := r.Track.Tally
	total, ok := norms(x.Seeds)
	if !ok {
		return old
	}
	host := x.Seeds[0].HostNorm
	out := leyline.Tally{
		Steps: old.Steps + 1, HostNorm: old.HostNorm + host, HostShare: old.HostShare + part(host, total), Seeds: slices.Clone(old.Seeds),
	}
	attributed := attribute(t, x)
	for i := range x.Seeds {
		o := &x.Seeds[i]
		s := entry(&out, o.Seed, i)
		s.Steps++
		stage := t.State.Kasmina.Seed(x.Run, o.Seed).Stage
		s.Weight += aggregate.Owner{Stage: stage, Alpha: o.Alpha}.Weight()
		s.Norm += o.GradNorm
		s.Share += part(o.GradNorm, total)
		s.Alpha += o.Alpha
		s.Attributed += attributed[i]
		if o.Cosine < 0 {
			s.Conflicts++
		}
		s.Parameters = o.Parameters
		s.Layers = addLayers(s.Layers, o.Layers)
	}
	if !bearable(&out) {
		return old // sums that left the range of numbers
	}
	return out
}

// norms is the sum of the norms of host and seeds; false where there is none or
// one is not finite.
func norms(seeds []leyline.SeedObserved) (total float64, ok bool) {
	if len(seeds) == 0 {
		return 0, false
	}
	total = seeds[0].HostNorm
	for i := range seeds {
		total += seeds[i].GradNorm
		for _, l := range seeds[i].Layers {
			if !isFinite(l.Norm) {
				return 0, false
			}
		}
	}
	return total, isFinite(total)
}

func isFinite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

func bearable(x *leyline.Tally) bool {
	ok := isFinite(x.HostNorm)
	for i := range x.Seeds {
		ok = ok && isFinite(x.Seeds[i].Norm)
		for _, l := range x.Seeds[i].Layers {
			ok = ok && isFinite(l.Norm)
		}
	}
	return ok
}

// part is x over total, and 0 where everything is.
func part(x, total float64) float64 {
	if total == 0 {
		return 0
	}
	return x / total
}

// entry returns the entry of a seed, a new one where there is none. While the same
// seeds are reported in the same order it is at place i.
func entry(x *leyline.Tally, id leyline.SeedID, i int) *leyline.SeedTally {
	if i < len(x.Seeds) && x.Seeds[i].Seed == id {
		return &x.Seeds[i]
	}
	i = slices.IndexFunc(x.Seeds, func(s leyline.SeedTally) bool { return s.Seed == id })
	if i < 0 {
		i = len(x.Seeds)
		x.Seeds = append(x.Seeds, leyline.SeedTally{Seed: id})
	}
	return &x.Seeds[i]
}

// addLayers adds the norms of a step, layer by layer. Another list of layers is
// another network in the slot: its sums begin anew.
func addLayers(sums, step []leyline.LayerNorm) []leyline.LayerNorm {
	out := slices.Clone(step)
	if !slices.EqualFunc(sums, step, func(a, b leyline.LayerNorm) bool { return a.Layer == b.Layer }) {
		return out
	}
	for i := range out {
		out[i].Norm += sums[i].Norm
	}
	return out
}

// attribute returns the shares of the host's gradient that are attributed to the
// seeds of a step.
func attribute(t *projections.Turn, x leyline.StepObserved) []float64 {
	out := make([]float64, len(x.Seeds))
	switch t.Config().Tolaria.Attribution {
	case leyline.AttributionReported:
		for i := range x.Seeds {
			out[i] = x.Seeds[i].Attributed
		}
	case leyline.AttributionUniform:
		uniform(t, x, out)
	}
	return out
}

// uniform shares the host's gradient among the seeds that are learning, or among
// all where none is.
func uniform(t *projections.Turn, x leyline.StepObserved, out []float64) {
	learning := 0
	for i := range x.Seeds {
		switch t.State.Kasmina.Seed(x.Run, x.Seeds[i].Seed).Stage {
		case leyline.StageTraining, leyline.StageBlending:
			out[i] = 1
			learning++
		}
	}
	for i := range out {
		switch {
		case learning == 0:
			out[i] = 1 / float64(len(out))
		case out[i] == 1:
			out[i] = 1 / float64(learning)
		}
	}
}

// shares says what the epoch that ends has shown of host and seeds.
func shares(t *projections.Turn, r *projections.Run) leyline.Shares {
	c, sum := &t.Config().Tolaria, r.Track.Tally
	out := leyline.Shares{Steps: sum.Steps, Compact: c.SeedCompact, JumpLimit: c.SeedShareJump, ConflictLimit: c.SeedConflict}
	if sum.Steps == 0 {
		return out
	}
	n := float64(sum.Steps)
	out.HostNorm, out.HostShare = sum.HostNorm/n, sum.HostShare/n
	all := float64(r.Plan.Parameters) // not whole numbers: a trainer may report any, and their sum must not wrap
	for i := range sum.Seeds {
		all += float64(sum.Seeds[i].Parameters)
	}
	for i := range sum.Seeds {
		s := seedShare(c, r, &sum.Seeds[i], all)
		if d := t.State.Kasmina.Seed(r.ID, s.Seed); d != nil {
			s.Stage = d.Stage
		}
		out.Seeds = append(out.Seeds, s)
	}
	return out
}

// seedShare is the part of one seed in a network of so many parameters.
func seedShare(c *leyline.TolariaConfig, r *projections.Run, s *leyline.SeedTally, parameters float64) leyline.SeedShare {
	n := float64(s.Steps)
	out := leyline.SeedShare{
		Seed: s.Seed, Steps: s.Steps, Weight: s.Weight / n, Norm: s.Norm / n, Share: s.Share / n, Alpha: s.Alpha / n, Attributed: s.Attributed / n,
		Conflicts: s.Conflicts, Conflict: float64(s.Conflicts) / n, Parameters: s.Parameters,
		MaskFraction: float64(s.Parameters) / parameters, Layers: largest(s.Layers, n, int(c.SeedLayers)),
	}
	before, known := 0.0, false
	for i := range r.Track.Shares {
		if r.Track.Shares[i].Seed == s.Seed {
			before, known = r.Track.Shares[i].Share, true
		}
	}
	out.ShareDelta = out.Share - before
	out.Jumped = known && math.Abs(out.ShareDelta) >= c.SeedShareJump
	out.Conflicting = out.Conflict >= c.SeedConflict
	return out
}

// largest returns the means over n steps of the largest k sums, falling; equal
// ones keep their order.
func largest(sums []leyline.LayerNorm, n float64, k int) []leyline.LayerNorm {
	if k == 0 || len(sums) == 0 {
		return nil
	}
	out := slices.Clone(sums)
	slices.SortStableFunc(out, func(a, b leyline.LayerNorm) int { return cmp.Compare(b.Norm, a.Norm) })
	out = out[:min(k, len(out))]
	for i := range out {
		out[i].Norm /= n
	}
	return out
}
