package plane_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/plane"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "simulate only this seed")
	simSeeds = flag.Uint64("sim.seeds", 40, "how many seeds to simulate")
)

// TestSimulation runs a plane, a trainer and a log under virtual time through
// crashes, failed appends, damaged snapshots, missing kernels, slow storage and
// a jumping wall clock, with a thief who sends old commands again in every life. Faults stop after a while; then the run must finish or
// have been halted for a reason that is in its log. Everything follows from the
// seed, which a failure prints.
func TestSimulation(t *testing.T) {
	first, last := uint64(1), *simSeeds
	if testing.Short() {
		last = min(last, 8)
	}
	if *simSeed != 0 {
		first, last = *simSeed, *simSeed
	}
	ends := map[leyline.RunStatus]int{}
	crashes, stolen := 0, uint64(0)
	for seed := first; seed <= last; seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, seed)
				ends[s.run()]++
				crashes += s.crashes
				stolen += s.stolen
			})
		})
		if !ok {
			t.Fatalf("reproduce with: go test ./subsystems/plane -run TestSimulation -sim.seed=%d", seed)
		}
	}
	t.Logf("%d seeds, %d crashes, %d stolen or forged commands refused, ended as %v", last-first+1, crashes, stolen, ends)
	if stolen == 0 && *simSeed == 0 {
		t.Error("no command was stolen: the test shows nothing of replays")
	}
}

// sim is one simulated history.
type sim struct {
	*bench
	rng     *detmath.PCG
	log     *memlog.Log
	calm    bool // no more faults
	crashes int
	acked   leyline.Seq // highest record released to anyone
	offset  time.Duration
	stolen  uint64 // commands that were refused to the thief and to nobody else
}

const simSteps = 40

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{bench: newBench(t), rng: detmath.NewPCG(detmath.Mix(seed))}
	s.config.Tamiyo.PolicyInline, s.config.Tamiyo.PolicyBudget = seed%2 == 0, 50 // every other seed asks the policy on the worker
	if seed%3 == 0 {
		s.config.Kasmina.MinContribution = 1 // no seed is ever worth keeping
	}
	s.log = s.newLog()
	s.kernels = flakyKernels{s.kernels, s, detmath.NewPCG(detmath.Mix(seed, 1))}
	s.projected = &memStore{}
	s.wall = func() time.Time { return time.Now().Add(s.offset) }
	s.released = func(r leyline.Record) {
		s.acked = max(s.acked, r.Seq)
		if s.chance(5) {
			time.Sleep(time.Duration(s.rng.IntN(3000)) * time.Millisecond) // a slow disk
		}
		if s.chance(2) {
			s.offset += time.Duration(s.rng.IntN(7200)-3600) * time.Second
		}
	}
	return s
}

// chance is true in percent of 100 cases, and never once faults have stopped.
func (s *sim) chance(percent int) bool { return !s.calm && s.rng.IntN(100) < percent }

// flakyKernels loses kernels now and then. It is asked by the worker, so it has
// a random source of its own.
type flakyKernels struct {
	fs.FS
	sim *sim
	rng *detmath.PCG
}

func (k flakyKernels) Open(name string) (fs.File, error) {
	if !k.sim.calm && k.rng.IntN(100) < 15 {
		return nil, fmt.Errorf("kernel store: %w", fs.ErrNotExist)
	}
	return k.FS.Open(name)
}

// run lives through crashes until the run has ended, and checks the log.
func (s *sim) run() leyline.RunStatus {
	for life := 0; ; life++ {
		s.calm = life >= 12
		if status := s.live(); status != leyline.RunStatusUnspecified {
			s.check()
			return status
		}
		s.crashes++
		if life > 40 {
			s.t.Fatal("faults have stopped and the run does not end")
		}
	}
}

// live is one process. It returns how the run ended, or nothing when the
// process died first.
func (s *sim) live() leyline.RunStatus {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	kill := uint64(1 << 62)
	if s.chance(80) {
		kill = s.log.Next() + uint64(s.rng.IntN(60))
	}
	if s.chance(30) {
		s.log.Inject(memlog.Faults{
			Seed: s.rng.Uint64(), FailAppendAt: s.log.Next() + uint64(s.rng.IntN(60)), FailedButStored: s.rng.IntN(2) == 0,
		})
	}
	d := &deadline{Log: s.log, last: kill, kill: cancel, dead: make(chan struct{})}
	p, err := s.start(ctx, d)
	if err == nil {
		if status := s.already(ctx, p); status != leyline.RunStatusUnspecified {
			s.bury(p)
			return status
		}
		s.steal(ctx, p)
		_, err = s.train(ctx, p, simSteps, nan(20), nan(31))
	}
	var halted *workload.Halted
	status := leyline.RunStatusUnspecified
	switch {
	case err == nil:
		status = leyline.RunStatusEnded
	case errors.As(err, &halted):
		status = leyline.RunStatusHalted
	case errors.Is(err, context.Canceled), errors.Is(err, leyline.ErrStorage), errors.Is(err, errKilled):
	default:
		s.explain(err)
	}
	close(d.dead)
	if p != nil {
		if status != leyline.RunStatusUnspecified {
			if err := p.Shutdown(context.Background()); err != nil && !errors.Is(err, leyline.ErrStorage) {
				s.t.Errorf("shutdown: %v", err)
			}
		}
		if kill < 1<<62 || !errors.Is(err, leyline.ErrStorage) {
			cancel()
		}
		s.bury(p)
	}
	s.crash()
	return status
}

