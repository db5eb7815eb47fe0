package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/reports"
	"github.com/esper-plane/esper/subsystems/sheetstore"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// startPlane starts the plane.
func (p *served) startPlane(ctx context.Context, log hclog.Logger) error {
	o, err := p.planeOptions(log)
	if err != nil {
		return err
	}
	if p.adjust != nil {
		p.adjust(&o)
	}
	p.plane, err = plane.Start(ctx, o)
	return err
}

// planeOptions is what a plane of the open data directory is started with.
func (p *served) planeOptions(log hclog.Logger) (plane.Options, error) {
	var boot [8]byte
	if _, err := rand.Read(boot[:]); err != nil {
		return plane.Options{}, err
	}
	o, r := p.dir.Origin(), p.dir.Recovery()
	previous := ""
	if o.Previous != nil {
		previous = o.Previous.Name
	}
	fast, free, err := p.dir.Fast(cmp.Or(p.config.Plane.FastDir, p.app.shm))
	if err != nil {
		return plane.Options{}, err
	}
	if fast != nil {
		p.fast = fast
	}
	var sheets plane.Catalogue
	if dir := p.config.Tamiyo.CatalogueDir; dir != "" {
		sheets = sheetstore.Dir(dir)
	}
	sink, err := p.reportSink()
	if err != nil {
		return plane.Options{}, err
	}
	return plane.Options{
		Log: p.dir.Log(), Store: p.dir.Store(), Signal: p.dir.Signal, Signer: p.dir.Keys.Tamiyo,
		Recovery: plane.Recovery{Clean: r.Clean || p.dir.Created, TornBytes: uint64(r.TornBytes)},
		Origin:   o.Name, Previous: previous, AdminKey: o.AdminKey, Build: fingerprint(), Boot: hex.EncodeToString(boot[:]),
		Snapshots: p.dir.Snapshots(), Fast: p.fast, FastFree: free, Kernels: p.dir.Kernels(), Process: p.config.Plane, Logger: log,
		Policies: p.dir.Policies(), Catalogue: sheets,
		Admit: p.admit, Bootstrap: p.bootstrap, Free: p.dir.Free, Released: p.released, Probe: p.app.probe, Reports: sink,
	}, nil
}

// reportSink is where field reports are delivered; nil: nowhere.
func (p *served) reportSink() (plane.Reports, error) {
	var sinks reports.All
	if path := p.config.Tamiyo.ReportDir; path != "" {
		dir, err := reports.OpenDir(path, p.app.notice)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, dir)
	}
	if p.reportURL != "" {
		post, err := reports.NewPost(p.reportURL)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, post)
	}
	if len(sinks) == 0 {
		return nil, nil
	}
	return sinks, nil
}

// installKernels puts the shipped kernels that the workload needs into the store,
// where they are missing.
func (p *served) installKernels() error {
	var kernels []string
	for _, b := range p.shipped {
		kernels = append(kernels, kernelFile(b.ID))
	}
	installed, err := p.dir.InstallKernels(testdata.Kernels(), kernels...)
	if err == nil {
		err = p.installOwn()
	}
	if err == nil && len(installed) > 0 && !p.dir.Created {
		p.app.notice("kernels that were not in %s were installed: %s", p.dir.KernelsPath(), strings.Join(installed, ", "))
	}
	return err
}

// warnOfDisk says that a run goes on although the disk is nearly full. A new run
// is refused instead, and a shortage that begins later is told when it does.
func (j *job) warnOfDisk(ctx context.Context) error {
	var low bool
	err := j.plane.View(ctx, func(s *projections.State) { low = s.Plane.RefusesRuns() })
	if err == nil && low && j.resume {
		j.show.say("CRITICAL the disk of %s is nearly full (log.min_free_mib = %d): %s is resumed all the same, a new run would be refused; make room",
			j.dir.Path, j.config.Log.MinFreeMiB, j.run)
	}
	return err
}

// released hands a durable record to everyone who follows the run. It is called
// by the plane's loop and waits for nobody.
func (p *served) released(r leyline.Record) {
	p.follow(r)
	p.sink.record(r)
	p.outlets.record(r)
}

// admit refuses what the flags say of a run that cannot go on so, and a key that is
// not the log's: before anything is recorded for it.
func (p *served) admit(s *projections.State) error {
	if p.admitRun != nil {
		if err := p.admitRun(s); err != nil {
			return err
		}
	}
	tamiyo := p.dir.Keys.Tamiyo
	if r := s.Plane.Revocation(tamiyo.KeyID()); r != nil {
		return fmt.Errorf("%w: keys/tamiyo.key is key %s, which was revoked in record %d; put a new one in its place: `esper key new --name tamiyo FILE`", datadir.ErrKeys, tamiyo.KeyID(), r.Seq)
	}
	for _, k := range s.Plane.Keys {
		if k.Issuer == leyline.IssuerTamiyo && k.ID != tamiyo.KeyID() && s.Plane.Revocation(k.ID) == nil {
			return fmt.Errorf("%w: keys/tamiyo.key is key %s, the log has enrolled %s; restore the key that belongs to this log", datadir.ErrKeys, tamiyo.KeyID(), k.ID)
		}
	}
	return nil
}

