package decider_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// gardener makes one history of a run with three slots and two kinds of seed.
type gardener struct {
	*world
	r   *detmath.PCG
	ada person
}

func newGardener(t *testing.T, seed uint64) *gardener {
	g := &gardener{r: detmath.NewPCG(seed, 5)}
	g.world = newWorld(t, func(c *leyline.ExecutionConfig) {
		c.Tamiyo.Enabled = g.one(2)
		c.Tolaria.DivergeWarmup, c.Tolaria.RollbackLimit, c.Tolaria.RebuildMin = 1<<30, 1<<30, 2
		c.Tolaria.RollbackHalts = false
		c.Kasmina.Embargo, c.Kasmina.CommandDeadline = leyline.Millis(20+g.pick(100)), 3_000
		c.Kasmina.ContributionMode = []leyline.RuleMode{leyline.RuleShadow, leyline.RuleEnforce}[g.pick(2)]
		c.Kasmina.MinTrainSteps, c.Tamiyo.TrainSteps = 2, 3
	})
	g.must(leylinetest.Blueprint("bp-2", []byte("other!")))
	g.ada, g.lockstep = g.enrol("ada"), g.one(2)
	return g
}

// begin opens the run; in every third history it compiles.
func (g *gardener) begin() {
	p := plan()
	p.Seeds, p.Blueprints, p.Lockstep = []leyline.SeedID{"seed-a", "seed-b", "seed-c"}, []leyline.BlueprintID{"bp-1", "bp-2"}, g.lockstep
	p.Groups = []leyline.ParamGroup{{Name: "net", Rate: 0.1, Parameters: 10}}
	if g.one(3) {
		p.Framework = leyline.FrameworkTorch
		p.Posture = leyline.Posture{
			Version: "2.8.0+cpu", Device: "cpu", Compile: leyline.SwitchOn, CompileMode: "default", Inference: leyline.SwitchOn,
			Matmul: leyline.MatmulHighest, TF32: leyline.SwitchOff, WeightsOnly: leyline.SwitchOn,
			Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOff, Deterministic: leyline.SwitchOn, TF32: leyline.SwitchOff},
		}
	}
	g.inc = one[leyline.RunStarted](g.world, g.must(p)).Incarnation
}

func (g *gardener) pick(n int) int { return int(g.r.Uint64() % uint64(n)) }

// one is true once in n times.
func (g *gardener) one(n int) bool { return g.pick(n) == 0 }

// next decides one input, and those that it brings with it.
func (g *gardener) next() {
	g.inc = g.run().Incarnation
	if g.one(40) {
		g.at = g.at.Add(time.Duration(g.pick(200)) * time.Millisecond)
	}
	if in := g.input(); in != nil {
		g.feed(in)
	}
}

// input is what happens next: mostly what the plane waits for, sometimes a fault.
func (g *gardener) input() leyline.Input {
	if g.run().Rollback.Active() && !g.one(4) {
		return g.restored()
	}
	switch n := g.pick(100); {
	case n < 44:
		return g.step()
	case n < 56:
		return g.command()
	case n < 70:
		return g.answer()
	case n < 82:
		return g.kernel()
	case n < 88:
		return g.probed()
	case n < 94:
		return g.snapshot(fmt.Sprintf("s-%d-%d-%d", g.inc, g.run().Track.Step, g.seq))
	case n < 97:
		if due, ok := g.s.NextTimer(); ok && (due.Timer == leyline.TimerEmbargo || g.one(8)) {
			g.at = max(g.at, due.Due)
			return due
		}
	case n < 99:
		return leyline.CompileFallback{
			Run: "run-1", Incarnation: g.inc, Step: g.run().Track.Step, Seed: g.some(), Stage: leyline.FallbackRuntime, Reason: "RuntimeError",
		}
	case g.one(4):
		again := g.run().Plan
		again.Resume = true
		return again
	case g.one(3):
		return leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: g.admin.Public(), Decider: decider.Version}
	}
	return g.step()
}

func (g *gardener) some() leyline.SeedID { return g.run().Plan.Seeds[g.pick(3)] }

// step is the next report; in one of thirty something is wrong with it.
func (g *gardener) step() leyline.Input {
	x := g.report()
	for i := range x.Seeds {
		x.Seeds[i].Loss, x.Seeds[i].Parameters = 1, 4
	}
	if g.one(90) {
		x.Losses[0] = math.NaN()
	}
	if len(x.Seeds) > 0 && g.one(30) {
		s := &x.Seeds[g.pick(len(x.Seeds))]
		switch g.pick(6) {
		case 0:
			s.Leak = 1e-3
		case 1:
			s.GradNorm = []float64{0, math.NaN(), math.Inf(1)}[g.pick(3)]
		case 2:
			s.Stage = []leyline.Stage{leyline.StageTraining, leyline.StageBlending, leyline.StageFossilized}[g.pick(3)]
		case 3:
			s.Alpha = 0.25
		case 4:
			s.Loss = math.NaN()
		case 5:
			x.Seeds = x.Seeds[1:]
		}
	}
	return x
}