// already returns how the run ended, if the last process died after its end was
// durable.
func (s *sim) already(ctx context.Context, p *plane.Plane) (status leyline.RunStatus) {
	err := p.View(ctx, func(st *projections.State) {
		if r := st.Tolaria.Run("run-1"); r != nil && r.Status != leyline.RunStatusOpen {
			status = r.Status
		}
	})
	if err != nil && !errors.Is(err, leyline.ErrStorage) && !errors.Is(err, context.Canceled) {
		s.t.Errorf("view: %v", err)
	}
	return status
}

// bury waits until a killed plane's goroutines are gone.
func (s *sim) bury(p interface {
	Shutdown(context.Context) error
	Done() <-chan struct{}
}) {
	if err := p.Shutdown(context.Background()); err != nil && !errors.Is(err, leyline.ErrStorage) {
		s.t.Errorf("shutdown after a crash: %v", err)
	}
	<-p.Done()
}

// explain fails unless the error is one that the damage done to the snapshots
// explains.
func (s *sim) explain(err error) {
	var r *leyline.Refusal
	if errors.As(err, &r) || !errors.Is(err, errDamaged) {
		s.t.Errorf("life ended with %v", err)
	}
}

var errDamaged = errors.New("damaged")

// crash takes the log that survives, and sometimes damages a snapshot that no
// rollback has proven or will need for the resume.
func (s *sim) crash() {
	s.log = s.log.Crash()
	if uint64(s.acked) >= s.log.Next() {
		s.t.Fatalf("record %d was released, the log ends at %d", s.acked, s.log.Next()-1)
	}
	if s.chance(20) {
		s.damage()
	}
}

// damage flips a byte in a snapshot file that is not registered: what a crash
// in the middle of a write leaves behind.
func (s *sim) damage() {
	known := s.registered()
	files, err := filepath.Glob(filepath.Join(s.snapshots, "run-1", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		if slices.Contains(known, filepath.Base(f)) {
			continue
		}
		if err := os.Truncate(f, 10); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sim) registered() []string {
	var out []string
	for _, r := range records(s.t, s.log) {
		for _, e := range r.Events {
			switch x := e.(type) {
			case leyline.SnapshotRegistered:
				out = append(out, x.File)
			case leyline.SnapshotEvicted:
				out = slices.DeleteFunc(out, func(f string) bool { return f == x.File })
			}
		}
	}
	return out
}

// check holds the finished log against what must be true of every log.
func (s *sim) check() {
	state := mustRedecide(s.t, s.log)
	s.onlyOnce()
	if r := state.Tolaria.Run("run-1"); r.Status == leyline.RunStatusOpen {
		s.t.Error("the run has ended for its trainer but not in its log")
	}
	saved := map[leyline.SnapshotID]leyline.Digest{}
	stage := leyline.StageUnknown
	alpha := 0.0
	for _, r := range records(s.t, s.log) {
		for _, e := range r.Events {
			switch x := e.(type) {
			case leyline.SnapshotRegistered:
				saved[x.Snapshot] = x.Digest
			case leyline.RollbackFinished:
				if x.Outcome == leyline.OutcomeOK && x.Digest != saved[x.Snapshot] {
					s.t.Errorf("record %d: restored %s, saved %s", r.Seq, x.Digest.Short(), saved[x.Snapshot].Short())
				}
				stage, alpha = leyline.StageUnknown, 0
			case leyline.RunResumed:
				stage, alpha = leyline.StageUnknown, 0
			case leyline.SeedMoved:
				if stage != leyline.StageUnknown && (x.From != stage || !leyline.MayMove(x.From, x.To)) {
					s.t.Errorf("record %d: seed moves %s to %s, it was %s", r.Seq, x.From, x.To, stage)
				}
				if stage = x.To; stage < leyline.StageBlending || stage > leyline.StageFossilized {
					alpha = 0
				}
			case leyline.BlendStepped:
				if x.Alpha < alpha || x.Alpha > 1 {
					s.t.Errorf("record %d: alpha moves from %v to %v", r.Seq, alpha, x.Alpha)
				}
				alpha = x.Alpha
			}
		}
	}
}
