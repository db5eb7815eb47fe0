package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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

// assemble lists the parts of a run, each using those before it. The probes are
// there from first to last. When it stops, nobody new is let in, then the plane ends,
// and only then the streams of telemetry, which carry its last records.
func (j *job) assemble(log hclog.Logger) (*supervise.Supervisor, error) {
	var sup *supervise.Supervisor
	parts := []supervise.Component{
		{
			Name: "data directory", StartBudget: recoveryBudget, StopBudget: stopBudget,
			Start: func(context.Context) error { return j.openDir(log) },
			Stop:  func(context.Context) error { return j.closeDir() },
		},
		{
			Name: "emergency stream", StartBudget: startBudget, StopBudget: quickBudget,
			Start: func(context.Context) (err error) {
				j.sink, err = startSink(j.dir, j.sinkFailed)
				return err
			},
			Stop: func(context.Context) error { j.sink.stop(); return nil },
		},
		{
			Name: "plane", StartBudget: recoveryBudget, StopBudget: stopBudget,
			Start: func(ctx context.Context) error { return j.startPlane(ctx, log) },
			Stop:  j.stopPlane,
			Done:  func() <-chan struct{} { return j.plane.Done() },
			Err:   func() error { return j.plane.Err() },
		},
	}
	serves := len(j.flags.web.listen) > 0
	if serves || j.hookURL != "" {
		j.outlets = &outlets{
			config: j.config.Telemetry, notice: j.show.say, plane: j.running.Load, url: j.hookURL, file: emergencyName,
			ended: func(ctx context.Context) { j.web.endStreams(ctx) },
		}
		parts = slices.Insert(parts, 1, j.outlets.component(j))
	}
	if serves {
		var err error
		if j.web, err = newWeb(j, log, func() error { return sup.Ready() }); err != nil {
			return nil, err
		}
		parts = append([]supervise.Component{j.web.probes(j.app)}, append(parts, j.web.requests())...)
	}
	sup, err := supervise.New(supervise.Options{
		Grace: graceBudget, Stop: overallBudget, Changed: j.changed, Stopping: func(error) { j.notify.stopping() },
	}, parts...)
	return sup, err
}

// openDir opens the data directory and says what was found.
func (j *job) openDir(log hclog.Logger) error {
	var err error
	j.dir, err = datadir.Open(j.flags.data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: log, Log: j.config.Log})
	if err != nil {
		return err
	}
	j.announce()
	if err := j.installKernels(); err != nil {
		return errors.Join(err, j.closeDir())
	}
	return nil
}

func (j *job) closeDir() error {
	err := j.dir.Close()
	if e := j.dir.ExportError(); e != nil {
		j.exported = e
		j.app.notice("CRITICAL: the last checkpoint of the log was not exported, so nobody else can hold the log to it: %v", e)
	}
	return err
}

// stopPlane stops the plane. One that gave up waiting still runs.
func (j *job) stopPlane(ctx context.Context) error {
	err := j.plane.Shutdown(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", supervise.ErrRunning, err)
	}
	return err
}

// changed tells the service manager what happens, and people what should not.
func (j *job) changed(name, state string) {
	j.notify.status(name + " " + state)
	if name == "plane" && state == "running" {
		j.running.Store(j.plane)
	}
	if state == "ended" {
		j.show.say("CRITICAL the %s has ended by itself; everything else is stopped in order", name)
	}
}

// sinkFailed takes what the emergency stream says, which is why it failed.
func (j *job) sinkFailed(format string, args ...any) {
	j.web.sinkFailed(fmt.Errorf(format, args...))
	j.show.say(format, args...)
}
