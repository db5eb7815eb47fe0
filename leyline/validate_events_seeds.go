package leyline

import "fmt"

// Validate implements Event.
func (x GateEvaluated) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needEnum(&c, "gate", x.Gate)
	if !x.Passed {
		need(&c, "reason", x.Reason != "")
	}
	needChecks(&c, "checks", x.Checks)
	x.Mesh.check(&c)
	return c.result()
}

// Validate implements Event. There is no transition but those of Edges. A slot that
// holds a seed says which kind it is and where it was put.
func (x SeedMoved) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	if x.To != StageDormant {
		needEnum(&c, "from", x.From)
	}
	needEnum(&c, "to", x.To)
	if !MayMove(x.From, x.To) {
		c.fail(Invalid("to", fmt.Sprintf("is %s, which does not follow %s", x.To, x.From)))
	}
	if OnTrial(x.To) || Grafted(x.To) {
		needID(&c, "blueprint", x.Blueprint)
		need(&c, "mesh", len(x.Mesh) > 0)
	}
	mayID(&c, "blueprint", x.Blueprint)
	bound(&c, "mesh", len(x.Mesh), MaxLayers)
	if x.To == StageProbationary {
		need(&c, "probe_from", x.ProbeFrom > 0)
	}
	need(&c, "cause", x.Cause != "")
	return c.result()
}

// Validate implements Event.
func (x BlendConfigured) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needEnum(&c, "plan.mode", x.Plan.Mode)
	c.part("plan", x.Plan.Validate())
	finite(&c, "loss", x.Loss)
	need(&c, "source", x.Source != "")
	return c.result()
}

// Validate implements Event.
func (x BlendStepped) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	unit(&c, "alpha", x.Alpha)
	need(&c, "total_steps", x.TotalSteps > 0)
	need(&c, "temperature", x.Temperature > 0)
	return c.result()
}

// Validate implements Event. What was measured may be NaN or infinite; a norm is
// never negative.
func (x IsolationAssessed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "steps", x.Steps > 0)
	notNegative(&c, "grad_norm", x.GradNorm)
	notNegative(&c, "leak", x.Leak)
	notNegative(&c, "max_leak", x.MaxLeak)
	mayEnum(&c, "reported", x.Reported)
	mayEnum(&c, "breaker", x.Breaker)
	needEnum(&c, "health", x.Health)
	return c.result()
}

// Validate implements Event. Losses may be NaN or infinite; accuracies were
// counted.
func (x ContributionMeasured) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "step", x.Step > 0)
	need(&c, "probes", x.Probes > 0)
	finite(&c, "accuracy", x.Accuracy)
	finite(&c, "mean_accuracy", x.MeanAccuracy)
	if x.Next <= x.Step {
		c.fail(Invalid("next", fmt.Sprintf("is %d, not after step %d", x.Next, x.Step)))
	}
	return c.result()
}