// bootstrap returns what must be in the log before the run: Tamiyo's key, the
// configuration if it changed, the blueprint.
func (p *served) bootstrap(s *projections.State) ([]leyline.Input, error) {
	var in []leyline.Input
	admin, tamiyo := p.dir.Keys.Admin, p.dir.Keys.Tamiyo
	key := leyline.Key{
		ID: tamiyo.KeyID(), Public: tamiyo.Public(), Issuer: leyline.IssuerTamiyo,
		Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandOptimizer, leyline.CommandPause},
		Rate:  p.config.Kasmina.TamiyoRate,
	}
	if old := s.Plane.Key(key.ID); old == nil || changed(old, &key) {
		body, err := wire.EncodeKey(key)
		if err != nil {
			return nil, err
		}
		in = append(in, leyline.KeyAdded{Envelope: admin.Sign(leyline.PayloadKey, body)})
	}
	body, digest, err := encodeConfig(p.config)
	if err != nil {
		return nil, err
	}
	if s.Plane.Digest != digest {
		if s.Plane.Configured {
			p.app.notice("settings differ from those of the last start: %s", changes(differences(s.Plane.Config, p.config)))
		}
		in = append(in, leyline.ConfigApplied{Envelope: admin.Sign(leyline.PayloadConfig, body)})
	}
	bs, err := p.blueprints(s)
	if err != nil {
		return nil, err
	}
	own, err := p.registerOwn(s)
	return append(append(in, bs...), own...), err
}

// changed reports whether a key may do something else than before. The next envelope
// then has the next serial.
func changed(old, now *leyline.Key) bool {
	now.Serial = old.Serial
	if projections.DigestOf(*old) == projections.DigestOf(*now) {
		return false
	}
	now.Serial++
	return true
}

// blueprints registers the kinds of seed that the workload can grow. Their
// digests are those of the shipped kernels, not of what lies in the store.
func (p *served) blueprints(s *projections.State) ([]leyline.Input, error) {
	var in []leyline.Input
	for _, b := range p.shipped {
		if s.Plane.Blueprint(leyline.BlueprintID(b.ID)) != nil {
			continue
		}
		record, err := workload.Shipped(b)
		if err != nil {
			return nil, err
		}
		in = append(in, record)
	}
	return in, nil
}

func kernelFile(blueprint string) string { return blueprint + workload.KernelSuffix }

// work opens or resumes the run and trains it to its end.
func (j *job) work(ctx context.Context) (workload.Result, error) {
	if err := j.warnOfDisk(ctx); err != nil {
		return workload.Result{}, err
	}
	j.show.begin(j.run, leyline.Step(j.flags.steps))
	return workload.Train(ctx, j.plane, j.training())
}

// training is how the built-in trainer is to train the run.
func (j *job) training() workload.Options {
	return workload.Options{
		Run: j.run, Workload: j.offered(), Seed: j.flags.seed, Steps: leyline.Step(j.flags.steps), Faults: j.faults, Resume: j.resume,
		Traces: snapstore.NewDir(j.dir.Traces(), false), SeedLayers: j.config.Tolaria.SeedLayers > 0,
		Snapshots: j.dir.Snapshots(), Fast: j.fast, Kernels: j.plane.Kernels(), Observe: j.show.progress,
		Levers: j.levers(), Live: j.flags.live, GPU: j.gpu(), Warn: func(s string) { j.show.say("warning: %s", s) },
	}
}

// replayCommand sends the newest accepted command of the run once more, byte for
// byte, as someone who has seen it go by would.
func (j *job) replayCommand(ctx context.Context) error {
	var stolen *leyline.Envelope
	for r, err := range decoded(j.dir.Source(), 0) {
		if err != nil {
			return err
		}
		if x, ok := r.Input.(leyline.CommandReceived); ok && accepted(r, j.run) {
			stolen = &x.Envelope
		}
	}
	if stolen == nil {
		j.app.notice("fault %s does not strike: no command was accepted yet", workload.FaultReplay)
		return workload.ErrNothingYet
	}
	_, err := j.plane.Command(ctx, leyline.CommandReceived{Envelope: *stolen, Peer: leyline.PeerTrainer, PeerName: "drill:" + workload.FaultReplay})
	return err
}

// accepted reports whether a record accepts a command for a run.
func accepted(r leyline.Record, run leyline.RunID) bool {
	for _, e := range r.Events {
		if x, ok := e.(leyline.CommandVerified); ok && x.Run == run {
			return true
		}
	}
	return false
}