// kernel answers a prefetch: one in eight brings no kernel, or another one.
func (g *gardener) kernel() leyline.Input {
	for _, s := range g.s.Kasmina.Run("run-1").Seeds {
		k := s.Kernel
		if k.Request.IsZero() {
			continue
		}
		switch g.pick(16) {
		case 0:
			return leyline.KernelFailed{Request: k.Request, Run: "run-1", Seed: s.ID, Outcome: leyline.OutcomeFailed, Reason: "x"}
		case 1:
			return leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: s.ID, Digest: digest("evil"), Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6}
		}
		return leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: s.ID, Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6}
	}
	return g.step()
}

// answer is the trainer's word on a command: one in twelve has failed.
func (g *gardener) answer() leyline.Input {
	if len(g.s.Kasmina.Pending) == 0 {
		return g.step()
	}
	x := leyline.CommandAcked{Run: "run-1", Incarnation: g.inc, Command: g.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK}
	if g.one(12) {
		x.Outcome, x.Reason = leyline.OutcomeFailed, "no memory"
	}
	return x
}

func (g *gardener) probed() leyline.Input {
	for _, id := range g.s.Kasmina.ProbesDue("run-1", g.run().Track.Step) {
		return g.probe(id, []float64{0.02, 0.02, 0.02, -0.1}[g.pick(4)])
	}
	return g.step()
}

// restored reports the rollback under way, one in ten with other bytes.
func (g *gardener) restored() leyline.Input {
	b := g.run().Rollback
	x := g.rollback(b.Phase, leyline.Digest{1})
	if s := g.run().Snapshot(b.Snapshot); s != nil && (b.Phase == leyline.PhaseCommit || !g.one(10)) {
		x.Digest = s.Digest
	}
	return x
}

// command is one of the policy's or an operator's: mostly an operation that starts
// from the stage of its seed.
func (g *gardener) command() leyline.Input {
	c := leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{
		Operation: leyline.SeedOperation(1 + g.pick(9)), Seed: g.some(),
		Blueprint: []leyline.BlueprintID{"bp-1", "bp-2"}[g.pick(2)], Mesh: []string{"trunk"},
		Blend: leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: uint32(g.pick(4)), Temperature: float64(g.pick(3))},
	}}
	if op, stage := g.fitting(c.Seed.Seed), g.s.Kasmina.Seed("run-1", c.Seed.Seed).Stage; op != leyline.OpUnknown && !g.one(5) {
		if c.Seed.Operation = op; stage == leyline.StageTraining {
			c.Seed.Blend.TotalSteps, c.Seed.Blend.Temperature = uint32(1+g.pick(5)), 1
		}
	}
	if g.one(6) {
		g.order(&c)
	}
	if g.one(3) {
		v := g.valid(c.Seed)
		v.ID = leyline.CommandID(fmt.Sprintf("p-%d", g.seq))
		v.Kind, v.Pause, v.Optimizer, v.Breaker, v.Rollback = c.Kind, c.Pause, c.Optimizer, c.Breaker, c.Rollback
		return g.received(v)
	}
	return g.ada.envelope(c)
}

// fitting is an operation that starts from the stage of a seed and does not give it
// up, one in twenty times one that does.
func (g *gardener) fitting(id leyline.SeedID) leyline.SeedOperation {
	stage := g.s.Kasmina.Seed("run-1", id).Stage
	if g.one(20) {
		return []leyline.SeedOperation{leyline.OpCull, leyline.OpCancel, leyline.OpFineTune}[g.pick(3)]
	}
	for _, op := range []leyline.SeedOperation{
		leyline.OpGerminate, leyline.OpStartTraining, leyline.OpStartGrafting, leyline.OpStabilize, leyline.OpEvaluate, leyline.OpFossilize,
	} {
		if _, ok := leyline.EdgeOf(op, stage); ok {
			return op
		}
	}
	return leyline.OpUnknown
}

// order makes a command one of the other kinds.
func (g *gardener) order(c *leyline.Command) {
	switch g.pick(12) {
	case 0:
		c.Kind, c.Rollback = leyline.CommandRollback, leyline.RollbackCommand{Step: leyline.Step(g.pick(int(g.run().Track.Step) + 1)), Reason: "x"}
	case 1:
		c.Kind, c.Optimizer = leyline.CommandOptimizer, leyline.OptimizerCommand{Action: leyline.OptimizerRebuildNow, Reason: "x"}
	case 2:
		c.Kind, c.Optimizer = leyline.CommandOptimizer, leyline.OptimizerCommand{Action: leyline.OptimizerScale, Factor: 0.5, Reason: "x"}
	case 3:
		c.Kind = leyline.CommandCircuitBreaker
		c.Breaker = leyline.BreakerCommand{Breaker: leyline.BreakerID(g.pick(4)), State: leyline.BreakerState(g.pick(4)), Reason: "x"}
	case 4:
		c.Kind = leyline.CommandStructuralPruning
	default:
		c.Kind, c.Pause = leyline.CommandPause, leyline.PauseCommand{
			Action: leyline.PauseAction(1 + g.pick(2)), Scope: leyline.PauseSeed, Seed: c.Seed.Seed, Reason: "x",
		}
		if g.one(6) {
			c.Pause.Scope, c.Pause.Seed = leyline.PauseRun, ""
		}
	}
}
