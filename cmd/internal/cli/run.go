package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/testdata"
)

// defaultSteps is the planned length of a run that is not told otherwise.
const defaultSteps = 300

// blueprint is the one kind of seed that the built-in workload can grow.
const blueprint = "residual-mlp-16"

// runFlags are the flags of `esper run`.
type runFlags struct {
	settings
	data     string
	steps    uint64
	seed     uint64
	workload string
	faults   []string
	stepsSet bool
}

func newRun(a *app) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a plane and the built-in trainer on real data",
		Long: "Run a plane and the built-in trainer on real data.\n\nOn existing data an unfinished run is resumed and a finished one is followed by\n" +
			"a new one. An unfinished run cannot be resumed with another seed, workload,\nlength or set of faults.",
		Example: "  esper run --data data/demo --fault nan@120\n  esper run --data /var/lib/esper --steps 1000 --seed 7 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.stepsSet = cmd.Flags().Changed("steps")
			return a.runWorkload(cmd.Context(), f)
		},
	}
	c.Flags().StringVar(&f.data, "data", "data", "data directory, created when missing")
	c.Flags().Uint64Var(&f.steps, "steps", defaultSteps, "length of the run in optimizer steps")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "seed of weights, batches and the plane's random choices")
	c.Flags().StringVar(&f.workload, "workload", workload.Workload, "what to train")
	c.Flags().StringArrayVar(&f.faults, "fault", nil, "fault to inject, as NAME@STEP; known: nan; may be repeated")
	f.flags(c.Flags())
	return c
}

// job is one `esper run` under way.
type job struct {
	app    *app
	flags  runFlags
	faults []workload.Fault
	config leyline.ExecutionConfig
	dir    *datadir.Dir
	plane  *plane.Plane
	run    leyline.RunID
	resume bool
	show   display
}

func (a *app) runWorkload(ctx context.Context, f runFlags) error {
	j := &job{app: a, flags: f}
	if err := j.check(); err != nil {
		return err
	}
	log, err := a.logger()
	if err != nil {
		return err
	}
	j.dir, err = datadir.Open(f.data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: log})
	if err != nil {
		return err
	}
	doc, err := j.train(ctx)
	if err = andThen(err, j.dir.Close()); err != nil {
		return err // nothing is printed before everything is closed: a reader that leaves early ends the process
	}
	if a.json {
		return a.line(map[string]any{"summary": doc})
	}
	return doc.print(a.out, j.dir.Path)
}

// andThen adds what went wrong while stopping, unless that is the log saying
// again why it stopped.
func andThen(err, stopping error) error {
	if err != nil && (errors.Is(stopping, leyline.ErrStorage) || errors.Is(stopping, eventlog.ErrPoisoned)) {
		return err
	}
	return errors.Join(err, stopping)
}

func (j *job) check() error {
	if j.flags.workload != workload.Workload {
		return usagef("unknown workload %q; known: %s", j.flags.workload, workload.Workload)
	}
	if j.flags.steps == 0 {
		return usagef("--steps is 0; plan one step or more")
	}
	for _, s := range j.flags.faults {
		f, err := workload.ParseFault(s)
		if err != nil {
			return usageError{err}
		}
		j.faults = append(j.faults, f)
	}
	if j.flags.stepsSet {
		if err := j.inRange(); err != nil {
			return err
		}
	}
	var err error
	j.config, err = j.flags.load(leyline.DefaultConfig(), os.Environ())
	return err
}

