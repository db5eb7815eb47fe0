package leyline

import "fmt"

// attribution checks what the weighted forms of aggregation need to know of the
// tasks. Both lists may be empty.
func (x *RunOpened) attribution(c *check) {
	if n := len(x.TaskWeights); n > 0 && n != len(x.Tasks) {
		c.fail(Invalid("task_weights", fmt.Sprintf("has %d entries for %d tasks", n, len(x.Tasks))))
	}
	total := 0.0
	for i, w := range x.TaskWeights {
		c.element("task_weights", i)
		finite(c, "", w)
		total += w
	}
	c.leave()
	if len(x.TaskWeights) > 0 && (!isFinite(total) || total <= MinWeightTotal) {
		c.fail(Invalid("task_weights", fmt.Sprintf("sum to %v; want a finite number greater than %v", total, MinWeightTotal)))
	}
	if n := len(x.Owners); n > 0 && n != len(x.Tasks) {
		c.fail(Invalid("owners", fmt.Sprintf("has %d entries for %d tasks", n, len(x.Tasks))))
	}
	for i, o := range x.Owners {
		c.element("owners", i)
		mayID(c, "", o)
	}
	c.leave()
}

// check bounds a solution. Whether it is one is for the decider to prove.
func (s *Solution) check(c *check) {
	mayEnum(c, "solution.method", s.Method)
	notNaN(c, "solution.option", s.Option)
	bound(c, "solution.weights", len(s.Weights), MaxTasks)
	bound(c, "solution.evidence", len(s.Evidence), MaxTasks*(MaxTasks+1)+1)
	text(c, "solution.problem", s.Problem, MaxText)
}
