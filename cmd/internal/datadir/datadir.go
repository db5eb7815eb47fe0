package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// Why a directory cannot be used.
var (
	// ErrMissing: there is no such directory, and it was only to be read.
	ErrMissing = errors.New("there is no data directory")
	// ErrForeign: the directory holds something, but no data of esper.
	ErrForeign = errors.New("not a data directory of esper")
	// ErrLogLost: what belongs to a log is there and the log is not.
	ErrLogLost = errors.New("the log is gone")
	// ErrLocked: another process has the data directory open for writing.
	ErrLocked = errors.New("the data directory is in use")
	// ErrKeys: a key is missing or is not the one that the log trusts.
	ErrKeys = errors.New("the keys do not belong to the log")
)

// Names in a data directory.
const (
	lockName      = "LOCK"
	keysName      = "keys"
	logName       = "log"
	segmentsName  = "segments" // in the log
	projectedName = "projections.db"
	asidePrefix   = projectedName + ".damaged-"
	snapshotsName = "snapshots"
	signalName    = "signal"
	kernelsName   = "kernels"
	controlsName  = "controls"
	telemetryName = "telemetry"
	tracesName    = "traces"
	policiesName  = "policies"
)

// Options says how a data directory is opened. Rand, Now and Logger are
// required.
type Options struct {
	Rand   io.Reader // keys and the name of a new log come from it
	Now    func() time.Time
	Logger hclog.Logger
	Log    leyline.LogConfig // segments and checkpoints; zero numbers mean the defaults of eventlog
}

// Dir is a data directory that is open for writing.
type Dir struct {
	Path    string
	Created bool // its log was made by this Open
	Keys    Keys
	Signal  *signal.Writer

	log     *eventlog.Log
	kernels *os.Root
	files   *policyfile.Store
	store   *store
	lock    *os.File
	fast    *snapstore.Dir // once Fast was asked for
}

