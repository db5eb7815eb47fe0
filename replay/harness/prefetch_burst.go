package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/kernelfile"
	"github.com/esper-plane/esper/subsystems/plane"
)

// The burst: five runs of sixty seeds, each seed of a blueprint of its own, so that
// nothing comes from the cache; six clients; a source that answers after 40 ms.
const (
	burstRuns    = 5
	burstSeeds   = 60
	burstClients = 6
	burstSource  = 40 * time.Millisecond
	burstLimit   = 2 * time.Minute // a burst that takes longer hangs
)

var prefetchBurst = Scenario{
	Name: "kasmina-prefetch-burst",
	Claim: "300 kernels from a source that takes 40 ms, six at a time, are each read once, verified, warmed up and staged; " +
		"six seeds that want one kernel read it once and all live; what is staged is not read again",
	run: runBurst,
}

func runBurst(ctx context.Context, s Site, r *Result) error {
	ctx, cancel := context.WithTimeoutCause(ctx, burstLimit, errors.New("a kernel did not arrive"))
	defer cancel()
	spec, err := workload.Lookup("penguins")
	if err != nil {
		return err
	}
	config := spec.Config()
	config.Tamiyo.Enabled = false // the clients command
	config.Kasmina.PrefetchTimeout = 10_000
	p, err := s.Open("kasmina-prefetch-burst", spec, config)
	if err != nil {
		return err
	}
	r.Data = append(r.Data, p.Path)
	b := &burst{place: p, waiting: map[seat]chan leyline.PrefetchSettled{}}
	if b.pipes, err = makePipes(p.Path+"-source", spec, burstRuns*burstSeeds+1); err == nil {
		err = b.play(ctx, r)
	}
	return errors.Join(err, p.Close(), os.RemoveAll(p.Path+"-source"))
}

// seat is a slot of a run.
type seat struct {
	run  leyline.RunID
	seed leyline.SeedID
}

// fetch is one request as it was seen from outside, and the time that its source took.
type fetch struct {
	settled leyline.PrefetchSettled
	source  time.Duration
	whole   time.Duration // from the command to the durable record of the result
}

type burst struct {
	place *Place
	pipes *pipes
	plane *plane.Plane

	mu      sync.Mutex // one command at a time: sequences rise
	sent    uint64
	seen    sync.Mutex
	waiting map[seat]chan leyline.PrefetchSettled
}

