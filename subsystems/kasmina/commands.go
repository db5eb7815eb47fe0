package kasmina

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
	"github.com/esper-plane/esper/subsystems/kasmina/verify"
)

// receive verifies a command and, when it can be carried out now, does so.
func receive(t *projections.Turn, x leyline.CommandReceived) {
	v := verify.Command(verify.Of(t), x.Envelope)
	d := dispatch{Turn: t, v: v, key: x.Envelope.KeyID}
	if v.Reason != leyline.RejectNone {
		d.reject(v.Reason, v.Detail)
		return
	}
	d.run()
}

// dispatch is one authentic command on its way.
type dispatch struct {
	*projections.Turn
	v    verify.Verdict
	key  leyline.KeyID
	seed *projections.Seed
}

func (d *dispatch) reject(why leyline.RejectReason, detail string) {
	c := &d.v.Command
	e := leyline.CommandRejected{
		Run: c.Audience.Run, Command: c.ID, Key: d.key, Issuer: c.Issuer, Kind: c.Kind,
		Operation: c.Seed.Operation, Seed: c.Seed.Seed, Reason: why, Detail: detail, IssuedAt: c.IssuedAt, Digest: d.v.Digest,
		Ledger: d.v.Ledger,
	}
	if leyline.Authentic(why) {
		e.Sequence, e.KeepUntil, e.Ledger = c.Sequence, d.v.KeepUntil, d.v.Spending()
	}
	d.Emit(e)
}

func (d *dispatch) accept() {
	c := &d.v.Command
	deadline := d.Meta.At.Add(d.Config().Kasmina.CommandDeadline.Duration())
	if c.NotAfter != 0 {
		deadline = min(deadline, c.NotAfter)
	}
	a := c.Argued()
	d.Emit(leyline.CommandVerified{
		Run: c.Audience.Run, Command: c.ID, Key: d.key, Issuer: c.Issuer, Kind: c.Kind, Seed: a.Seed,
		Sequence: c.Sequence, IssuedAt: c.IssuedAt, Deadline: deadline, KeepUntil: d.v.KeepUntil, Digest: d.v.Digest,
		Emergency: a.Emergency, Ledger: d.v.Spending(), Pause: a.Pause, Optimizer: a.Optimizer, Breaker: a.Breaker, Rollback: a.Rollback,
		Metadata: c.Metadata, Blueprint: d.planted(&a), Grown: d.grown(),
		Conservative: a.Conservative, Policy: a.Policy,
	})
}

// planted is the blueprint of the seed that the command is about: what is to be
// planted, or what grows there before the command is carried out.
func (d *dispatch) planted(a *leyline.Command) leyline.BlueprintID {
	if a.Seed.Operation == leyline.OpGerminate {
		return a.Seed.Blueprint
	}
	for _, id := range []leyline.SeedID{a.Seed.Seed, a.Pause.Seed} {
		if s := d.State.Kasmina.Seed(d.id(), id); s != nil {
			return s.Blueprint
		}
	}
	return ""
}

// grown counts the parameters that have grown in the run; a command to all runs is
// about none.
func (d *dispatch) grown() uint64 {
	slots := d.State.Kasmina.Run(d.id())
	if slots == nil {
		return 0
	}
	return slots.Grown()
}

func (d *dispatch) run() {
	if c := &d.v.Command; !leyline.PolicyMay(c.Kind) && leyline.PartyOf(c.Issuer) == leyline.PartyPolicy {
		d.reject(leyline.RejectOperatorOnly, fmt.Sprintf("only an operator may issue %s commands", c.Kind))
		return
	}
	switch d.v.Command.Kind {
	case leyline.CommandSeed:
		d.operation()
	case leyline.CommandEmergency:
		d.emergency()
	case leyline.CommandPause:
		d.pause()
	case leyline.CommandOptimizer:
		d.optimizer()
	case leyline.CommandCircuitBreaker:
		d.breaker()
	case leyline.CommandRollback:
		d.rollback()
	case leyline.CommandRegistry:
		d.registry()
	case leyline.CommandConservative:
		d.conservative()
	case leyline.CommandPolicy:
		d.policy()
	case leyline.CommandStructuralPruning:
		d.reject(leyline.RejectPruning, "this plane prunes nothing: it grows seeds and gives them up, and leaves the parameters of the host alone")
	default:
		d.reject(leyline.RejectUnsupportedKind, fmt.Sprintf("%s is no kind of command", d.v.Command.Kind))
	}
}

