package datadir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
)

// Examination is what can be told of a path before it is opened as a data
// directory. Everything in it was found out without changing anything.
type Examination struct {
	Path  string
	Log   bool      // it holds a log
	Usage error     // why nothing can be opened here at all; nil: it can
	Held  error     // ErrLocked; nil: nobody has it open
	Disk  error     // what its file system does not do; nil: all that is needed
	Parts []error   // which parts of it cannot be written, or are something else
	Ends  error     // what is wrong with the log or its end; nil: nothing, or it was not read
	Keys  []error   // what is wrong with the keys
	Last  time.Time // of the log's last record; zero when there is none, or it was not read
	Free  uint64    // bytes
	Total uint64    // bytes, of the disk; 0 when it could not be asked
}

// Examine looks at a path as Open would, without changing anything that lasts. What
// is somebody else's, or open in another process, is only looked at; otherwise a
// file is written where the data directory is or will be, and removed again.
func Examine(path string) Examination {
	x := Examination{Path: path, Usage: inspect(path)}
	if x.Usage != nil {
		return x
	}
	x.Log = hasLog(path)
	x.Held = checkUnlocked(path)
	place, err := nearest(path)
	if err == nil {
		x.Free, x.Total, err = freeOf(place)
	}
	if err == nil && x.Held == nil {
		err = probeDisk(place)
	}
	x.Disk = err
	x.Parts = examineParts(path)
	keys, errs := examineKeys(filepath.Join(path, keysName), x.Log)
	x.Keys = errs
	if x.Log && x.Held == nil {
		x.readLog(keys)
	}
	return x
}

// examineParts looks at what Open and the run write to, as far as it is there: whether
// folders can be written to, and whether the emergency signal is one.
func examineParts(path string) []error {
	var errs []error
	for _, name := range []string{logName, filepath.Join(logName, segmentsName), snapshotsName, telemetryName} {
		at := filepath.Join(path, name)
		switch info, err := os.Stat(at); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		case !info.IsDir():
			errs = append(errs, fmt.Errorf("%w: %s is no folder", ErrForeign, at))
			continue
		}
		if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be written to: %w", at, err))
		}
	}
	if err := signal.Check(filepath.Join(path, signalName)); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// readLog reads the end of the log, which also tells its format, and holds the keys
// against it.
func (x *Examination) readLog(keys Keys) {
	r, err := eventlog.OpenReader(filepath.Join(x.Path, logName))
	if err != nil {
		x.Ends = err
		return
	}
	defer r.Close() // a reader; nothing is lost when closing it fails
	if at := r.Report().LastAt; at != 0 {
		x.Last = time.Unix(0, at)
	}
	if len(x.Keys) > 0 {
		return
	}
	if err := keys.check(r.Origin()); err != nil {
		x.Keys = append(x.Keys, err)
	}
}

// nearest is the directory, or the one above it that exists.
func nearest(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return "", fmt.Errorf("%w: %s is a file", ErrForeign, path)
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		path = filepath.Dir(path)
	}
}

// probePrefix begins the names of files that a probe writes and removes. One that a
// killed process left behind does no harm.
const probePrefix = ".esper-probe-"

// probeDisk does what the log and the emergency signal do, with files of its own:
// write, sync, rename, sync the directory, map a file for writing.
func probeDisk(dir string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write to %s as a data directory must be: %w", dir, err)
		}
	}()
	f, err := os.CreateTemp(dir, probePrefix)
	if err != nil {
		return err
	}
	moved := f.Name() + tempSuffix
	defer func() { err = errors.Join(err, f.Close(), removeAll(f.Name(), moved)) }()
	if _, err := f.Write([]byte("probe")); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), moved); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("cannot sync a directory: %w", err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, len("probe"), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("cannot map a file: %w", err)
	}
	return unix.Munmap(mem)
}

func removeAll(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// CheckKernel reports whether a file of the kernel store is not the kernel that was
// registered under its name. That there is none is no error: it is installed.
func CheckKernel(path, name string, digest leyline.Digest) error {
	at := filepath.Join(path, kernelsName, name)
	b, err := os.ReadFile(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot read the kernel %s: %w", at, err)
	}
	if got := leyline.Digest(sha256.Sum256(b)); got != digest {
		return fmt.Errorf("the kernel %s has digest %s, the registered one is %s", at, got.Short(), digest.Short())
	}
	return nil
}

// CheckExport reports everything that keeps checkpoints from being handed on as a
// configuration says: a directory that is not there or cannot be written to, a
// program that is not found. Open looks at the directory only: the program may be
// there when the first checkpoint is.
func CheckExport(c leyline.LogConfig) error {
	problems := exportDirProblems(c.CheckpointDir)
	if len(c.CheckpointCommand) > 0 {
		if _, err := exec.LookPath(c.CheckpointCommand[0]); err != nil {
			// constant: local because the key is a struct tag in leyline, which code cannot refer to.
			problems = append(problems, leyline.ConfigProblem{Key: "log.checkpoint_command", Reason: "cannot be run: " + err.Error(),
				Fix: "name a program that is there and executable"})
		}
	}
	return mistakes(problems)
}

// CheckReports reports why field reports cannot be delivered to the configured
// directory; "" is none.
func CheckReports(dir string) error {
	reason := exportDirReason(dir)
	if reason == "" {
		return nil
	}
	// constant: local because the key is a struct tag in leyline, which code cannot refer to.
	return mistakes([]leyline.ConfigProblem{{Key: "tamiyo.report_dir", Reason: reason,
		Fix: "make the directory, or name one that exists; a relative path begins where esper is started"}})
}

// mistakes is nil when there are none.
func mistakes(problems []leyline.ConfigProblem) error {
	if len(problems) == 0 {
		return nil
	}
	return &leyline.ConfigError{Problems: problems}
}

// exportDirProblems refuses a directory for checkpoints that is not there: it is
// made by whoever decides who may write to it.
func exportDirProblems(dir string) []leyline.ConfigProblem {
	reason := exportDirReason(dir)
	if reason == "" {
		return nil
	}
	// constant: local because the key is a struct tag in leyline, which code cannot refer to.
	return []leyline.ConfigProblem{{Key: "log.checkpoint_dir", Reason: reason,
		Fix: "make the directory, or name one that exists; a relative path begins where esper is started"}}
}

func exportDirReason(dir string) string {
	if dir == "" {
		return ""
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return "is " + strconv.Quote(dir) + ", which does not exist"
	case err != nil:
		return "cannot be used: " + err.Error()
	case !info.IsDir():
		return "is " + strconv.Quote(dir) + ", which is a file"
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return "is " + strconv.Quote(dir) + ", which cannot be written to: " + err.Error()
	}
	return ""
}
