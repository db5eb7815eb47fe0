package cli

import (
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

// allSlots stands for every seed of the run.
const allSlots = "all"

// runOrders are the commands about how a run trains.
var runOrders = []order{
	pauseOrder("pause", "Take a seed out of the forward pass, or all of them, as they are", leyline.PauseStart),
	pauseOrder("resume", "Let a paused seed, or all of them, go on", leyline.PauseEnd),
	{
		group: "optimizer", about: "the optimizer of a run", name: "rebuild", short: "Make the optimizer anew from its own state", flags: "reason",
		kind: leyline.CommandOptimizer, fill: optimizerOrder(leyline.OptimizerRebuildNow),
	},
	{
		group: "optimizer", name: "scale", args: "FACTOR", short: "Multiply the learning rates; 1 takes it back", flags: "reason",
		kind: leyline.CommandOptimizer, fill: optimizerOrder(leyline.OptimizerScale),
	},
	{
		name: "breaker", args: "BREAKER STATE", short: "Force a circuit breaker of the run to CLOSED, OPEN or HALF_OPEN", flags: "reason",
		kind: leyline.CommandCircuitBreaker,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Breaker.Reason = f.reason
			if err := c.Breaker.Breaker.UnmarshalText([]byte(args[0])); err != nil {
				return usagef("BREAKER %w", err)
			}
			if err := c.Breaker.State.UnmarshalText([]byte(args[1])); err != nil {
				return usagef("STATE %w", err)
			}
			return usageIfAny(c.Breaker.Validate())
		},
	},
	{
		name: "conservative", args: "MODE", short: "Propose nothing, or allow proposals again: on or off; what was set on only an operator leaves", flags: "reason",
		kind: leyline.CommandConservative,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Conservative.Reason = f.reason
			if err := c.Conservative.Mode.UnmarshalText([]byte(args[0])); err != nil {
				return usagef("MODE %w", err)
			}
			return usageIfAny(c.Conservative.Validate())
		},
	},
	{
		name: "rollback", args: "TO", short: "Go back to a proven snapshot: its id, or the newest at or before a step", flags: "reason",
		kind: leyline.CommandRollback,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Rollback = leyline.RollbackCommand{Snapshot: leyline.SnapshotID(args[0]), Reason: f.reason}
			if n, err := strconv.ParseUint(args[0], 10, 64); err == nil {
				c.Rollback.Snapshot, c.Rollback.Step = "", leyline.Step(n)
			}
			return usageIfAny(c.Rollback.Validate())
		},
	},
}

func pauseOrder(name, short string, action leyline.PauseAction) order {
	return order{
		name: name, args: "SLOT", short: short + " (SLOT is " + allSlots + ")", flags: "reason", kind: leyline.CommandPause,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Pause = leyline.PauseCommand{Action: action, Scope: leyline.PauseSeed, Seed: leyline.SeedID(args[0]), Reason: f.reason}
			if args[0] == allSlots {
				c.Pause.Scope, c.Pause.Seed = leyline.PauseRun, ""
			}
			return usageIfAny(c.Pause.Validate())
		},
	}
}

func optimizerOrder(action leyline.OptimizerAction) func(*leyline.Command, []string, *orderFlags) error {
	return func(c *leyline.Command, args []string, f *orderFlags) error {
		c.Optimizer = leyline.OptimizerCommand{Action: action, Reason: f.reason}
		if action == leyline.OptimizerScale {
			factor, err := strconv.ParseFloat(args[0], 64)
			if err != nil {
				return usagef("FACTOR %q; want a number above 0", args[0])
			}
			c.Optimizer.Factor = factor
		}
		return usageIfAny(c.Optimizer.Validate())
	}
}