// operation decides a SEED command.
func (d *dispatch) operation() {
	why, detail := d.possible()
	if why == leyline.RejectNone {
		why, detail = d.asked()
	}
	if why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	d.operate()
}

// operate carries out an operation that is possible: Invariant: the stage of the
// seed is one that it starts from.
func (d *dispatch) operate() {
	switch d.v.Command.Seed.Operation {
	case leyline.OpGerminate:
		d.germinate()
	case leyline.OpStartTraining:
		d.startTraining()
	case leyline.OpStartGrafting:
		d.startGrafting()
	case leyline.OpStabilize:
		d.stabilize()
	case leyline.OpEvaluate:
		d.evaluate()
	case leyline.OpFossilize:
		d.fossilize()
	case leyline.OpFineTune:
		d.fineTune()
	case leyline.OpCull, leyline.OpCancel:
		d.leave()
	}
}

// steady checks what every command to a run needs that changes how it trains: the
// run is open and stands on the network that the command was issued for.
func (d *dispatch) steady() (leyline.RejectReason, string) {
	c := &d.v.Command
	run := d.State.Tolaria.Run(c.Audience.Run)
	switch {
	case run == nil:
		return leyline.RejectUnknownRun, fmt.Sprintf("no run %q", c.Audience.Run)
	case run.Status != leyline.RunStatusOpen:
		return leyline.RejectRunNotOpen, fmt.Sprintf("the run is %s", run.Status)
	case run.Rollback.Active():
		return leyline.RejectRollbackActive, fmt.Sprintf("rollback %s is under way", run.Rollback.ID)
	case c.IssuedAt < run.RewoundAt:
		return leyline.RejectOutdated, fmt.Sprintf("it was issued %s before the run was rolled back", run.RewoundAt.Sub(c.IssuedAt))
	}
	return leyline.RejectNone, ""
}

// possible checks what every operation on a seed needs, and finds the seed.
func (d *dispatch) possible() (leyline.RejectReason, string) {
	if why, detail := d.steady(); why != leyline.RejectNone {
		return why, detail
	}
	c, run := &d.v.Command, d.State.Tolaria.Run(d.id())
	if op := c.Seed.Operation; run.Track.Suspect > 0 && op != leyline.OpCull && op != leyline.OpCancel {
		return leyline.RejectSuspect, fmt.Sprintf("the loss is anomalous since step %d", run.Track.SuspectFrom)
	}
	d.seed = d.State.Kasmina.Seed(run.ID, c.Seed.Seed)
	if d.seed == nil {
		return leyline.RejectUnknownSeed, fmt.Sprintf("the run has no seed %q", c.Seed.Seed)
	}
	return d.unanswered(d.seed.ID)
}

func (d *dispatch) id() leyline.RunID { return d.v.Command.Audience.Run }
func (d *dispatch) cause() string     { return string(d.v.Command.ID) }

// pass runs a gate. A gate that fails rejects the command and culls the seed.
func (d *dispatch) pass(v gates.Verdict) bool {
	if judge(d.Turn, d.id(), d.seed, v) {
		d.accept()
		return true
	}
	d.reject(leyline.RejectGateFailed, fmt.Sprintf("%s: %s", v.Gate, v.Reason))
	cull(d.Turn, d.id(), d.seed, v.Gate.String()+":"+v.Reason)
	return false
}

func (d *dispatch) germinate() {
	c := &d.v.Command.Seed
	bp := d.State.Plane.Blueprint(c.Blueprint)
	bad := guard.Registered(bp, "blueprint", c.Blueprint)
	if bad == nil {
		bad = guard.Fits(d.State.Tolaria.Run(d.id()).Plan.Blueprints, c.Blueprint)
	}
	switch {
	case bad != nil:
		d.reject(leyline.RejectUnknownBlueprint, fmt.Sprintf("blueprint %q %s", bad.Identifier, bad.Reason))
		return
	case len(c.Mesh) == 0 || len(c.Mesh) > leyline.MaxLayers:
		d.reject(leyline.RejectMissingMesh, fmt.Sprintf("the mesh names %d layers, want 1 to %d", len(c.Mesh), leyline.MaxLayers))
		return
	}
	if why, detail := d.plantable(bp); why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	if !mayFetch(d.Turn, d.id(), d.seed) {
		d.reject(leyline.RejectBreaker, "the breaker of kernels lets no fetch pass")
		return
	}
	if !d.pass(gates.Sanity(bp, c.Mesh)) {
		return
	}
	d.Emit(leyline.SeedMoved{
		Run: d.id(), Seed: d.seed.ID, From: d.seed.Stage, To: leyline.StageGerminated,
		Step: d.State.Tolaria.Run(d.id()).Track.Step, Blueprint: c.Blueprint, Mesh: c.Mesh, Cause: d.cause(),
	})
	fetch(d.Turn, d.id(), d.seed)
}

