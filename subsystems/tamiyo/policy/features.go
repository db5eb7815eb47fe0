package policy

import (
	"cmp"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Value is one feature of one node. What is not present is 0 and says nothing.
type Value struct {
	Feature leyline.Feature
	Value   float64
	Present bool
}

// Features is what a policy is told of a run (SPEC.md 3.2): a vector of each node, all
// of a kind with the same features in the order of their codes, and how much of it was
// known. What has a unit is normalised by running statistics.
type Features struct {
	Global     []Value
	Seeds      []Value // SeedFeatures of each seed, in slot order
	Blueprints []Value // BlueprintFeatures of each blueprint, in the order of the question
	Layers     []Value // one of each layer, in the order of the plan
	Coverage   leyline.Coverage
	Norms      []leyline.FeatureNorm // after this window
}

// How many features a node of a kind has.
const (
	GlobalFeatures    = int(leyline.FeatureSeedRate - leyline.FeatureLoss)
	SeedFeatures      = int(leyline.FeatureBlueprintEmbedding - leyline.FeatureSeedRate)
	BlueprintFeatures = int(leyline.FeatureLayerDepth - leyline.FeatureBlueprintEmbedding)
)

// Scales by which indices and codes become features (SPEC.md 3.2).
const (
	vocabulary   = 1024
	families     = 256
	stageScale   = float64(leyline.StageTerminated)
	approvals    = 10
	tierScale    = 10
	hazardScale  = 256
	perStage     = 0.05 // of a blueprint's candidate score
	perParameter = 0.02
)

// optimizers are the families whose index is a feature; another one is not known.
var optimizers = [...]string{"", "sgd", "adam", "adamw", "rmsprop", "adagrad"}

// Featurise measures what a question says.
func Featurise(q *Question) Features {
	f := featuriser{norm: newNormaliser(q.Memory.Norms), q: q}
	f.Global = make([]Value, 0, GlobalFeatures)
	f.Seeds = make([]Value, 0, SeedFeatures*len(q.Seeds))
	f.Blueprints = make([]Value, 0, BlueprintFeatures*len(q.Blueprints))
	f.Layers = make([]Value, 0, len(q.Plan.Layers))
	f.measure()
	f.global()
	for i := range q.Seeds {
		f.seed(i)
	}
	for i := range q.Blueprints {
		f.blueprint(i)
	}
	for i := range q.Plan.Layers {
		f.into = &f.Layers
		f.put(leyline.FeatureLayerDepth, float64(i+1)/float64(len(q.Plan.Layers)), true)
	}
	f.count(leyline.FeatureEdgeInfluences, len(q.Seeds), len(q.Seeds))
	links := max(1, len(q.Plan.Layers)-1)
	f.count(leyline.FeatureEdgeLayers, links, links)
	f.Coverage, f.Norms = f.coverage(), f.norm.norms
	return f.Features
}

type featuriser struct {
	Features
	q      *Question
	norm   *normaliser
	into   *[]Value
	sizes  []uint64 // of a seed of each blueprint
	counts [leyline.FeatureEdgeLayers + 1]leyline.FeatureCoverage
}

func (f *featuriser) count(x leyline.Feature, present, total int) {
	c := &f.counts[x]
	c.Feature, c.Present, c.Total = x, c.Present+uint32(present), c.Total+uint32(total)
}

// put adds a feature to the vector at hand. A value that is no number is not known.
func (f *featuriser) put(x leyline.Feature, v float64, present bool) {
	if !(math.Abs(v) <= mostNormable) {
		present = false
	}
	n := 0
	if present {
		n = 1
	} else {
		v = 0
	}
	f.count(x, n, 1)
	*f.into = append(*f.into, Value{x, v, present})
}

// learn is put of a value that is normalised first. What is not known teaches nothing.
func (f *featuriser) learn(x leyline.Feature, key leyline.NormKey, v float64, present bool) {
	if present = present && math.Abs(v) <= mostNormable; present {
		v = f.norm.take(key, v)
	}
	f.put(x, v, present)
}

func (f *featuriser) global() {
	q := f.q
	k := &q.Track
	f.into = &f.Global
	f.learn(leyline.FeatureLoss, leyline.NormLoss, k.Loss, k.Step > 0)
	f.learn(leyline.FeatureValidationLoss, leyline.NormValidationLoss, mean(k.EpochLosses), len(k.EpochLosses) > 0)
	f.learn(leyline.FeatureTrainingLoss, leyline.NormTrainingLoss, k.LossEWMA.Mean, k.LossEWMA.N > 0)
	f.learn(leyline.FeatureGradNorm, leyline.NormGradNorm, k.GradEWMA.Mean, k.GradEWMA.N > 0)
	timed := !q.Plan.Lockstep // else nothing that a machine's speed changes is told
	f.learn(leyline.FeatureSamples, leyline.NormSamples, k.RateEWMA.Mean, timed && k.RateEWMA.N > 0)
	hook, told := q.reading(leyline.TrainHookMs)
	f.learn(leyline.FeatureHook, leyline.NormHook, hook, timed && told)
	f.learn(leyline.FeatureEpoch, leyline.NormEpoch, float64(k.Epoch), true)
	f.learn(leyline.FeatureStep, leyline.NormStep, detmath.Log(1+float64(q.Step)), true)
	f.put(leyline.FeatureSeeds, detmath.Tanh(float64(len(q.Seeds))), true)
	f.learn(leyline.FeatureProgress, leyline.NormProgress, progress(q), q.Plan.Steps > 0)
	family := slices.Index(optimizers[:], q.Plan.Optimizer)
	f.put(leyline.FeatureOptimizer, float64(family)/families, family > 0)
}

// seed describes a slot and what grows in it. Its age is counted in windows.
func (f *featuriser) seed(i int) {
	q, s := f.q, &f.q.Seeds[i]
	f.into = &f.Seeds
	alive := s.Blueprint != ""
	k, known := q.kindOf(s)
	f.learn(leyline.FeatureSeedRate, leyline.NormSeedRate, q.LearnRate, alive && q.LearnRate > 0)
	risk := 0.0
	if known {
		risk = q.Blueprints[k].Risk
	}
	f.learn(leyline.FeatureSeedRisk, leyline.NormSeedRisk, risk, known)
	f.learn(leyline.FeatureSeedGrad, leyline.NormGradNorm, s.Isolation.GradNorm, s.Isolation.Steps > 0)
	age := float64(max(q.Step, s.Born)-s.Born) / float64(max(q.Config.Tamiyo.WindowSteps, 1))
	f.learn(leyline.FeatureSeedAge, leyline.NormSeedAge, age, alive)
	f.put(leyline.FeatureSeedStage, float64(s.Stage)/stageScale, true)
	depth := -1
	if len(s.Mesh) > 0 {
		depth = slices.Index(q.Plan.Layers, s.Mesh[0])
	}
	f.put(leyline.FeatureSeedDepth, float64(depth+1)/float64(max(len(q.Plan.Layers), 1)), depth >= 0)
	f.put(leyline.FeatureSeedEmbedding, float64(i+1)/vocabulary, true)
	blends := s.Stage >= leyline.StageBlending && leyline.OnTrial(s.Stage) || s.Stage == leyline.StageFossilized
	f.put(leyline.FeatureSeedBlends, 1, blends)
}

// kindOf is the place of the blueprint of a seed; false: there is none, or it was
// withdrawn.
func (q *Question) kindOf(s *projections.Seed) (int, bool) {
	if s.Blueprint == "" {
		return 0, false
	}
	return slices.BinarySearchFunc(q.Blueprints, s.Blueprint, func(b leyline.BlueprintRegistered, id leyline.BlueprintID) int {
		return cmp.Compare(b.Blueprint, id)
	})
}

func (f *featuriser) blueprint(i int) {
	p := &f.q.Blueprints[i]
	f.into = &f.Blueprints
	f.put(leyline.FeatureBlueprintEmbedding, float64(i+1)/vocabulary, true)
	f.put(leyline.FeatureBlueprintRisk, p.Risk, true)
	f.put(leyline.FeatureBlueprintStage, float64(p.Stage)/approvals, p.Stage > 0)
	size := f.sizes[i]
	f.learn(leyline.FeatureBlueprintParameters, leyline.NormBlueprintParameters, detmath.Log(1+float64(size)), size > 0)
	f.put(leyline.FeatureBlueprintTier, float64(p.Tier)/tierScale, p.Tier != leyline.BlueprintTierUnspecified)
	barred := 0.0
	if p.Quarantine {
		barred = 1
	}
	f.put(leyline.FeatureBlueprintFlags, barred, true)
	score := max(0, (1-p.Risk)+float64(perStage*float64(p.Stage))+float64(perParameter*float64(len(p.Parameters))))
	f.learn(leyline.FeatureBlueprintScore, leyline.NormBlueprintScore, score, true)
	f.put(leyline.FeatureBlueprintHazard, float64(p.Hazard.Band)/hazardScale, p.Hazard.Band != leyline.HazardUnspecified)
}

// measure collects the number of parameters of a seed of each kind, as a trainer has
// told of one that lives; 0: none has.
func (f *featuriser) measure() {
	f.sizes = make([]uint64, len(f.q.Blueprints))
	for i := range f.q.Seeds {
		s := &f.q.Seeds[i]
		if k, ok := f.q.kindOf(s); ok && len(s.Parameters) > 0 {
			f.sizes[k] = leyline.ParameterCount(s.Parameters)
		}
	}
}

// coverage sums up what was counted.
func (f *featuriser) coverage() leyline.Coverage {
	var c leyline.Coverage
	var groups [leyline.GroupLayerConnects + 1]leyline.FeatureCoverage
	for i := range f.counts {
		x := f.counts[i]
		if x.Total == 0 {
			continue
		}
		c.Features++
		c.Mean += x.Share()
		g := &groups[leyline.GroupOf(x.Feature)]
		g.Present, g.Total = g.Present+x.Present, g.Total+x.Total
		if x.Present == 0 {
			c.Missing++
		}
		if x.Present < x.Total {
			c.Partial = append(c.Partial, x)
		}
	}
	c.Mean /= float64(c.Features) // the links between layers always count
	for g := range groups {
		if groups[g].Total > 0 {
			c.Groups = append(c.Groups, leyline.GroupCoverage{Group: leyline.FeatureGroup(g).String(), Ratio: groups[g].Share()})
		}
	}
	slices.SortFunc(c.Groups, func(a, b leyline.GroupCoverage) int {
		if a.Group < b.Group {
			return -1
		}
		return 1
	})
	return c
}

func mean(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	return detmath.Sum(xs) / float64(len(xs))
}
