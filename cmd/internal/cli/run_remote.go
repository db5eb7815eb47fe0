package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/replay/workload/gauge"
)

// farFlags say which plane the built-in trainer talks to, when that is not one of
// its own process.
type farFlags struct {
	address   string
	run       string
	away      string
	awayFor   time.Duration
	tokenFile string
	trust     clientTLS
	http      bool
	lag       uint32
}

func (f *farFlags) flags(s *pflag.FlagSet) {
	s.StringVar(&f.address, "remote", "", "train against the plane at `ADDR`, unix:PATH, http://HOST:PORT or https://HOST:PORT, that `esper serve --builtin-blueprints` serves on this machine")
	s.StringVar(&f.run, "run", "", "`ID` of the run at the remote plane (default: the first run-N that is not finished)")
	s.StringVar(&f.away, "away", leyline.AwayWait.String(), "while the remote plane cannot be reached: wait, or stop")
	s.DurationVar(&f.awayFor, "away-for", 0, "wait for the remote plane at most this long (default: for ever)")
	s.StringVar(&f.tokenFile, "remote-token-file", "", "bearer token for the remote plane in `FILE`")
	s.Uint32Var(&f.lag, "lag", 0, "go on for up to `N` steps without an answer of the remote plane, over its framed lane; weights are worked out here by the plane's rule, and two such runs may differ")
	f.trust.flags(s, remotePrefix)
	s.BoolVar(&f.http, "remote-http", false, "report steps over HTTP, also where there is a framed lane")
}

// remotePrefix begins the flags of TLS towards a remote plane.
const remotePrefix = "remote-"

// ownPlane are the flags of a plane in this process: a remote one has its own.
var ownPlane = []string{"data", "compare", "report", "http", "http-host", "http-token-file", "http-behind-proxy", "tls-cert", "tls-key", "tls-client-ca", "blueprints", "catalogue", "config", "set"}

// forRemote are the flags that say something about a remote plane alone.
var forRemote = []string{"run", "away", "away-for", "remote-token-file", "remote-http", "remote-tls-ca", "remote-tls-cert", "remote-tls-key", "lag"}

// check refuses flags that do not go together.
func (f *farFlags) check(changed func(string) bool) error {
	wrong, why := forRemote, "says something about a remote plane; name that with --remote"
	if f.address != "" {
		wrong, why = ownPlane, "is about a plane in this process; give it to the `esper serve` that --remote names"
	}
	for _, name := range wrong {
		if changed(name) {
			return usagef("--%s %s", name, why)
		}
	}
	return nil
}

// options are what the flags say to the client.
func (f *farFlags) options(a *app) (client.Options, error) {
	o := client.Options{Address: f.address, AwayFor: f.awayFor, NoLane: f.http, Notice: a.notice}
	if err := o.Away.UnmarshalText([]byte(f.away)); err != nil || o.Away == leyline.AwayUnspecified {
		return o, usagef("--away is %q; write wait or stop", f.away)
	}
	if f.awayFor%time.Second != 0 || f.awayFor < 0 || f.awayFor > time.Duration(math.MaxUint32)*time.Second {
		return o, usagef("--away-for is %v; write whole seconds, such as 90s: the plane records it so", f.awayFor)
	}
	var err error
	if o.TLS, err = f.trust.config(remotePrefix); err != nil || f.tokenFile == "" {
		return o, err
	}
	o.Token, err = readSecret("--remote-token-file", f.tokenFile, "the token of the plane")
	return o, err
}

// farRun is a training of the built-in trainer against a plane of another process.
type farRun struct {
	job
	client *client.Client
	opts   client.Options
	lag    uint32
	places places
}

// runRemote trains a run of a remote plane to its end.
func (a *app) runRemote(ctx context.Context, f runFlags, rf farFlags) error {
	r := &farRun{job: job{served: served{app: a}, flags: f}}
	if err := r.prepare(rf); err != nil {
		return err
	}
	defer r.client.Disconnect()
	res, err := r.train(ctx, leyline.RunID(rf.run))
	if err != nil {
		return r.explainRemote(err)
	}
	return r.tellRemote(res)
}

// prepare reads the flags.
func (r *farRun) prepare(rf farFlags) error {
	var err error
	if r.spec, err = workload.Lookup(r.flags.workload); err != nil {
		return usageError{err}
	}
	if !r.flags.stepsSet {
		r.flags.steps = uint64(r.spec.Steps)
	}
	for _, s := range r.flags.faults {
		f, err := workload.ParseFault(s)
		if err != nil {
			return usageError{err}
		}
		r.faults = append(r.faults, f)
	}
	if r.opts, err = rf.options(r.app); err != nil {
		return err
	}
	r.lag = rf.lag
	if r.client, err = client.New(r.opts); err != nil {
		return usagef("--remote: %w", err)
	}
	return nil
}