// play runs the three parts of the scenario against a real plane, and judges its log.
func (b *burst) play(ctx context.Context, r *Result) error {
	o := b.place.Options
	o.Kernels, o.Released = b.pipes.store(), b.released
	boot := o.Bootstrap
	o.Bootstrap = func(s *projections.State) ([]leyline.Input, error) {
		in, err := boot(s)
		for _, k := range b.pipes.kernels {
			in = append(in, k.record)
		}
		return in, err
	}
	var err error
	if b.plane, err = plane.Start(ctx, o); err != nil {
		return err
	}
	cold, shared, warm, err := b.parts(ctx)
	stats, jobs := b.plane.KernelStats(), b.plane.WorkerStats()
	if err = errors.Join(err, b.plane.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	b.judge(r, cold, shared, warm)
	r.check("the cache holds every kernel, byte for byte", stats.Kernels == burstRuns*burstSeeds+1 && stats.Bytes == b.pipes.bytes && stats.Held == 0,
		"%d kernels, %d of %d bytes", stats.Kernels, stats.Bytes, b.pipes.bytes)
	r.check("no job was lost", jobs.Leaked == 0 && jobs.Failed == 0 && jobs.TimedOut == 0 && jobs.Cancelled == 0,
		"%d done, %d failed, %d timed out, %d cancelled", jobs.Done, jobs.Failed, jobs.TimedOut, jobs.Cancelled)
	again, err := replay.Run(ctx, b.place.Source, replay.Options{Mode: replay.Redecide})
	if err != nil {
		return err
	}
	r.check("the log is decided again bit for bit", again.Identical, "%d records", again.Records)
	return nil
}

// parts plays what is claimed: every kernel from its source, one kernel for six seeds,
// and kernels that are staged.
func (b *burst) parts(ctx context.Context) (cold, shared, warm []fetch, err error) {
	for i := range burstRuns {
		got, err := b.round(ctx, leyline.RunID(fmt.Sprintf("run-%d", i)), b.pipes.kernels[i*burstSeeds:(i+1)*burstSeeds], true)
		if err != nil {
			return nil, nil, nil, err
		}
		cold = append(cold, got...)
	}
	one := b.pipes.kernels[burstRuns*burstSeeds]
	if shared, err = b.round(ctx, "run-shared", slices.Repeat([]*kernel{one}, burstClients), true); err == nil {
		warm, err = b.round(ctx, "run-warm", b.pipes.kernels[:burstSeeds], false)
	}
	return cold, shared, warm, err
}

// round opens a run and has its seeds germinated by the clients, one kernel each.
func (b *burst) round(ctx context.Context, run leyline.RunID, kernels []*kernel, fromSource bool) ([]fetch, error) {
	open := leyline.RunOpened{
		Run: run, Workload: "penguins", Framework: workload.Framework, Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"species"}, Layers: []string{"trunk"}, Parameters: 1, Seed: 1, Steps: 1,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
	for i, k := range kernels {
		open.Seeds = append(open.Seeds, leyline.SeedID(fmt.Sprintf("seed-%d", i)))
		if !slices.Contains(open.Blueprints, k.record.Blueprint) {
			open.Blueprints = append(open.Blueprints, k.record.Blueprint)
		}
	}
	ans, err := b.plane.Open(ctx, open)
	if err != nil {
		return nil, err
	}
	out := make([]fetch, len(kernels))
	errs := make([]error, burstClients)
	var clients sync.WaitGroup
	for c := range burstClients {
		clients.Go(func() {
			for i := c; i < len(kernels) && errs[c] == nil; i += burstClients {
				serve := fromSource && kernels[i].claim()
				out[i], errs[c] = b.one(ctx, seat{run, open.Seeds[i]}, kernels[i], serve)
			}
		})
	}
	clients.Wait()
	closed := leyline.RunClosed{Run: run, Incarnation: ans.Incarnation, Outcome: leyline.OutcomeFailed, Reason: "the burst is over"}
	_, err = b.plane.Close(ctx, closed)
	return out, errors.Join(append(errs, err)...)
}

// one germinates a seed and waits for its kernel. serve says that this client also is
// the kernel's source.
func (b *burst) one(ctx context.Context, at seat, k *kernel, serve bool) (fetch, error) {
	done := make(chan leyline.PrefetchSettled, 1)
	b.seen.Lock()
	b.waiting[at] = done
	b.seen.Unlock()
	source := make(chan served, 1)
	if serve {
		go func() { source <- k.serve() }()
	} else {
		source <- served{}
	}
	began := time.Now()
	if err := b.command(ctx, at, k); err != nil {
		return fetch{}, err
	}
	select {
	case e := <-done:
		f := fetch{settled: e, whole: time.Since(began)}
		s := <-source
		f.source = s.took
		return f, s.err
	case <-ctx.Done():
		return fetch{}, context.Cause(ctx)
	}
}

// command sends a signed GERMINATE through the plane's front door.
func (b *burst) command(ctx context.Context, at seat, k *kernel) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	return germinate(ctx, b.plane, &b.place.Options, b.sent, at, k)
}

// germinate signs a GERMINATE with Tamiyo's key, as its nth command, and sends it.
func germinate(ctx context.Context, p *plane.Plane, o *plane.Options, n uint64, at seat, k *kernel) error {
	c := leyline.Command{
		Issuer: "tamiyo", Audience: leyline.Audience{Origin: o.Origin, Run: at.run},
		ID: leyline.CommandID(fmt.Sprintf("burst-%d", n)), Sequence: n, Kind: leyline.CommandSeed,
		Seed: leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: at.seed, Blueprint: k.record.Blueprint, Mesh: []string{"trunk"}},
	}
	if err := p.View(ctx, func(s *projections.State) { c.IssuedAt = s.At }); err != nil {
		return err
	}
	body, err := wire.EncodeCommand(c)
	if err != nil {
		return err
	}
	_, err = p.Command(ctx, leyline.CommandReceived{
		Envelope: o.Signer.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerPolicy, PeerName: "harness",
	})
	return err
}

