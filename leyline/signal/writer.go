package signal

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// Writer publishes an emergency. Its methods may be called by several goroutines.
type Writer struct {
	file *os.File // holds the lock

	mu      sync.Mutex
	mapping mapping
}

// OpenWriter opens the signal file at path, or makes it, readable by its owner
// only. What was published before stays until the first Set. There is one writer
// at a time: otherwise the error is ErrInUse. A file of another length is left as
// it is: ErrFile.
func OpenWriter(path string) (*Writer, error) {
	f, size, err := open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: f}
	if err := w.take(path, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// take locks and maps the file.
func (w *Writer) take(path string, size int64) error {
	switch err := unix.Flock(int(w.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("%w: %s", ErrInUse, path)
	case err != nil:
		return fmt.Errorf("cannot lock the emergency signal: %w", err)
	}
	// Zeros that are written have their place on the disk. A file that was only
	// made longer gets it at the first store, which kills the process if the disk
	// is full.
	if size == 0 {
		if _, err := w.file.WriteAt(make([]byte, Size), 0); err != nil {
			return fmt.Errorf("cannot make the emergency signal: %w", err)
		}
		size = Size
	}
	if size != Size {
		return madeAnew(path, size)
	}
	var err error
	w.mapping, err = mapPage(w.file, unix.PROT_READ|unix.PROT_WRITE)
	return err
}

// Set publishes a level and a reason, which is cut to MaxReason bytes at the end
// of a rune. At L1 there is no reason: it is a Clear. A level that is not one of
// leyline's is refused. On ErrFault the file may be half-written. Should the clock
// fail, the level is published without a time all the same, and the error says so.
func (w *Writer) Set(level leyline.EmergencyLevel, reason string) error {
	if err := level.Validate(); err != nil {
		return fmt.Errorf("cannot set the emergency signal: the level %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mapping.page == nil {
		return ErrClosed
	}
	at, err := Now()
	return errors.Join(guarded(func() { w.mapping.publish(encode(level, reason, at)) }), err)
}

// Clear publishes that nothing is wrong: L1, no flag, no reason, and the time.
func (w *Writer) Clear() error { return w.Set(leyline.EmergencyNotice, "") }

// Get returns the level and the reason that are published; the level is unset if
// none ever was. The errors are those of Reader.Load, and ErrFault also when nobody
// else can open the file any more, because it was removed or has another length.
func (w *Writer) Get() (leyline.EmergencyLevel, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.mapping.load(1)
	if err == nil {
		err = w.findable()
	}
	return s.Level, s.Reason, err
}

// findable reports why a reader would not find what is published.
func (w *Writer) findable() error {
	var st unix.Stat_t
	switch err := unix.Fstat(int(w.file.Fd()), &st); {
	case err != nil:
		return fmt.Errorf("cannot look at the file of the emergency signal: %w", err)
	case st.Nlink == 0:
		return fmt.Errorf("%w: it was removed", ErrFault)
	case st.Size != Size:
		return fmt.Errorf("%w: it has %d bytes; want %d", ErrFault, st.Size, Size)
	}
	return nil
}

// Close unmaps the file and lets another writer in; what is published stays. It
// may be called twice.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mapping.page == nil {
		return nil
	}
	return errors.Join(w.mapping.unmap(), w.file.Close())
}
