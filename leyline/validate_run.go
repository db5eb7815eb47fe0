package leyline

import "fmt"

// Validate implements Input.
func (x RunOpened) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needText(&c, "workload", x.Workload)
	needText(&c, "framework", x.Framework)
	c.part("posture", x.Posture.validate(x.Framework))
	need(&c, "tasks", len(x.Tasks) > 0)
	bound(&c, "tasks", len(x.Tasks), MaxTasks)
	distinct(&c, "tasks", x.Tasks)
	x.chance(&c)
	bound(&c, "seeds", len(x.Seeds), MaxSeeds)
	distinct(&c, "seeds", x.Seeds)
	bound(&c, "layers", len(x.Layers), MaxLayers)
	distinct(&c, "layers", x.Layers)
	bound(&c, "blueprints", len(x.Blueprints), MaxBlueprints)
	distinct(&c, "blueprints", x.Blueprints)
	need(&c, "parameters", x.Parameters > 0)
	need(&c, "steps", x.Steps > 0)
	bound(&c, "damaged", len(x.Damaged), MaxSnapshots)
	for i, d := range x.Damaged {
		c.element("damaged", i)
		needID(&c, "snapshot", d.Snapshot)
		needEnum(&c, "tier", d.Tier)
	}
	c.leave()
	bound(&c, "drills", len(x.Drills), MaxDrills)
	for i, d := range x.Drills {
		c.element("drills", i)
		needID(&c, "name", d.Name)
		need(&c, "step", d.Step > 0)
	}
	c.leave()
	x.attribution(&c)
	text(&c, "optimizer", x.Optimizer, MaxIDLen)
	checkGroups(&c, x.Groups)
	checkParameters(&c, "host_parameters", x.HostParameters, MaxParameters)
	x.mode(&c)
	return c.result()
}

// chance demands a loss of guessing for every task or for none.
func (x *RunOpened) chance(c *check) {
	if n := len(x.Chance); n > 0 && n != len(x.Tasks) {
		c.fail(Invalid("chance", fmt.Sprintf("has %d entries for %d tasks", n, len(x.Tasks))))
	}
	for i, l := range x.Chance {
		c.element("chance", i)
		finite(c, "", l)
		need(c, "", l > 0)
	}
	c.leave()
}
