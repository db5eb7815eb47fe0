package leyline

import "fmt"

// Feature names one thing that a policy is told of a run (SPEC.md 3.2), as far as a
// plane can know it. The part before the dot is the kind of node that it belongs to.
type Feature = Enum[features]

type features struct{}

func (features) list() []string { return featureNames[:] }

var featureNames = [...]string{
	"unspecified",
	"global.loss", "global.validation_loss", "global.training_loss", "global.gradient_norm", "global.samples_per_s",
	"global.hook_latency_ms", "global.epoch", "global.step", "global.seeds", "global.epoch_progress", "global.optimizer_family",
	"seed.learning_rate", "seed.risk", "seed.gradient_norm", "seed.age", "seed.stage", "seed.layer_depth", "seed.embedding", "seed.blend_allowed",
	"blueprint.embedding", "blueprint.risk", "blueprint.stage", "blueprint.parameter_count", "blueprint.tier", "blueprint.flags",
	"blueprint.candidate_score", "blueprint.hazard_class",
	"layer.depth",
	"edges.global_influences", "edges.layer_connects",
}

// The features.
const (
	FeatureUnspecified Feature = iota
	FeatureLoss                // of the last step, mean over tasks
	FeatureValidationLoss
	FeatureTrainingLoss // running mean of the loss
	FeatureGradNorm
	FeatureSamples
	FeatureHook
	FeatureEpoch
	FeatureStep
	FeatureSeeds
	FeatureProgress
	FeatureOptimizer
	FeatureSeedRate
	FeatureSeedRisk
	FeatureSeedGrad
	FeatureSeedAge
	FeatureSeedStage
	FeatureSeedDepth
	FeatureSeedEmbedding
	FeatureSeedBlends
	FeatureBlueprintEmbedding
	FeatureBlueprintRisk
	FeatureBlueprintStage
	FeatureBlueprintParameters
	FeatureBlueprintTier
	FeatureBlueprintFlags
	FeatureBlueprintScore
	FeatureBlueprintHazard
	FeatureLayerDepth
	FeatureEdgeInfluences // of the run on each seed
	FeatureEdgeLayers     // from layer to layer; always there
)

// FeatureGroup names what the coverage of features is summed up by.
type FeatureGroup = Enum[featureGroups]

type featureGroups struct{}

func (featureGroups) list() []string { return featureGroupNames[:] }

var featureGroupNames = [...]string{
	"unspecified", "node.global", "node.seed", "node.blueprint", "node.layer", "edges.global_influences", "edges.layer_connects",
}

// The groups.
const (
	GroupUnspecified FeatureGroup = iota
	GroupGlobal
	GroupSeed
	GroupBlueprint
	GroupLayer
	GroupInfluences
	GroupLayerConnects
)

// GroupOf returns the group that a feature belongs to.
func GroupOf(f Feature) FeatureGroup {
	switch {
	case f == FeatureEdgeInfluences:
		return GroupInfluences
	case f == FeatureEdgeLayers:
		return GroupLayerConnects
	case f >= FeatureLayerDepth:
		return GroupLayer
	case f >= FeatureBlueprintEmbedding:
		return GroupBlueprint
	case f >= FeatureSeedRate:
		return GroupSeed
	case f >= FeatureLoss:
		return GroupGlobal
	}
	return GroupUnspecified
}

// NormKey names running statistics by which features are normalised (SPEC.md 3.3);
// several features may share one.
type NormKey = Enum[normKeys]

type normKeys struct{}

func (normKeys) list() []string { return normKeyNames[:] }

var normKeyNames = [...]string{
	"unspecified", "loss", "validation_loss", "training_loss", "grad_norm", "samples", "hook_latency",
	"global_epoch", "global_step", "epoch_progress", "seed_learning_rate", "seed_risk", "seed_age",
	"blueprint_param_log", "blueprint_candidate_score",
}

// The keys.
const (
	NormUnspecified NormKey = iota
	NormLoss
	NormValidationLoss
	NormTrainingLoss
	NormGradNorm
	NormSamples
	NormHook
	NormEpoch
	NormStep
	NormProgress
	NormSeedRate
	NormSeedRisk
	NormSeedAge
	NormBlueprintParameters
	NormBlueprintScore
)

// FeatureNorm are running statistics of one key.
type FeatureNorm struct {
	Key  NormKey
	Mean float64
	Var  float64 // greater than 0
}

// FeatureCoverage says of how many nodes a feature was known.
type FeatureCoverage struct {
	Feature Feature
	Present uint32 // less than Total: what is known of every node is not listed
	Total   uint32
}

// Share is the part of the nodes of which the feature was known; 1 when there are none.
func (f FeatureCoverage) Share() float64 {
	if f.Total == 0 {
		return 1
	}
	return float64(f.Present) / float64(f.Total)
}

// Coverage says how much of what a policy is told was known. A feature of which
// nothing was known counts as 0; one that no node could have does not count.
type Coverage struct {
	Features uint32            // that count
	Mean     float64           // of their ratios, [0,1]
	Missing  uint32            // of which nothing was known
	Groups   []GroupCoverage   // ascending by Group; of those that have nodes
	Partial  []FeatureCoverage // ascending by Feature
}

func (x *Coverage) check(c *check) {
	unit(c, "coverage.mean", x.Mean)
	if x.Missing > x.Features {
		c.fail(Invalid("coverage.features", fmt.Sprintf("is %d, of which %d are missing", x.Features, x.Missing)))
	}
	groups(c, "coverage.groups", x.Groups)
	bound(c, "coverage.partial", len(x.Partial), len(featureNames)-1)
	for i, f := range x.Partial {
		c.element("coverage.partial", i)
		needEnum(c, "feature", f.Feature)
		if f.Present >= f.Total {
			c.fail(Invalid("total", fmt.Sprintf("is %d, of which %d are known, but only what is not known of every node is listed", f.Total, f.Present)))
		}
		if i > 0 && f.Feature <= x.Partial[i-1].Feature {
			c.fail(Invalid("feature", fmt.Sprintf("is %s, which does not come after %s", f.Feature, x.Partial[i-1].Feature)))
		}
	}
	c.leave()
}

func checkNorms(c *check, list string, norms []FeatureNorm) {
	bound(c, list, len(norms), len(normKeyNames)-1)
	for i, n := range norms {
		c.element(list, i)
		needEnum(c, "key", n.Key)
		finite(c, "mean", n.Mean)
		if !(n.Var > 0) || !isFinite(n.Var) {
			c.fail(Invalid("var", fmt.Sprintf("is %v; want a finite number greater than 0", n.Var)))
		}
		if i > 0 && n.Key <= norms[i-1].Key {
			c.fail(Invalid("key", fmt.Sprintf("is %s, which does not come after %s", n.Key, norms[i-1].Key)))
		}
	}
	c.leave()
}
