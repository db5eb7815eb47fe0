package cli

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
)

// choose resumes the unfinished run, or names a new one.
func (j *job) choose(s *projections.State) error {
	j.run = leyline.RunID(fmt.Sprintf("run-%d", len(s.Tolaria.Runs)+1))
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		if r.Status != leyline.RunStatusOpen {
			continue
		}
		if !j.flags.stepsSet {
			j.flags.steps = uint64(r.Plan.Steps)
		}
		j.run, j.resume = r.ID, true
		return j.samePlan(r.Plan)
	}
	return j.inRange()
}

// inRange refuses faults behind the end of the run.
func (j *job) inRange() error {
	for _, f := range j.faults {
		if uint64(f.Step) > j.flags.steps {
			return usagef("fault %s@%d lies outside the %d steps of the run", f.Name, f.Step, j.flags.steps)
		}
	}
	return nil
}

// samePlan names everything in which the flags differ from an unfinished run.
func (j *job) samePlan(p leyline.RunOpened) error {
	var diff []string
	if p.Seed != j.flags.seed {
		diff = append(diff, fmt.Sprintf("--seed %d (now %d)", p.Seed, j.flags.seed))
	}
	if uint64(p.Steps) != j.flags.steps {
		diff = append(diff, fmt.Sprintf("--steps %d (now %d)", p.Steps, j.flags.steps))
	}
	if was, now := drillsOf(p.Drills), faultsOf(j.faults); was != now {
		diff = append(diff, fmt.Sprintf("--fault %s (now %s)", was, now))
	}
	if p.Workload != j.flags.workload {
		diff = append(diff, fmt.Sprintf("--workload %s (now %s)", p.Workload, j.flags.workload))
	}
	if p.Lockstep == j.flags.live {
		diff = append(diff, fmt.Sprintf("--live=%v (now %v)", !p.Lockstep, j.flags.live))
	}
	if len(diff) == 0 {
		return nil
	}
	return usagef("%s holds an unfinished run, %s, that was started with %s; resume it with the same flags, or choose another --data",
		j.dir.Path, j.run, strings.Join(diff, ", "))
}

func drillsOf(ds []leyline.Drill) string {
	var fs []workload.Fault
	for _, d := range ds {
		fs = append(fs, workload.Fault{Name: d.Name, Step: d.Step})
	}
	return faultsOf(fs)
}

func faultsOf(fs []workload.Fault) string {
	if len(fs) == 0 {
		return "none"
	}
	var out []string
	for _, f := range fs {
		out = append(out, fmt.Sprintf("%s@%d", f.Name, f.Step))
	}
	return strings.Join(out, " ")
}
