package cli

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
)

// graftFlags are the flags of a blend.
const graftFlags = "mode? steps temperature? channels? gate-k? gate-tau? alpha-lo? alpha-hi?"

var seedOrders = []order{
	seedOrder("germinate", "Plant a seed of a blueprint behind layers of the host", "blueprint layer set?", leyline.OpGerminate),
	seedOrder("train", "Let a germinated seed train beside the host", "", leyline.OpStartTraining),
	seedOrder("graft", "Begin to blend a trained seed into the host", graftFlags, leyline.OpStartGrafting),
	seedOrder("stabilize", "Run a blended seed at full strength", "", leyline.OpStabilize),
	seedOrder("evaluate", "Put a seed on probation", "", leyline.OpEvaluate),
	seedOrder("fossilize", "Make a seed a lasting part of the host", "", leyline.OpFossilize),
	seedOrder("fine-tune", "Take a seed out of the host's output and let it train again", "", leyline.OpFineTune),
	seedOrder("cull", "Give a seed up", "reason", leyline.OpCull),
	seedOrder("cancel", "Call a seed on trial off, close an empty slot for good, or manage a kept seed no more", "reason", leyline.OpCancel),
}

// seedOrder is the row of an operation on a seed.
func seedOrder(name, short, flags string, op leyline.SeedOperation) order {
	return order{
		group: "seed", about: "the seed in a slot", name: name, args: "SLOT", short: short, flags: flags, kind: leyline.CommandSeed,
		fill: func(c *leyline.Command, args []string, f *orderFlags) (err error) {
			c.Seed = leyline.SeedCommand{
				Operation: op, Seed: leyline.SeedID(args[0]), Blueprint: leyline.BlueprintID(f.blueprint), Mesh: f.layers, Reason: f.reason,
			}
			if op == leyline.OpStartGrafting {
				return f.blend(&c.Seed.Blend)
			}
			c.Seed.Parameters, err = parameters(f.settings)
			return err
		},
	}
}

// blendFlags say how a seed is blended.
type blendFlags struct {
	mode        string
	steps       uint32
	temperature float64
	channels    []float64
	gate        leyline.ConfidenceGate
}

// flag adds one of graftFlags; it reports whether there is one of that name.
func (f *blendFlags) flag(s *pflag.FlagSet, name string) bool {
	d := leyline.DefaultConfig().Tamiyo
	switch name {
	case "mode":
		s.StringVar(&f.mode, name, leyline.BlendResidual.String(), "how the seed's output is mixed into the host's: CONVEX, RESIDUAL, CHANNEL or CONFIDENCE")
	case "steps":
		s.Uint32Var(&f.steps, name, 0, "optimizer steps until the blend is complete")
	case "temperature":
		s.Float64Var(&f.temperature, name, d.BlendTemperature, "temperature of the alpha schedule, in steps")
	case "channels":
		s.Float64SliceVar(&f.channels, name, nil, "CHANNEL: the share of each channel of the host, [0,1], joined by commas")
	case "gate-k":
		s.Float64Var(&f.gate.K, name, d.BlendGateK, "CONFIDENCE: steepness of the gate")
	case "gate-tau":
		s.Float64Var(&f.gate.Tau, name, d.BlendGateTau, "CONFIDENCE: margin of the two largest logits at which the gate is half open")
	case "alpha-lo":
		s.Float64Var(&f.gate.Lo, name, d.BlendLo, "CONFIDENCE: least share of the seed, [0,1]")
	case "alpha-hi":
		s.Float64Var(&f.gate.Hi, name, d.BlendHi, "CONFIDENCE: largest share of the seed, [0,1]")
	default:
		return false
	}
	return true
}

// blend fills in a plan. A gate is by the classification of the seed itself: nobody at
// a shell has the logits of a policy.
func (f *orderFlags) blend(p *leyline.BlendPlan) error {
	p.TotalSteps, p.Temperature = f.steps, f.temperature
	p.Channels, p.ChannelCount = f.channels, uint32(len(f.channels))
	if err := p.Mode.UnmarshalText([]byte(f.mode)); err != nil {
		return usagef("--mode %w", err)
	}
	gated := slices.ContainsFunc([]string{"gate-k", "gate-tau", "alpha-lo", "alpha-hi"}, f.set.Changed)
	if p.Mode == leyline.BlendConfidence || gated {
		p.Gate = f.gate
	}
	if p.Mode == leyline.BlendConfidence {
		p.Source = leyline.LogitsSeed
	}
	return usageIfAny(p.Validate())
}

// parameters reads NAME=VALUE, and orders them by name.
func parameters(settings []string) ([]leyline.ParameterValue, error) {
	var out []leyline.ParameterValue
	for _, s := range settings {
		name, text, found := strings.Cut(s, "=")
		value, err := strconv.ParseFloat(text, 64)
		if !found || err != nil {
			return nil, usagef("--set %q; want NAME=NUMBER", s)
		}
		out = append(out, leyline.ParameterValue{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b leyline.ParameterValue) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
