package telemetry

import "github.com/esper-plane/esper/leyline"

// shares reports what an epoch showed of the gradients of host and seeds, in full
// or in the compact form: parameters and attribution as metrics, the rest in one
// event for each seed (SPEC.md 2.11).
func (s *section) shares(x leyline.Shares, run leyline.Attr) {
	if x.Steps == 0 {
		return
	}
	s.metric(leyline.MetricTeacherShare, x.HostShare, run)
	teacher := []leyline.Attr{run, text(keySeed, leyline.TeacherSeed), text(keyStage, leyline.TeacherStage)}
	if !x.Compact {
		s.metric(leyline.MetricAggWeight, 1, teacher...)
		s.metric(leyline.MetricAggNorm, x.HostNorm, teacher...)
	}
	rest := 1.0
	for i := range x.Seeds {
		rest -= x.Seeds[i].MaskFraction
		s.share(&x, &x.Seeds[i], run)
	}
	s.metric(leyline.MetricAggMaskFraction, rest, teacher...)
}

func (s *section) share(all *leyline.Shares, x *leyline.SeedShare, run leyline.Attr) {
	seed := []leyline.Attr{run, text(keySeed, x.Seed), name(keyStage, x.Stage)}
	if x.Parameters > 0 {
		s.metric(leyline.MetricAggParams, float64(x.Parameters), seed...)
	}
	s.metric(leyline.MetricAggMaskFraction, x.MaskFraction, seed...)
	s.metric(leyline.MetricAggTeacherShare, x.Attributed, seed...)
	if all.Compact {
		s.event(leyline.NameSeedHealth, leyline.LevelInfo, run, text(keySeed, x.Seed), number("share", x.Share), number("alpha", x.Alpha),
			whole("conflicts", x.Conflicts), number("weight", x.Weight))
	} else {
		s.shareInFull(x, seed)
	}
	if x.Jumped {
		s.event(leyline.NameSeedShareJump, leyline.LevelWarning, run, text(keySeed, x.Seed), number(keyValue, x.ShareDelta), number(keyLimit, all.JumpLimit))
	}
	if x.Conflicting {
		s.event(leyline.NameSeedConflictHigh, leyline.LevelWarning, run, text(keySeed, x.Seed), number(keyValue, x.Conflict), number(keyLimit, all.ConflictLimit))
	}
}

func (s *section) shareInFull(x *leyline.SeedShare, seed []leyline.Attr) {
	s.metric(leyline.MetricAggWeight, x.Weight, seed...)
	s.metric(leyline.MetricAggNorm, x.Norm, seed...)
	s.metric(leyline.MetricAggShare, x.Share, seed...)
	s.metric(leyline.MetricAggShareDelta, x.ShareDelta, seed...)
	s.metric(leyline.MetricAggAlpha, x.Alpha, seed...)
	s.metric(leyline.MetricAggConflicts, float64(x.Conflicts), seed...)
	s.metric(leyline.MetricAggConflictRatio, x.Conflict, seed...)
	for _, l := range x.Layers {
		s.metric(leyline.MetricAggLayerNorm, l.Norm, append(seed[:len(seed):len(seed)], text("layer", l.Layer))...)
	}
}
