package plane

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// Layout of the emergency signal: 64 bytes, little-endian (DESIGN.md section 8).
const (
	signalSize    = 64
	offFlag       = 4  // u8: 1 when the level is above L1
	offLevel      = 5  // u8
	offReasonLen  = 6  // u8
	offVersion    = 7  // u8
	offMonotonic  = 8  // u64, milliseconds
	offReason     = 16 // up to 48 bytes
	signalVersion = 1
)

// FileSignal is the emergency signal in a memory-mapped file, so that a trainer
// polls one byte per step instead of a socket. A sequence lock in the first
// four bytes (odd while being written) keeps readers from a torn reason.
type FileSignal struct {
	file *os.File
	mem  []byte
	from time.Time
}

// OpenSignal maps the signal file at path, creating it if needed.
func OpenSignal(path string) (*FileSignal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the emergency signal: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("the emergency signal %s is no regular file", path), err, f.Close())
	}
	if err := f.Truncate(signalSize); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot size the emergency signal: %w", err), f.Close())
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, signalSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot map the emergency signal: %w", err), f.Close())
	}
	return &FileSignal{file: f, mem: mem, from: time.Now()}, nil
}

func (s *FileSignal) lock() *uint32 { return (*uint32)(unsafe.Pointer(&s.mem[0])) }

// Set publishes a level. A reason longer than 48 bytes is cut. One goroutine
// may call Set at a time.
func (s *FileSignal) Set(level leyline.EmergencyLevel, reason string) error {
	if s.mem == nil {
		return errors.New("the emergency signal is closed")
	}
	seq := atomic.LoadUint32(s.lock()) | 1 // a writer that died left it odd: stay odd, then move on
	atomic.StoreUint32(s.lock(), seq)
	n := copy(s.mem[offReason:], reason)
	clear(s.mem[offReason+n:])
	s.mem[offReasonLen], s.mem[offVersion], s.mem[offLevel] = byte(n), signalVersion, byte(level)
	ms := uint64(time.Since(s.from) / time.Millisecond)
	for i := range 8 {
		s.mem[offMonotonic+i] = byte(ms >> (8 * i))
	}
	s.mem[offFlag] = 0
	if level > leyline.EmergencyNotice {
		s.mem[offFlag] = 1
	}
	atomic.StoreUint32(s.lock(), seq+1)
	return nil
}

// Get returns what is published. It fails when the signal is being written for
// longer than any writer needs, which means that a writer died in the middle.
func (s *FileSignal) Get() (leyline.EmergencyLevel, string, error) {
	if s.mem == nil {
		return 0, "", errors.New("the emergency signal is closed")
	}
	for range 1000 {
		before := atomic.LoadUint32(s.lock())
		level := leyline.EmergencyLevel(s.mem[offLevel])
		reason := string(s.mem[offReason : offReason+min(int(s.mem[offReasonLen]), signalSize-offReason)])
		if before&1 == 0 && atomic.LoadUint32(s.lock()) == before {
			return level, reason, nil
		}
	}
	return 0, "", errors.New("the emergency signal was left half-written")
}

// Close unmaps the file; the signal stays published. It may be called twice.
func (s *FileSignal) Close() error {
	if s.mem == nil {
		return nil
	}
	err := unix.Munmap(s.mem)
	s.mem = nil
	return errors.Join(err, s.file.Close())
}