// Open opens a data directory for writing, and makes it where there is nothing.
// One process at a time can have it open: otherwise the error is ErrLocked.
func Open(path string, o Options) (*Dir, error) {
	if err := mistakes(exportDirProblems(o.Log.CheckpointDir)); err != nil {
		return nil, err
	}
	if err := inspect(path); err != nil {
		return nil, err
	}
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	lock, err := acquire(filepath.Join(path, lockName))
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, lock: lock}
	if err := d.open(o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open goes on under the lock, where nobody changes what inspect sees.
func (d *Dir) open(o Options) error {
	err := inspect(d.Path)
	if err != nil {
		return err
	}
	if d.Keys, err = openKeys(d.path(keysName), hasLog(d.Path), o.Rand); err != nil {
		return err
	}
	if err := d.openLog(o); err != nil {
		return err
	}
	if err := d.Keys.check(d.log.Origin()); err != nil {
		return err
	}
	if d.store, err = openStore(d.Path, o.Logger); err != nil {
		return err
	}
	if err := makeDir(d.path(snapshotsName)); err != nil {
		return err
	}
	if err := d.openKernels(); err != nil {
		return err
	}
	if d.files, err = policyfile.MakeStore(PoliciesPath(d.Path)); err != nil {
		return err
	}
	d.Signal, err = signal.OpenWriter(d.path(signalName))
	return err
}

// openLog opens the log, or makes it when the directory never came that far.
func (d *Dir) openLog(o Options) error {
	opts := eventlog.Options{
		Logger:      o.Logger.Named("eventlog"),
		SegmentSize: int(o.Log.SegmentMiB) << 20,
		Checkpoints: eventlog.Checkpoints{
			Key: d.Keys.Log.Private(), Records: uint64(o.Log.CheckpointRecords), Age: o.Log.Checkpoint.Duration(), Export: exporter(o.Log),
		},
	}
	var err error
	if hasLog(d.Path) {
		d.log, err = eventlog.Open(d.path(logName), opts)
		if errors.Is(err, eventlog.ErrWrongKey) {
			err = fmt.Errorf("%w: %w: %s is another; restore the key that belongs to this log", ErrKeys, err, filepath.Join(d.Keys.path, logKeyName))
		}
		return err
	}
	name := make([]byte, 16)
	if _, err := io.ReadFull(o.Rand, name); err != nil {
		return fmt.Errorf("cannot read randomness for the log's name: %w", err)
	}
	origin := eventlog.Origin{
		Name: fmt.Sprintf("esper-%x", name), LogKey: d.Keys.Log.Public(), AdminKey: d.Keys.Admin.Public(),
	}
	if err := makeDir(d.path(logName)); err != nil {
		return err
	}
	d.log, err = eventlog.Create(d.path(logName), origin, o.Now().UnixNano(), opts)
	d.Created = err == nil
	return err
}

func (d *Dir) path(name string) string { return filepath.Join(d.Path, name) }

// Snapshots returns the full tier of snapshots: one directory per run.
func (d *Dir) Snapshots() *snapstore.Dir { return snapstore.NewDir(d.path(snapshotsName), true) }

// Traces returns where trainers write the profiles of a run, each run in a
// directory of its own.
func (d *Dir) Traces() string { return d.path(tracesName) }

// ControlsPath returns where the runs that a run is compared with have their own
// data directories.
func (d *Dir) ControlsPath() string { return d.path(controlsName) }

// TelemetryPath returns the directory of what telemetry was written.
func (d *Dir) TelemetryPath() string { return d.path(telemetryName) }

// KeysPath returns the directory of the private keys.
func (d *Dir) KeysPath() string { return d.path(keysName) }

// Policies returns the store of policy artifacts.
func (d *Dir) Policies() *policyfile.Store { return d.files }

// PoliciesPath is where a data directory keeps policy artifacts.
func PoliciesPath(path string) string { return filepath.Join(path, policiesName) }

// AdminKeyPath is where a data directory keeps its admin key.
func AdminKeyPath(path string) string { return filepath.Join(path, keysName, adminKeyName) }

// Origin returns the first record of the log.
func (d *Dir) Origin() eventlog.Origin { return d.log.Origin() }

// Recovery tells how the log was found.
func (d *Dir) Recovery() eventlog.Report { return d.log.Recovery() }

// ExportError tells why the newest checkpoint was not exported; nil if it was,
// or if there is nowhere to export it to.
func (d *Dir) ExportError() error { return d.log.ExportError() }

// Log returns the log as the plane sees it.
func (d *Dir) Log() plane.Log { return planeLog{d.log} }

// Store returns the stored projections as the plane sees them.
func (d *Dir) Store() plane.Store { return d.store }

// Source returns the durable transitions as replay sees them.
func (d *Dir) Source() replay.Source { return source{d.log} }

// Last returns the position of the last durable record.
func (d *Dir) Last() leyline.Seq { return leyline.Seq(d.log.Next() - 1) }

// Close closes everything, the log with its clean-shutdown marker. When the log is
// poisoned the emergency signal is left at a halt. It may be called twice.
func (d *Dir) Close() error {
	var errs []error
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.kernels != nil {
		errs = append(errs, d.kernels.Close())
	}
	if d.files != nil {
		errs = append(errs, d.files.Close())
	}
	if d.fast != nil {
		errs = append(errs, d.fast.Clear())
	}
	if d.log != nil {
		errs = append(errs, d.raise(d.log.Close()))
	}
	if d.Signal != nil {
		errs = append(errs, d.Signal.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	return errors.Join(errs...)
}

// raise publishes what the plane, which has ended, would have published: storage
// that failed at the log's last write.
func (d *Dir) raise(err error) error {
	if d.Signal == nil || !errors.Is(err, eventlog.ErrPoisoned) {
		return err
	}
	return errors.Join(err, d.Signal.Set(leyline.EmergencyHalt, "storage failed"))
}