// maxRuns bounds the search for a run that is not finished.
const maxRuns = 10_000

// train opens or resumes a run and trains it: the one that was named, or the first that
// is not finished.
func (r *farRun) train(ctx context.Context, named leyline.RunID) (workload.Result, error) {
	for n := 1; n <= maxRuns; n++ {
		r.run = named
		if named == "" {
			r.run = leyline.RunID(fmt.Sprintf("run-%d", n))
		}
		res, err := r.attempt(ctx)
		if refusal, ok := leyline.AsRefusal(err); r.opened() || named != "" || !ok || refusal.Kind != leyline.RefusalRunNotOpen {
			return res, err
		}
	}
	return workload.Result{}, fmt.Errorf("the plane has %d finished runs that are named run-N; name this one with --run", maxRuns)
}

// opened reports whether the plane has opened the run: the client knows what it said.
func (r *farRun) opened() bool { return r.client.Info().Protocol != 0 }

// attempt opens a run as a new one, and resumes it if it is there.
func (r *farRun) attempt(ctx context.Context) (workload.Result, error) {
	r.resume = false
	res, err := workload.Train(ctx, distant{r.client, &r.places}, r.remoteTraining())
	if refusal, ok := leyline.AsRefusal(err); ok && refusal.Kind == leyline.RefusalRunExists && !r.opened() {
		r.resume = true
		res, err = workload.Train(ctx, distant{r.client, &r.places}, r.remoteTraining())
	}
	return res, err
}

// remoteTraining is how the run is trained. Levers that are the plane's are not there:
// faults that need one are refused.
func (r *farRun) remoteTraining() workload.Options {
	o := workload.Options{
		Run: r.run, Workload: r.spec, Seed: r.flags.seed, Steps: leyline.Step(r.flags.steps), Faults: r.faults, Resume: r.resume,
		Traces: &r.places.traces, Snapshots: &r.places.full, Fast: &r.places.fast, Kernels: &r.places.kernels,
		Live: r.flags.live, Observe: r.observe, Levers: workload.Levers{Slow: slowFor},
		Away: r.opts.Away, AwaySeconds: uint32(r.opts.AwayFor / time.Second),
		Lag: r.lag, Weigh: func(x *leyline.StepObserved) ([]float64, error) { return weigh(r.client.Info().Rule, x) },
		Warn: func(s string) { r.app.notice("warning: %s", s) },
	}
	if r.flags.gpuFile != "" {
		o.GPU = &gauge.GPUFile{Path: r.flags.gpuFile}
	}
	return o
}

// observe says now and then how far the run has come.
func (r *farRun) observe(p workload.Progress) {
	if p.Step%every != 0 && p.Step != p.Steps {
		return
	}
	if !r.app.json {
		r.app.notice("step %d/%d  losses %s  waited %v%s", p.Step, p.Steps, numbers(p.Losses), p.Waited.Round(time.Microsecond), seedWords(p.Seeds))
		return
	}
	(&jsonDisplay{app: r.app}).progress(p)
}

// explainRemote adds to an error what the person can do now.
func (r *farRun) explainRemote(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s stopped; every answered step is in the plane's log; the same command resumes it: %w", r.run, err)
	}
	return err
}

// distant is the client of a plane on this machine: its open answer says where the files
// of the run lie.
type distant struct {
	*client.Client
	at *places
}

// Open implements workload.Plane.
func (p distant) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	a, err := p.Client.Open(ctx, in)
	if err != nil {
		return a, err
	}
	return a, p.at.take(p.Info().Places, in.Run)
}

// take opens the directories that a plane has named.
func (p *places) take(at protocol.Places, run leyline.RunID) error {
	for _, d := range []struct{ name, path string }{{"snapshots", at.Snapshots}, {"kernels", at.Kernels}} {
		if d.path == "" {
			return fmt.Errorf("the plane names no directory of %s that this trainer could reach: connect to its Unix socket", d.name)
		}
	}
	if _, err := os.Stat(at.Kernels); err != nil {
		return fmt.Errorf("the plane's directory of kernels cannot be read: %w; train on the machine of the plane", err)
	}
	p.kernels.FS = os.DirFS(at.Kernels)
	for _, s := range []struct {
		to      *laterStore
		path    string
		durable bool
	}{{&p.full, at.Snapshots, true}, {&p.fast, at.Fast, false}, {&p.traces, at.Traces, false}} {
		if s.path == "" {
			s.to.Store = nowhere{}
			continue
		}
		if filepath.Base(s.path) != string(run) {
			return fmt.Errorf("the plane names %s for files of run %s; want a directory of that name", s.path, run)
		}
		s.to.Store = openStoreAt(filepath.Dir(s.path), s.durable)
	}
	return nil
}