func (d *dispatch) startTraining() {
	if !d.seed.Kernel.Request.IsZero() {
		d.reject(leyline.RejectKernelPending, "the kernel has not arrived")
		return
	}
	run := d.State.Tolaria.Run(d.id())
	allowed, quiet := mayCompile(d.Turn, run), mayIsolate(d.Turn, run)
	if d.pass(gates.GradientHealth(&d.Config().Kasmina, d.seed, allowed).Allowed(leyline.BreakerIsolation, quiet)) {
		isolated(d.Turn, run)
		move(d.Turn, d.id(), d.seed, leyline.StageTraining, d.cause())
	}
}

func (d *dispatch) startGrafting() {
	plan := d.v.Command.Seed.Blend
	if why, detail := planned(plan); why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	if !d.pass(gates.Stability(&d.Config().Kasmina, d.seed, d.age(), d.fallbacks())) {
		return
	}
	compiled(d.Turn, d.State.Tolaria.Run(d.id()), d.seed)
	move(d.Turn, d.id(), d.seed, leyline.StageBlending, d.cause())
	d.Emit(leyline.BlendConfigured{
		Run: d.id(), Seed: d.seed.ID, Plan: plan, Loss: d.loss(), Source: d.v.Command.Issuer,
	})
	stepped(d.Turn, d.id(), d.seed, 0, blend.Alpha(0, int(plan.TotalSteps), plan.Temperature), false)
}

func (d *dispatch) stabilize() {
	if !d.seed.Complete {
		d.reject(leyline.RejectBlendIncomplete, fmt.Sprintf("alpha is at step %d of %d", d.seed.AlphaStep, d.seed.Plan.TotalSteps))
		return
	}
	layers := d.State.Tolaria.Run(d.id()).Plan.Layers
	if !d.pass(gates.Interface(&d.Config().Kasmina, d.seed, layers, d.fallbacks())) {
		return
	}
	move(d.Turn, d.id(), d.seed, leyline.StageShadowing, d.cause())
	stepped(d.Turn, d.id(), d.seed, d.seed.AlphaStep, 1, true)
}

// evaluate puts a seed that runs at full alpha on probation: from here on its
// contribution is measured.
func (d *dispatch) evaluate() {
	if !d.pass(gates.SystemImpact(&d.Config().Kasmina, d.seed, d.loss(), d.fallbacks())) {
		return
	}
	c := &d.Config().Kasmina
	step := d.State.Tolaria.Run(d.id()).Track.Step
	d.Emit(leyline.SeedMoved{
		Run: d.id(), Seed: d.seed.ID, From: d.seed.Stage, To: leyline.StageProbationary, Step: step,
		Blueprint: d.seed.Blueprint, Mesh: d.seed.Mesh, ProbeFrom: step + leyline.Step(c.ProbeEvery), Cause: d.cause(),
	})
}

// fossilize lets a seed become a lasting part of its host, which it is once the
// trainer has said so: nothing undoes that stage. A seed that was never measured
// is neither kept nor given up: the command is refused.
func (d *dispatch) fossilize() {
	c := &d.Config().Kasmina
	if n := d.seed.Contribution.Probes; n < c.MinProbes {
		d.reject(leyline.RejectUnmeasured, fmt.Sprintf("its contribution was measured %d times, %d are wanted", n, c.MinProbes))
		return
	}
	d.pass(gates.Permanence(c, d.seed, d.loss(), d.fallbacks()))
}

// loss is the running loss of the run.
func (d *dispatch) loss() float64 { return d.State.Tolaria.Run(d.id()).Track.LossEWMA.Mean }

// age is the steps since the seed germinated.
func (d *dispatch) age() leyline.Step {
	return max(d.State.Tolaria.Run(d.id()).Track.Step, d.seed.Born) - d.seed.Born
}

func (d *dispatch) fallbacks() uint32 { return fallbacks(d.State.Tolaria.Run(d.id()), d.seed) }
