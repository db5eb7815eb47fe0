package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/telemetry/webhook"
	"github.com/esper-plane/esper/testdata"
)

// preflight reads the flags and the configuration and looks at everything that the
// run needs. It makes and changes nothing; every problem is reported at once.
func (j *job) preflight(ctx context.Context) error {
	return j.look(ctx,
		supervise.Check{Name: "command line", Look: j.readFlags},
		supervise.Check{Name: "configuration", Look: j.readConfig},
		supervise.Check{Name: "posture", Look: func(_ context.Context, r *supervise.Report) { j.checkPosture(r) }},
	)
}

// look makes the checks of its caller, which read flags and configuration, and then
// those of everything that a served plane needs.
func (p *served) look(ctx context.Context, first ...supervise.Check) error {
	var at datadir.Examination
	warnings, err := supervise.Preflight(ctx, append(first,
		supervise.Check{Name: "data directory", Look: func(_ context.Context, r *supervise.Report) {
			at = datadir.Examine(p.at.data)
			r.FailWith("--data", errors.Join(at.Usage, at.Held))
			r.FailWith("--data", at.Disk)
			for _, err := range at.Parts {
				r.FailWith("--data", err)
			}
		}},
		supervise.Check{Name: "log", Look: func(_ context.Context, r *supervise.Report) { r.FailWith("--data", at.Ends) }},
		supervise.Check{Name: "keys", Look: func(_ context.Context, r *supervise.Report) {
			for _, err := range at.Keys {
				r.FailWith("", err)
			}
		}},
		supervise.Check{Name: "kernels", Look: func(_ context.Context, r *supervise.Report) {
			if at.Usage == nil {
				p.checkKernels(r)
			}
			p.readBlueprints(r)
		}},
		supervise.Check{Name: "disk space", Look: func(_ context.Context, r *supervise.Report) { p.checkSpace(at, r) }},
		supervise.Check{Name: "clock", Look: func(_ context.Context, r *supervise.Report) { p.checkClock(at, time.Now(), r) }},
		supervise.Check{Name: "open files", Look: p.checkOpenFiles},
		supervise.Check{Name: "webhook", Look: func(_ context.Context, r *supervise.Report) { p.readURLs(r) }},
		supervise.Check{Name: "catalogue", Look: func(_ context.Context, r *supervise.Report) { p.checkCatalogue(r) }},
		supervise.Check{Name: "service manager", Look: func(_ context.Context, r *supervise.Report) {
			var err error
			p.notify, err = newManager(os.Getenv, p.app.notice)
			r.FailWith("NOTIFY_SOCKET", err)
		}},
		supervise.Check{Name: "http", Look: func(_ context.Context, r *supervise.Report) { p.at.web.probe(p.at.data, r) }},
	)...)
	for _, w := range warnings {
		p.app.notice("warning: %s", w)
	}
	if err != nil {
		err = errors.Join(onlyMistakes(err), p.notify.close())
	}
	return err
}

// readURLs reads the URLs of the webhook and of whoever takes field reports.
func (p *served) readURLs(r *supervise.Report) {
	// constant: local because the keys are struct tags in leyline, which code cannot refer to.
	const hook, reports = "telemetry.webhook_file", "tamiyo.report_url_file"
	p.hookURL = readURL(r, hook, p.config.Telemetry.WebhookFile)
	p.reportURL = readURL(r, reports, p.config.Tamiyo.ReportURLFile)
}

// readURL reads a URL from a file that a setting names; empty: none.
func readURL(r *supervise.Report, key, file string) string {
	if file == "" {
		return ""
	}
	url, err := readSecret(key, file, "the URL of the receiver")
	if err == nil && webhook.CheckURL(url) != nil {
		err = usagef("%s: %s: %w", key, file, webhook.CheckURL(url))
	}
	r.FailWith(key, err)
	return url
}

// checkPosture says what the plane would say when the run is opened.
func (j *job) checkPosture(r *supervise.Report) {
	if len(j.config.Posture.Frameworks) == 0 {
		return // a mistake of the configuration, which was told
	}
	if bad := guard.Posture(&j.config.Posture, workload.Framework, workload.Posture()); bad != nil {
		r.FailWith(bad.Field, bad)
	}
}

// onlyMistakes turns a report of nothing but mistakes in the configuration into the
// error that all commands have for those.
func onlyMistakes(err error) error {
	pre := (*supervise.PreflightError)(nil)
	if !errors.As(err, &pre) {
		return err
	}
	var all leyline.ConfigError
	for _, p := range pre.Problems {
		c := (*leyline.ConfigError)(nil)
		if !errors.As(p.Err, &c) {
			return err
		}
		all.Problems = append(all.Problems, c.Problems...)
	}
	return &all
}

// readFlags reads the flags that need no configuration.
func (j *job) readFlags(_ context.Context, r *supervise.Report) {
	_, err := j.app.logger()
	r.FailWith("--log-level", err)
	if j.spec, err = workload.Lookup(j.flags.workload); err != nil {
		r.FailWith("--workload", usageError{err})
	} else {
		j.shipped, j.fits = j.spec.Blueprints, j.spec.Accepts
	}
	r.FailWith("--report", checkReport(j.flags.report, j.at.data))
	r.FailWith("--compare", j.canCompare())
	switch {
	case !j.flags.stepsSet:
		j.flags.steps = uint64(j.spec.Steps)
	case j.flags.steps == 0:
		r.FailWith("--steps", usagef("--steps is 0; plan one step or more"))
	}
	for _, s := range j.flags.faults {
		f, err := workload.ParseFault(s)
		if err != nil {
			r.FailWith("--fault", usageError{err})
			continue
		}
		j.faults = append(j.faults, f)
	}
	if j.flags.steps == 0 || !j.flags.stepsSet && datadir.HasLog(j.at.data) { // an unfinished run may have another length
		return
	}
	r.FailWith("--fault", j.inRange())
}

