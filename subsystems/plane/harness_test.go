package plane_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/testdata"
)

// store is the part of a log that both memlog and a real log have.
type store = planetest.Store

// memSignal is an emergency signal without a file.
type memSignal struct {
	mu     sync.Mutex
	level  leyline.EmergencyLevel
	reason string
	broken error         // what Set says
	hang   chan struct{} // Set does not return before it is closed; nil: it does
}

func (s *memSignal) Set(l leyline.EmergencyLevel, reason string) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.level, s.reason = l, reason
	}
	return s.broken
}

func (s *memSignal) Get() (leyline.EmergencyLevel, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level, s.reason, nil
}

func (s *memSignal) change(f func(*memSignal)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// seeded is a deterministic io.Reader for test keys.
type seeded struct{ *detmath.PCG }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.Uint64())
	}
	return len(b), nil
}

func testKey(n uint64) sign.Signer {
	k, err := sign.Generate(seeded{detmath.NewPCG(n, n)})
	if err != nil {
		panic(err)
	}
	return k
}

// quick is a configuration under which a seed lives its whole life within forty
// steps. It is kept whatever it adds.
func quick() leyline.ExecutionConfig {
	c := leyline.DefaultConfig()
	c.Tolaria.SnapshotEvery = 5
	c.Tamiyo.WindowSteps, c.Tamiyo.WarmupSteps, c.Tamiyo.TrainSteps = 2, 4, 6
	c.Tamiyo.LossMode, c.Tamiyo.HealthyWindows, c.Tamiyo.CooldownSteps = leyline.RuleShadow, 4, 8
	c.Tamiyo.BlendSteps, c.Tamiyo.BlendTemperature = 6, 0.6
	c.Tamiyo.ShadowSteps, c.Tamiyo.Probes = 2, 2
	c.Kasmina.MinTrainSteps, c.Kasmina.MinObserveSteps, c.Kasmina.ProbeEvery, c.Kasmina.EmbargoSteps = 4, 1, 2, 4
	c.Kasmina.MinContribution = -1
	c.Plane.ProjectionEvery = 16
	return c
}

// bench is everything around a plane that outlives a crash.
type bench struct {
	t         testing.TB
	admin     sign.Signer
	tamiyo    sign.Signer
	origin    eventlog.Origin
	config    leyline.ExecutionConfig
	snapshots string
	fast      string // directory of the fast tier; empty: there is none
	kernels   fs.FS
	policies  plane.Policies // nil: there is no policy store
	boots     int
	probe     func(plane.Point, leyline.Record)
	released  func(leyline.Record)
	wall      func() time.Time
	projected plane.Store
	spec      workload.Spec // the zero value: penguins
	policy    func(context.Context, policy.Question) (policy.Choice, error)
	signal    *memSignal
	reports   plane.Reports
	free      func() (free, total uint64, err error)
	admit     func(s *projections.State) error
	logger    hclog.Logger
	operator  *sign.Signer                    // enrolled as "ada" for every kind of command; nil: there is none
	observe   func(workload.Progress)         // of the trainer
	sheets    plane.Catalogue                 // nil: there is none
	rejected  map[leyline.RejectReason]uint64 // counted so far
}

func newBench(t testing.TB) *bench {
	admin := testKey(1)
	return &bench{
		t: t, admin: admin, tamiyo: testKey(2), config: quick(), snapshots: t.TempDir(), fast: t.TempDir(),
		origin:  eventlog.Origin{Name: "esper-test", LogKey: testKey(3).Public(), AdminKey: admin.Public()},
		kernels: testdata.Kernels(), signal: &memSignal{}, logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
	}
}

func (b *bench) newLog() *memlog.Log { return memlog.New(b.origin, time.Now().UnixNano()) }

// start starts a plane on a log.
func (b *bench) start(ctx context.Context, log store) (*plane.Plane, error) {
	b.boots++
	var boot [8]byte
	binary.BigEndian.PutUint64(boot[:], uint64(b.boots))
	o := plane.Options{
		Log: planetest.Log{Store: log}, Origin: b.origin.Name, AdminKey: b.origin.AdminKey, Boot: "boot-" + string('a'+rune(b.boots%26)),
		Build: leyline.Build{Version: "test"}, Signer: b.tamiyo, Signal: b.signal, Snapshots: snapstore.NewDir(b.snapshots, true),
		Kernels: b.kernels, Policies: b.policies, Process: b.config.Plane, Logger: b.logger, Admit: b.admit, Bootstrap: b.bootstrap,
		Probe: b.probe, Released: b.released, Wall: b.wall, Store: b.projected, Policy: b.policy, Free: b.free, Catalogue: b.sheets, Reports: b.reports,
	}
	if b.fast != "" {
		o.Fast, o.FastFree = snapstore.NewDir(b.fast, false), 1<<30
	}
	return plane.Start(ctx, o)
}

