package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// sealsAhead is how many segments may wait for their seal. A writer that is
// faster than that waits for the disk.
const sealsAhead = 2

// sealer writes the hashes and the seals of segments that are full, in a
// goroutine of its own: nothing that is acknowledged depends on them.
type sealer struct {
	hashes, seals disk.File
	end           int64 // where the next seal goes
	jobs          chan freshSeal
	idle          sync.WaitGroup
	closed        bool
	failure       atomic.Pointer[error]
}

// startSealer opens the two files, cuts what is no seal off the end of theirs,
// and stores the seals that the scan has made.
func startSealer(fsys disk.FS, dir string, v *survey) (*sealer, error) {
	s := &sealer{end: v.after, jobs: make(chan freshSeal, sealsAhead)}
	var err error
	if s.hashes, err = openSynced(fsys, dir, hashesName); err != nil {
		return nil, err
	}
	if s.seals, err = openSynced(fsys, dir, sealsName); err != nil {
		return nil, errors.Join(err, s.hashes.Close())
	}
	if err := s.prepare(v); err != nil {
		return nil, errors.Join(err, s.hashes.Close(), s.seals.Close())
	}
	s.idle.Go(s.run)
	return s, nil
}

func (s *sealer) prepare(v *survey) error {
	if v.clean == nil {
		// What was read may exist only in the page cache; see mend.
		var lines []byte
		for i := range v.seals {
			lines = append(lines, v.seals[i].String()...)
		}
		if _, err := s.seals.WriteAt(lines, 0); err != nil {
			return err
		}
	}
	info, err := s.seals.Stat()
	if err != nil {
		return err
	}
	if v.clean == nil || info.Size() != s.end {
		if err := s.seals.Truncate(s.end); err != nil {
			return err
		}
		if err := s.seals.Sync(); err != nil {
			return err
		}
	}
	for _, f := range v.fresh {
		if err := s.store(f); err != nil {
			return err
		}
	}
	return nil
}

// openSynced opens a file for writing and makes its name durable.
func openSynced(fsys disk.FS, dir, name string) (disk.File, error) {
	path := filepath.Join(dir, name)
	there, err := exists(path)
	if err != nil {
		return nil, err
	}
	f, err := fsys.OpenFile(path, os.O_CREATE|os.O_RDWR, filePerm)
	if err != nil || there {
		return f, err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// store writes one seal: the hashes first, because the seal says that they are
// there.
func (s *sealer) store(f freshSeal) error {
	if _, err := s.hashes.WriteAt(encodeHashes(f.hashes), hashesLen(f.seal.first-1)); err != nil {
		return err
	}
	if err := s.hashes.Sync(); err != nil {
		return err
	}
	line := f.seal.String()
	if _, err := s.seals.WriteAt([]byte(line), s.end); err != nil {
		return err
	}
	s.end += int64(len(line))
	return s.seals.Sync()
}

func (s *sealer) run() {
	for f := range s.jobs {
		if s.failed() != nil {
			continue
		}
		if err := s.store(f); err != nil {
			s.failure.Store(&err)
		}
	}
}

// failed returns why a seal could not be written, nil if none failed.
func (s *sealer) failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// close waits until all seals are written. It may be called more than once.
func (s *sealer) close() error {
	if !s.closed {
		s.closed = true
		close(s.jobs)
		s.idle.Wait()
		if err := errors.Join(s.hashes.Close(), s.seals.Close()); err != nil && s.failed() == nil {
			s.failure.Store(&err)
		}
	}
	return s.failed()
}