func (j *job) train(ctx context.Context) (summaryDoc, error) {
	j.announce()
	if err := j.start(ctx); err != nil {
		return summaryDoc{}, err
	}
	res, err := j.work(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	j.show.done()
	serr := j.plane.Shutdown(stop)
	if err != nil {
		return summaryDoc{}, andThen(j.explain(err), serr)
	}
	if serr != nil {
		return summaryDoc{}, serr
	}
	return j.summary(res)
}

// announce says what opening the directory found.
func (j *job) announce() {
	r := j.dir.Recovery()
	if j.dir.Created {
		j.app.notice("new data directory %s; its keys are in %s: back them up apart from the log", j.dir.Path, j.dir.KeysPath())
	}
	if r.TornBytes > 0 {
		j.app.notice("the last process did not stop cleanly: %d bytes behind record %d were being written and are not acknowledged; they were cut off and kept in %s (%s)",
			r.TornBytes, r.LastSeq, r.SavedTo, r.Reason)
	} else if !r.Clean && !j.dir.Created {
		j.app.notice("the last process did not stop cleanly; all %d records are intact", r.LastSeq)
	}
}

func (j *job) start(ctx context.Context) error {
	var boot [8]byte
	if _, err := rand.Read(boot[:]); err != nil {
		return err
	}
	log, err := j.app.logger()
	if err != nil {
		return err
	}
	o, r := j.dir.Origin(), j.dir.Recovery()
	j.show = newDisplay(j.app)
	j.plane, err = plane.Start(ctx, plane.Options{
		Log: j.dir.Log(), Store: j.dir.Store(), Signal: j.dir.Signal, Signer: j.dir.Keys.Tamiyo,
		Recovery: plane.Recovery{Clean: r.Clean || j.dir.Created, TornBytes: uint64(r.TornBytes)},
		Origin:   o.Name, AdminKey: o.AdminKey, Build: fingerprint(), Boot: hex.EncodeToString(boot[:]),
		Snapshots: j.dir.Snapshots(), Kernels: testdata.Kernels(), Process: j.config.Plane, Logger: log,
		Bootstrap: j.bootstrap, Released: j.show.record, Probe: j.app.probe,
	})
	return err
}

// bootstrap returns what must be in the log before the run: Tamiyo's key, the
// configuration if it changed, the blueprint. A run that cannot go on as the
// flags say ends here, before anything is changed for it.
func (j *job) bootstrap(s *projections.State) ([]leyline.Input, error) {
	if err := j.choose(s); err != nil {
		return nil, err
	}
	var in []leyline.Input
	admin, tamiyo := j.dir.Keys.Admin, j.dir.Keys.Tamiyo
	for _, k := range s.Plane.Keys {
		if k.Issuer == "tamiyo" && k.ID != tamiyo.KeyID() {
			return nil, fmt.Errorf("%w: keys/tamiyo.key is key %s, the log has enrolled %s; restore the key that belongs to this log", datadir.ErrKeys, tamiyo.KeyID(), k.ID)
		}
	}
	if s.Plane.Key(tamiyo.KeyID()) == nil {
		body, err := wire.EncodeKey(leyline.Key{
			ID: tamiyo.KeyID(), Public: tamiyo.Public(), Issuer: "tamiyo", Kinds: []leyline.CommandKind{leyline.CommandSeed},
		})
		if err != nil {
			return nil, err
		}
		in = append(in, leyline.KeyAdded{Envelope: admin.Sign(leyline.PayloadKey, body)})
	}
	body, err := wire.EncodeConfig(j.config)
	if err != nil {
		return nil, err
	}
	if s.Plane.Digest != sha256.Sum256(body) {
		in = append(in, leyline.ConfigApplied{Envelope: admin.Sign(leyline.PayloadConfig, body)})
	}
	if s.Plane.Blueprint(blueprint) == nil {
		name := blueprint + ".safetensors"
		kernel, err := fs.ReadFile(testdata.Kernels(), name)
		if err != nil {
			return nil, err
		}
		in = append(in, leyline.BlueprintRegistered{
			Blueprint: blueprint, Kernel: name, Digest: sha256.Sum256(kernel), Bytes: uint64(len(kernel)), Risk: 0.1,
		})
	}
	return in, nil
}

// work opens or resumes the run and trains it to its end.
func (j *job) work(ctx context.Context) (workload.Result, error) {
	j.show.begin(j.run, leyline.Step(j.flags.steps))
	return workload.Train(ctx, j.plane, workload.Options{
		Run: j.run, Seed: j.flags.seed, Steps: leyline.Step(j.flags.steps), Faults: j.faults, Resume: j.resume,
		SnapshotDir: filepath.Join(j.dir.Snapshots(), string(j.run)), Kernels: testdata.Kernels(), Observe: j.show.progress,
	})
}

// explain adds to an error what the person can do now.
func (j *job) explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s stopped; every answered step is in the log; the same command resumes it: %w", j.run, err)
	}
	return err
}