func (b *bench) bootstrap(s *projections.State) ([]leyline.Input, error) {
	var in []leyline.Input
	if s.Plane.Key(b.tamiyo.KeyID()) == nil {
		body, err := wire.EncodeKey(leyline.Key{
			ID: b.tamiyo.KeyID(), Public: b.tamiyo.Public(), Issuer: "tamiyo",
			Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandOptimizer, leyline.CommandPause},
		})
		if err != nil {
			return nil, err
		}
		in = append(in, leyline.KeyAdded{Envelope: b.admin.Sign(leyline.PayloadKey, body)})
	}
	if b.operator != nil && s.Plane.Key(b.operator.KeyID()) == nil {
		body, err := wire.EncodeKey(leyline.Key{
			ID: b.operator.KeyID(), Public: b.operator.Public(), Issuer: "ada", Kinds: leyline.CommandUnknown.Members(),
		})
		if err != nil {
			return nil, err
		}
		in = append(in, leyline.KeyAdded{Envelope: b.admin.Sign(leyline.PayloadKey, body)})
	}
	body, err := wire.EncodeConfig(b.config)
	if err != nil {
		return nil, err
	}
	if s.Plane.Digest != sha256.Sum256(body) {
		in = append(in, leyline.ConfigApplied{Envelope: b.admin.Sign(leyline.PayloadConfig, body)})
	}
	for _, id := range testdata.Blueprints() {
		if s.Plane.Blueprint(leyline.BlueprintID(id)) != nil {
			continue
		}
		record, err := workload.Shipped(workload.Blueprint{ID: id, Risk: 0.1})
		if err != nil {
			return nil, err
		}
		in = append(in, record)
	}
	return in, nil
}

// train runs or resumes run-1 on a plane.
func (b *bench) train(ctx context.Context, p *plane.Plane, steps leyline.Step, faults ...workload.Fault) (workload.Result, error) {
	var resume bool
	if err := p.View(ctx, func(s *projections.State) { resume = s.Tolaria.Run("run-1") != nil }); err != nil {
		return workload.Result{}, err
	}
	spec := b.spec
	if spec.Data == nil {
		var err error
		if spec, err = workload.Lookup("penguins"); err != nil {
			return workload.Result{}, err
		}
	}
	o := workload.Options{
		Run: "run-1", Workload: spec, Seed: 7, Steps: steps, Faults: faults, Resume: resume,
		Snapshots: snapstore.NewDir(b.snapshots, true), Kernels: p.Kernels(), Observe: b.observe,
	}
	if b.fast != "" {
		o.Fast = snapstore.NewDir(b.fast, false)
	}
	return workload.Train(ctx, p, o)
}

// records decodes every transition of a log.
func records(t testing.TB, log store) []leyline.Record {
	t.Helper()
	var out []leyline.Record
	for e, err := range (planetest.Log{Store: log}).All(1) {
		if err != nil {
			t.Fatalf("reading the log: %v", err)
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			t.Fatalf("record %d: %v", e.Seq, err)
		}
		out = append(out, r)
	}
	return out
}

// mustRedecide re-decides every record and fails at the first that differs.
func mustRedecide(t testing.TB, log store) *projections.State {
	t.Helper()
	s := &projections.State{}
	for _, r := range records(t, log) {
		got := decider.Decide(s, leyline.Meta{Seq: r.Seq, At: r.At, Run: r.Run}, r.Input)
		a, errA := wire.AppendEvents(nil, got)
		b, errB := wire.AppendEvents(nil, r.Events)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Fatalf("record %d (%s) diverges:\nrecorded %+v\nreplayed %+v", r.Seq, r.Input.InputKind(), r.Events, got)
		}
	}
	return s
}

func nan(step leyline.Step) workload.Fault { return workload.Fault{Name: "nan", Step: step} }
