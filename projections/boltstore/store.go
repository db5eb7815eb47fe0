// Package boltstore keeps the stored form of a projection together with the
// position in the log that it was computed from, in one bbolt file.
//
// The file is a cache. It may be deleted at any time: the log holds everything,
// and a projection is rebuilt from its beginning. Therefore nothing is repaired
// here, and nothing is trusted unchecked: bbolt has checksums for its two meta
// pages only, so every entry carries a SHA-256 over its position and its blob.
//
// # File
//
// One bucket, named after the format. A key is a serial number, 8 bytes
// big-endian, that rises with every save; the two newest are kept. A value is,
// with integers big-endian,
//
//	SHA-256 of (key and everything behind this field)  32 bytes
//	decider version                                     4 bytes
//	sequence                                            8 bytes
//	time                                                8 bytes
//	leaf                                               32 bytes
//	blob                                               the rest
//
// # Crashes
//
// A save is one bbolt transaction: data pages, sync, meta page, sync. A process
// that dies before the meta page is whole leaves the entries from before the
// save, one that dies later leaves those from after it. An entry whose pages
// were damaged fails its checksum, and Load falls back to the one before it.
package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/esper-plane/esper/leyline"
)

// When a store cannot be used.
var (
	// ErrDamaged means that the file, or an entry in it, is not what Save wrote.
	// The file can be deleted and the projection rebuilt from the log.
	ErrDamaged = errors.New("the projection store is damaged or is another kind of file")
	// ErrLocked means that another process, or another Store, has the file open.
	ErrLocked = errors.New("the projection store is in use")
	// ErrClosed means that Close was called before.
	ErrClosed = errors.New("the projection store is closed")
)

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// keep is the number of entries that Save leaves.
const keep = 2

// bucketName names the format. Another format gets another name, so that an
// older program finds a foreign file and not entries that it misreads.
var bucketName = []byte("esper projection v0")

// Anchor is a position in the log. Leaf names the record's exact bytes, so a
// projection of a log that was cut or replaced is noticed.
type Anchor struct {
	Seq  leyline.Seq     // of the last record folded
	Leaf leyline.Digest  // SHA-256 of that record's log frame
	At   leyline.Instant // of that record
}

// Store is an open file. Its methods may be called by several goroutines at
// once; they run one at a time.
type Store struct {
	mu   sync.Mutex
	path string
	file *os.File // the one db uses; closed directly when db cannot be
	db   *bolt.DB // nil once closed
	lost bool     // bbolt panicked: its locks are in an unknown state
	done bool     // Close was called
}

// Open opens the file at path and makes it if there is none. It waits up to a
// second for the file's lock, then gives ErrLocked. A file that cannot be
// trusted is ErrDamaged. Any other error is the operating system's.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	err := s.guarded(s.open)
	if err == nil {
		err = s.guarded(s.claim)
	}
	if err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	db, err := bolt.Open(s.path, 0o600, &bolt.Options{
		Timeout:      lockWait,
		FreelistType: bolt.FreelistArrayType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			s.file = f
			return f, err
		},
	})
	var system syscall.Errno
	switch {
	case err == nil:
		s.db = db
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("cannot open %s: %w by another process", s.path, ErrLocked)
	case errors.As(err, &system):
		return fmt.Errorf("cannot open %s: %w", s.path, err)
	}
	return s.damaged(err.Error())
}

// claim makes the bucket in an empty file and demands it in any other. A file
// that is already ours is not written to.
func (s *Store) claim() error {
	empty := false
	err := s.db.View(func(tx *bolt.Tx) error {
		first, _ := tx.Cursor().First()
		empty = first == nil
		if !empty && tx.Bucket(bucketName) == nil {
			return s.damaged(fmt.Sprintf("it holds %q, not a projection of this version", first))
		}
		return nil
	})
	if err != nil || !empty {
		return err
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(bucketName)
		return err
	})
}

// Save stores a blob computed from the records up to and including a, by rules
// of the given decider version. It is durable on return. The two newest saves
// are kept, whatever their positions: a log that was cut back has newer saves
// with lower sequences.
func (s *Store) Save(a Anchor, decider uint32, blob []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketName)
			serial, err := b.NextSequence()
			if err != nil {
				return err
			}
			key := binary.BigEndian.AppendUint64(nil, serial)
			if err := b.Put(key, encodeEntry(key, a, decider, blob)); err != nil {
				return err
			}
			return prune(b)
		})
	})
	if err != nil {
		return fmt.Errorf("cannot save the projection at record %d: %w", a.Seq, err)
	}
	return nil
}

// prune deletes all but the newest entries.
func prune(b *bolt.Bucket) error {
	var old [][]byte
	seen := 0
	c := b.Cursor()
	for k, _ := c.Last(); k != nil; k, _ = c.Prev() {
		if seen++; seen > keep {
			old = append(old, append([]byte(nil), k...))
		}
	}
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Load returns the newest intact entry: its position, its decider version and
// a copy of its blob.
//
//	true, nil         the newest entry
//	true, ErrDamaged  the entry before it; the newest failed its checks
//	false, nil        nothing has been saved
//	false, ErrDamaged no entry is intact; delete the file and rebuild
//
// Whether the position still exists in the log is for the caller to check.
func (s *Store) Load() (Anchor, uint32, []byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e entry
	var found bool
	var refused error
	err := s.guarded(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketName).Cursor()
			for k, v := c.Last(); k != nil && !found; k, v = c.Prev() {
				var bad error
				if e, bad = decodeEntry(k, v); bad == nil {
					found = true
				} else if refused == nil {
					refused = s.damaged(bad.Error())
				}
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return Anchor{}, 0, nil, false, fmt.Errorf("cannot load the projection: %w", err)
	case !found:
		return Anchor{}, 0, nil, false, refused
	}
	return e.anchor, e.decider, e.blob, true, refused
}

// Close releases the file. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	db, file := s.db, s.file
	s.db, s.file, s.done = nil, nil, true
	switch {
	case s.lost && file != nil:
		// bbolt's Close could wait for ever for a lock that died with the panic.
		// Its map stays and would keep the file locked, so the lock goes first.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
		return nil
	case db != nil:
		return db.Close()
	}
	return nil
}

// guarded runs f, which calls bbolt. On damaged pages bbolt panics or reads
// behind the end of its map; both become ErrDamaged, and the store accepts
// nothing more.
func (s *Store) guarded(f func() error) (err error) {
	switch {
	case s.done:
		return ErrClosed
	case s.lost:
		return s.damaged("an earlier call met a damaged page")
	}
	faults := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(faults)
		if r := recover(); r != nil {
			s.lost = true
			err = s.damaged(fmt.Sprint(r))
		}
	}()
	return f()
}

func (s *Store) damaged(why string) error {
	return fmt.Errorf("%w: %s: %s", ErrDamaged, s.path, why)
}
