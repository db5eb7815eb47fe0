package signal

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// Signal is what is published.
type Signal struct {
	Level  leyline.EmergencyLevel // unset: nothing was ever published
	Flag   bool                   // the level is above L1
	Reason string                 // at most MaxReason bytes of UTF-8; none at L1
	At     time.Duration          // when it was published: whole milliseconds of CLOCK_MONOTONIC
	// Age is how long ago that was, on the same clock. It is below zero when the
	// machine was started anew since, and means nothing then even if it is not; a
	// plane that starts stamps the page again.
	Age time.Duration
}

// Reader sees the emergency signal of another process. Its methods, but for
// Close, may be called by several goroutines at the same time.
type Reader struct{ mapping mapping }

// Open maps the signal file at path for reading. The file must be there: a writer
// makes it. It is ErrFile when it is not a regular file of 64 bytes.
func Open(path string) (_ *Reader, err error) {
	f, size, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // the mapping stays
	if size != Size {
		return nil, wrongSize(path, size)
	}
	m, err := mapPage(f, unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	return &Reader{m}, nil
}

// Raised reports whether the level is above L1. It is one load and allocates
// nothing. Unlike Load it also says so of a halt that is being written, or whose
// writer died before it was done. It panics after Close.
func (r *Reader) Raised() bool { return r.mapping.raised() }

// Load returns what is published. While a writer is at work it tries again, for
// about 20 ms on an idle machine; then the error is ErrHalfWritten. The others are
// ErrVersion, ErrLevel, ErrMalformed, ErrFault, and ErrClosed after Close.
func (r *Reader) Load() (Signal, error) { return r.mapping.load(hurriedTries + patientTries) }

// How often a page is copied before it counts as half-written: a writer needs
// less than a microsecond, and a few milliseconds if it loses its turn in between.
const (
	hurriedTries = 100
	patientTries = 100
	patience     = 100 * time.Microsecond // before every patient try, at least
)

// load copies, decodes and dates the page, in that many tries.
func (m *mapping) load(tries int) (Signal, error) {
	if m.page == nil {
		return Signal{}, ErrClosed
	}
	w, err := m.settled(tries)
	if err != nil {
		return Signal{}, err
	}
	s, err := decode(w)
	if err != nil || s.Level == leyline.EmergencyUnspecified {
		return s, err
	}
	now, err := Now()
	s.Age = now - s.At
	return s, err
}

// settled copies a page between two publications.
func (m *mapping) settled(tries int) (w words, err error) {
	whole := false
	for try := 0; try < tries && !whole && err == nil; try++ {
		if try >= hurriedTries {
			time.Sleep(patience)
		}
		err = guarded(func() { w, whole = m.copy() })
	}
	if err == nil && !whole {
		err = ErrHalfWritten
	}
	return w, err
}

// Close unmaps the file. No other method may be running. It may be called twice.
func (r *Reader) Close() error { return r.mapping.unmap() }