// canCompare refuses controls of a run that is served or managed: they are trained
// when it has stopped, with nobody who answers any more.
func (j *job) canCompare() error {
	switch {
	case !j.flags.compare:
	case j.flags.live:
		return usagef("--compare trains further runs of the same seed, and two runs with --live differ by their times alone; use it without --live")
	case len(j.at.web.listen) > 0:
		return usagef("--compare trains further runs when this one and its HTTP server have stopped; use it without --http")
	case os.Getenv("NOTIFY_SOCKET") != "":
		return usagef("--compare trains further runs when this one has stopped, which a service manager with NOTIFY_SOCKET takes for a process that hangs; use it outside a service")
	}
	return nil
}

// readConfig reads the configuration, and what of the flags hangs on it.
func (j *job) readConfig(_ context.Context, r *supervise.Report) {
	base, known := leyline.DefaultConfig(), j.spec.Data != nil
	if known {
		base = j.spec.Config()
	}
	var err error
	j.config, err = j.at.load(base, os.Environ())
	failConfig(r, err)
	failConfig(r, datadir.CheckExport(j.config.Log)) // it holds what could be read
	failConfig(r, datadir.CheckReports(j.config.Tamiyo.ReportDir))
	if known && err == nil {
		j.tellFile(base)
		r.FailWith("--fault", j.canBeLate())
	}
}

// tellFile says what a configuration file changes of what the workload begins with:
// a file of the bare defaults would switch off what the workload sets for itself.
func (j *job) tellFile(base leyline.ExecutionConfig) {
	if j.at.file == "" {
		return
	}
	alone := settings{file: j.at.file}
	c, err := alone.load(base, nil)
	if err != nil {
		return // it was read before, with everything else
	}
	if list := differences(base, c); len(list) > 0 {
		j.app.notice("%s changes %d of the settings that workload %s begins with: %s", j.at.file, len(list), j.spec.Name, changes(list))
	}
}

// failConfig notes each mistake in a configuration by itself.
func failConfig(r *supervise.Report, err error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range all.Unwrap() {
			failConfig(r, err)
		}
		return
	}
	c := (*leyline.ConfigError)(nil)
	if !errors.As(err, &c) {
		r.FailWith("--config", err)
		return
	}
	for _, p := range c.Problems {
		r.Fail(supervise.Problem{Field: p.Key, What: p.Key + " " + p.Reason, Fix: p.Fix, Err: &leyline.ConfigError{Problems: []leyline.ConfigProblem{p}}})
	}
}

// checkKernels holds the kernels that are there against those that are shipped;
// what is missing is installed.
func (p *served) checkKernels(r *supervise.Report) {
	for _, b := range p.shipped {
		name := kernelFile(b.ID)
		kernel, err := testdata.Kernel(b.ID)
		if err == nil {
			err = datadir.CheckKernel(p.at.data, name, sha256.Sum256(kernel))
		}
		if err != nil {
			r.Fail(supervise.Problem{Field: name, What: err.Error(), Fix: "remove the file: the shipped kernel is installed at the next start",
				Err: fmt.Errorf("%w; remove the file: the shipped kernel is installed at the next start", err)})
		}
	}
}

// checkSpace warns: whether the run is a new one, which a nearly full disk refuses,
// is decided and recorded by the plane.
func (p *served) checkSpace(at datadir.Examination, r *supervise.Report) {
	if limit := p.config.Log.MinFree(); at.Total > 0 && at.Free < limit {
		r.Warn(supervise.Problem{
			// constant: local because the key is a struct tag in leyline, which code cannot refer to.
			Field: "log.min_free_mib",
			What:  fmt.Sprintf("the disk of %s has %d MiB free, under log.min_free_mib = %d: a new run will be refused", at.Path, at.Free>>20, p.config.Log.MinFreeMiB),
			Fix:   "make room",
		})
	}
}

// checkClock warns of a wall clock that was set back: plane time goes on from the
// last record, so commands that are signed elsewhere seem to be from the past.
func (p *served) checkClock(at datadir.Examination, now time.Time, r *supervise.Report) {
	if behind := at.Last.Sub(now); !at.Last.IsZero() && behind > p.config.Kasmina.Skew.Duration() {
		r.Warn(supervise.Problem{
			// constant: local because the key is a struct tag in leyline, which code cannot refer to.
			Field: "kasmina.skew_ms",
			What:  fmt.Sprintf("the wall clock is %v behind the last record of the log, of %s: commands that others sign will look stale", behind.Round(time.Second), at.Last.UTC().Format(time.RFC3339)),
			Fix:   "set the clock",
		})
	}
}

// ownFiles is how many files a run has open beside connections: 21 were the most of
// 60 counts within a multimnist run with one listener, on Linux; a sync or a checkpoint
// opens a few more for a moment.
const ownFiles = 64

// checkOpenFiles compares what the run may open with what it is allowed to.
func (p *served) checkOpenFiles(_ context.Context, r *supervise.Report) {
	need := uint64(ownFiles)
	if n := len(p.at.web.listen); n > 0 {
		need += uint64(connections(p.config.Telemetry.Subscribers) * n)
	}
	var have unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &have); err != nil {
		r.FailWith("", fmt.Errorf("cannot ask how many files may be open: %w", err))
		return
	}
	if have.Cur < need {
		r.FailWith("", fmt.Errorf("%d files may be open at a time, %d are needed; raise the limit with `ulimit -n %d` or LimitNOFILE=", have.Cur, need, need))
	}
}