// released hands results to whoever waits for them. The plane's loop calls it.
func (b *burst) released(r leyline.Record) {
	for _, e := range r.Events {
		if x, ok := e.(leyline.PrefetchSettled); ok {
			b.seen.Lock()
			done := b.waiting[seat{x.Run, x.Seed}]
			b.seen.Unlock()
			select {
			case done <- x:
			default: // a second result of one seat: the checks count them
			}
		}
	}
}

func (b *burst) judge(r *Result, cold, shared, warm []fetch) {
	ok, peak, early := 0, uint32(0), 0
	for _, f := range cold {
		if f.settled.Outcome == leyline.OutcomeOK && f.settled.Origin == leyline.KernelFromStore {
			ok++
		}
		if time.Duration(f.settled.TookNs) < burstSource || f.source < burstSource {
			early++
		}
		peak = max(peak, f.settled.Inflight+1)
	}
	r.check("every request has read its kernel and is ready", ok == burstRuns*burstSeeds, "%d of %d", ok, burstRuns*burstSeeds)
	r.check("none was faster than its source", early == 0, "%d were", early)
	r.check("several were under way at a time, never more than six", peak > 1 && peak <= burstClients, "at most %d", peak)
	r.check("every source was read once", b.pipes.served() == burstRuns*burstSeeds+1, "%d reads", b.pipes.served())
	read, joined := origins(shared)
	r.check("six seeds of one blueprint read it once, and all live", read == 1 && joined == burstClients-1, "%d read it, %d were served by that", read, joined)
	read, found := origins(warm)
	r.check("what is staged is not read again", read == 0 && found == burstSeeds, "%d reads, %d from the cache", read, found)
	r.metric("requests", float64(len(cold)), leyline.UnitCount)
	r.metric("source, as measured (real named pipes)", mean(cold, func(f fetch) time.Duration { return f.source }), leyline.UnitMs)
	took := func(f fetch) time.Duration { return time.Duration(f.settled.TookNs) }
	r.spread("fetch", cold, took)
	r.spread("overhead over the source", cold, func(f fetch) time.Duration { return took(f) - f.source })
	r.spread("from the command to the durable result", cold, func(f fetch) time.Duration { return f.whole })
	r.spread("prewarm, median of a kernel", cold, func(f fetch) time.Duration { return time.Duration(f.settled.Prewarm.P50Ns) })
	r.spread("fetch of a kernel that is staged", warm, took)
	r.spread("wait for another fetch of the same kernel", shared, func(f fetch) time.Duration { return time.Duration(f.settled.WaitNs) })
}

// origins counts the fetches that read their kernel, and those that were served.
func origins(fs []fetch) (read, served int) {
	for _, f := range fs {
		switch {
		case f.settled.Outcome != leyline.OutcomeOK:
		case f.settled.Origin == leyline.KernelFromStore:
			read++
		default:
			served++
		}
	}
	return read, served
}

func mean(fs []fetch, of func(fetch) time.Duration) float64 {
	sum := 0.0
	for _, f := range fs {
		sum += of(f).Seconds() * 1e3
	}
	return sum / float64(len(fs))
}

// spread reports mean, 95th percentile and maximum of a duration in milliseconds.
func (r *Result) spread(name string, fs []fetch, of func(fetch) time.Duration) {
	ms := make([]float64, len(fs))
	for i, f := range fs {
		ms[i] = of(f).Seconds() * 1e3
	}
	slices.Sort(ms)
	r.metric(name+": mean", mean(fs, of), leyline.UnitMs)
	r.metric(name+": p95", kernelfile.Percentile(ms, 0.95), leyline.UnitMs)
	r.metric(name+": max", ms[len(ms)-1], leyline.UnitMs)
}
