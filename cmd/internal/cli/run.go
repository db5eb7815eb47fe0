package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/replay/workload/gauge"
)

// defaultWorkload is what is trained when nothing else is asked for: it takes
// less than a second.
const defaultWorkload = "penguins"

// runFlags are the flags of `esper run`.
type runFlags struct {
	steps    uint64
	seed     uint64
	workload string
	faults   []string
	stepsSet bool
	compare  bool
	report   string
	live     bool
	gpuFile  string
}

func newRun(a *app) *cobra.Command {
	var f runFlags
	var at placeFlags
	var far farFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a plane and the built-in trainer on real data",
		Long: "Run a plane and the built-in trainer on real data.\n\nOn existing data an unfinished run is resumed and a finished one is followed by\n" +
			"a new one. An unfinished run cannot be resumed with another seed, workload,\nlength or set of faults.\n\n" +
			"With --remote there is no plane in this process: the trainer reports to one that\n`esper serve` serves, and what is said here of data is about a run of that plane.\n\n" +
			"Before anything is made or changed, everything that a start needs is looked at,\nand all that is wrong is said at once.\n\n" +
			"Under a service manager that sets NOTIFY_SOCKET, such as systemd with Type=notify,\nit is told when the run has begun, when it stops, and, with WATCHDOG_USEC, that\nthe plane still answers.\n\n" +
			"Faults that --fault takes, each of them a real one:\n" + faultList() + "\n\n" +
			"Readings of a GPU come from a file that this command keeps up to date:\n  " + gauge.GPUCommand,
		Example: "  esper run --data data/demo --workload multimnist --fault loss-spike@600 --compare\n  esper run --data /var/lib/esper --steps 1000 --seed 7 --json\n  esper run --http 127.0.0.1:7070 & curl http://127.0.0.1:7070/readyz",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.stepsSet = cmd.Flags().Changed("steps")
			if err := far.check(cmd.Flags().Changed); err != nil {
				return err
			}
			if far.address != "" {
				return a.runRemote(cmd.Context(), f, far)
			}
			at.name()
			return a.runWorkload(cmd.Context(), at, f)
		},
	}
	c.Flags().StringVar(&at.data, "data", "data", "data directory, created when missing")
	c.Flags().Uint64Var(&f.steps, "steps", 0, "length of the run in optimizer steps (default: the workload's own)")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "seed of weights, batches and the plane's random choices")
	c.Flags().StringVar(&f.workload, "workload", defaultWorkload, "what to train: "+strings.Join(workload.Names(), ", "))
	c.Flags().StringArrayVar(&f.faults, "fault", nil, "fault to inject, as NAME@STEP; the list is above; may be repeated")
	c.Flags().BoolVar(&f.live, "live", false, "do not wait for what the plane has computed, and let measured times count in decisions: two such runs differ")
	c.Flags().StringVar(&f.gpuFile, "gpu-readings", "", "file that nvidia-smi writes readings of a GPU to")
	c.Flags().BoolVar(&f.compare, "compare", false, "train the same run without its faults, without PCGrad and without seeds, and say what they changed")
	c.Flags().StringVar(&f.report, "report", "", "write a self-contained HTML report to this file")
	at.flags(c.Flags(), "/healthz, /readyz, /metrics, /v1/telemetry and /v1/commands")
	far.flags(c.Flags())
	return c
}

// job is one `esper run` under way.
type job struct {
	served
	flags     runFlags
	spec      workload.Spec
	faults    []workload.Fault
	run       leyline.RunID
	resume    bool
	show      display
	hang      delay // of the log, for a drill
	isControl bool  // a run to compare with; the same command does not go on with it
}

func (a *app) runWorkload(ctx context.Context, at placeFlags, f runFlags) (err error) {
	j := &job{served: served{app: a, at: at}, flags: f}
	if err := j.preflight(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.notify.close()) }()
	return j.perform(ctx)
}

// perform trains the run and tells of it.
func (j *job) perform(ctx context.Context) error {
	res, failed, stopping := j.supervise(ctx)
	halted, stuck := (*workload.Halted)(nil), (*supervise.StuckError)(nil)
	if failed != nil && (!errors.As(failed, &halted) || errors.As(failed, &stuck)) {
		return andThen(failed, stopping)
	}
	// From here on nothing takes the summary away: what fails is said after it.
	failed = andThen(failed, stopping)
	c, err := j.comparison(ctx, res, failed)
	failed = errors.Join(failed, err)
	doc, err := j.tell(res, c)
	if err != nil {
		return errors.Join(failed, err)
	}
	if j.flags.report != "" {
		failed = errors.Join(failed, doc.writeReport(j.flags.report))
	}
	if j.app.json { // nothing is printed before everything is closed: a reader that leaves early ends the process
		return errors.Join(j.app.line(j.closing(doc)), failed)
	}
	return errors.Join(doc.print(j.app.out), failed)
}

// comparison compares a run that ended well, if that was asked for.
func (j *job) comparison(ctx context.Context, res workload.Result, failed error) (*comparison, error) {
	switch {
	case !j.flags.compare:
		return nil, nil
	case failed != nil:
		j.app.notice("%s is not compared with others", j.run)
		return nil, nil
	}
	return j.compare(ctx, res)
}

// closing is the last line of a run for machines.
func (j *job) closing(doc summaryDoc) map[string]any {
	line := map[string]any{"summary": doc}
	if j.exported != nil {
		line["checkpoint_not_exported"] = j.exported.Error()
	}
	return line
}

// andThen adds what went wrong while stopping, unless that is the log saying
// again why it stopped.
func andThen(err, stopping error) error {
	if err != nil && (errors.Is(stopping, leyline.ErrStorage) || errors.Is(stopping, eventlog.ErrPoisoned)) {
		return err
	}
	return errors.Join(err, stopping)
}

// canBeLate refuses policy-timeout faults that could never strike.
func (j *job) canBeLate() error {
	for _, f := range j.faults {
		if f.Name != workload.FaultPolicy {
			continue
		}
		t := &j.config.Tamiyo
		switch asked := workload.FirstQuestion(t, f.Step); {
		case t.PolicyInline:
			return usagef("fault %s needs a policy that can be late; add --set tamiyo.policy_inline=false --set tamiyo.policy_budget_ms=250", f.Name)
		case !t.Enabled || uint64(asked) > j.flags.steps:
			return usagef("fault %s@%d: the policy is not asked from there to the end of the run; choose an earlier step", f.Name, f.Step)
		}
	}
	return nil
}

// announce says what opening the directory found.
func (p *served) announce() {
	r := p.dir.Recovery()
	if p.dir.Created {
		p.app.notice("new data directory %s; its keys are in %s: back them up apart from the log", p.dir.Path, p.dir.KeysPath())
	}
	if r.TornBytes > 0 {
		p.app.notice("the last process did not stop cleanly: %d bytes behind record %d were being written and are not acknowledged; they were cut off and kept in %s (%s)",
			r.TornBytes, r.LastSeq, r.SavedTo, r.Reason)
	} else if !r.Clean && !p.dir.Created {
		p.app.notice("the last process did not stop cleanly; all %d records are intact", r.LastSeq)
	}
}

// explain adds to an error what the person can do now.
func (j *job) explain(err error) error {
	if errors.Is(err, context.Canceled) && !j.isControl {
		return fmt.Errorf("%s stopped; every answered step is in the log; the same command resumes it: %w", j.run, err)
	}
	return err
}
