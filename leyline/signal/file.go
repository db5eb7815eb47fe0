package signal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now reads CLOCK_MONOTONIC, the clock that the page is stamped with.
func Now() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("cannot read the monotonic clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// Check reports why OpenWriter would refuse the file at path, and changes nothing.
// That there is none is no error, nor that a writer has it open.
func Check(path string) error {
	f, size, err := open(path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if size != 0 && size != Size {
		err = madeAnew(path, size)
	}
	return errors.Join(err, f.Close())
}

// open opens the file at path, which is neither a link nor anything but a file.
func open(path string, flag int) (*os.File, int64, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot open the emergency signal: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no regular file", ErrFile, path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// wrongSize tells of a file that is not as long as a page.
func wrongSize(path string, size int64) error {
	return fmt.Errorf("%w: %s has %d bytes; want %d", ErrFile, path, size, Size)
}

// madeAnew is wrongSize for who may write.
func madeAnew(path string, size int64) error {
	return fmt.Errorf("%w; remove it while nobody uses it, and it is made anew", wrongSize(path, size))
}

// mapping is a mapped page and the memory to give back.
type mapping struct {
	*page
	memory []byte
}

// mapPage maps a file of the right length. A mapping begins at the start of a
// page of the machine, so the words are aligned.
func mapPage(f *os.File, protection int) (mapping, error) {
	m, err := unix.Mmap(int(f.Fd()), 0, Size, protection, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("cannot map the emergency signal: %w", err)
	}
	return mapping{page: (*page)(unsafe.Pointer(&m[0])), memory: m}, nil
}

// unmap may be called twice.
func (m *mapping) unmap() error {
	if m.page == nil {
		return nil
	}
	err := unix.Munmap(m.memory)
	*m = mapping{}
	return err
}

// guarded calls do, which touches a page, and turns a fault of the memory into
// an error. Without this the process would end.
func guarded(do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface {
			error
			Addr() uintptr
		}: // its text is about an address, which tells nobody anything
			err = fmt.Errorf("%w: it was cut short, or its disk failed", ErrFault)
		default:
			panic(r)
		}
	}()
	do()
	return nil
}
