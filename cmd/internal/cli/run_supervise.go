package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/replay/workload"
)

// How long parts of a run may take to start and stop. A start may read a whole log;
// all stops together end well before the 90 s after which systemd kills by default.
const (
	recoveryBudget = 15 * time.Minute
	startBudget    = 10 * time.Second
	stopBudget     = 30 * time.Second // of the plane, and of the data directory
	quickBudget    = 5 * time.Second  // to stop all else
	graceBudget    = 30 * time.Second // for the trainer to end between two steps
	overallBudget  = 45 * time.Second
)

// supervise starts all parts of a run, trains it to its end and stops them again in
// reverse. The second error is what went wrong while stopping, which takes nothing
// away from a run that was trained to its end.
func (j *job) supervise(ctx context.Context) (res workload.Result, failed, stopping error) {
	log, err := j.app.logger()
	if err != nil {
		return res, err, nil
	}
	j.show = newDisplay(j.app)
	sup, err := j.assemble(log)
	if err != nil {
		return res, err, nil
	}
	failed, stopping = sup.Run(ctx, func(ctx context.Context) error {
		j.notify.running(fmt.Sprintf("training %s", j.run), j.alive)
		var err error
		res, err = j.work(ctx)
		j.show.done()
		return j.explain(err)
	})
	if stuck := (*supervise.StuckError)(nil); errors.As(failed, &stuck) {
		return workload.Result{}, failed, stopping // res may still be written to
	}
	return res, failed, stopping
}

// assemble lists the parts of a run: those of a served plane, whose first and last
// words go to the run's display.
func (j *job) assemble(log hclog.Logger) (*supervise.Supervisor, error) {
	j.say, j.follow, j.admitRun, j.adjust = j.show.say, j.show.record, j.choose, j.drill
	return j.served.assemble(log)
}

// openDir opens the data directory and says what was found.
func (p *served) openDir(log hclog.Logger) error {
	var err error
	p.dir, err = datadir.Open(p.at.data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: log, Log: p.config.Log})
	if err != nil {
		return err
	}
	p.announce()
	if err := p.installKernels(); err != nil {
		return errors.Join(err, p.closeDir())
	}
	return nil
}

func (p *served) closeDir() error {
	err := p.dir.Close()
	if e := p.dir.ExportError(); e != nil {
		p.exported = e
		p.app.notice("CRITICAL: the last checkpoint of the log was not exported, so nobody else can hold the log to it: %v", e)
	}
	return err
}

// stopPlane stops the plane. One that gave up waiting still runs.
func (p *served) stopPlane(ctx context.Context) error {
	err := p.plane.Shutdown(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", supervise.ErrRunning, err)
	}
	return err
}

// changed tells the service manager what happens, and people what should not.
func (p *served) changed(name, state string) {
	p.notify.status(name + " " + state)
	if name == "plane" && state == "running" {
		p.running.Store(p.plane)
	}
	if state == "ended" {
		p.say("CRITICAL the %s has ended by itself; everything else is stopped in order", name)
	}
}

// sinkFailed takes what the emergency stream says, which is why it failed.
func (p *served) sinkFailed(format string, args ...any) {
	p.web.sinkFailed(fmt.Errorf(format, args...))
	p.say(format, args...)
}
