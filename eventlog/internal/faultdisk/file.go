package faultdisk

import (
	"io"
	"io/fs"
	"os"
)

// file implements disk.File.
type file struct {
	d    *Disk
	f    *os.File
	node *node
	rel  string // the name it was opened by
}

// Name implements disk.File.
func (f *file) Name() string { return f.f.Name() }

// ReadAt implements disk.File.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.stopped {
		return 0, ErrStopped
	}
	return f.f.ReadAt(b, off)
}

// Stat implements disk.File.
func (f *file) Stat() (fs.FileInfo, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.stopped {
		return nil, ErrStopped
	}
	return f.f.Stat()
}

// Close implements disk.File. It also closes when the process is dead, since
// the real one is not.
func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	delete(f.d.open, f)
	err := f.f.Close()
	if f.d.stopped {
		return ErrStopped
	}
	return err
}

// Write implements disk.File.
func (f *file) Write(b []byte) (int, error) {
	return f.write(b, func(b []byte) (n int, off int64, err error) {
		n, err = f.f.Write(b)
		// Where a file opened for appending was written shows only now.
		end, seekErr := f.f.Seek(0, io.SeekCurrent)
		return n, end - int64(n), also(err, seekErr)
	})
}

// WriteAt implements disk.File.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	return f.write(b, func(b []byte) (int, int64, error) {
		n, err := f.f.WriteAt(b, off)
		return n, off, err
	})
}

func (f *file) write(b []byte, write func([]byte) (n int, off int64, err error)) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	fault, err := f.d.begin(Op{Kind: Write, Name: f.rel, Bytes: len(b)})
	if err != nil {
		return 0, err
	}
	defer f.d.end()
	part := b[:fault.share(len(b))]
	n, off, err := write(part)
	if n > 0 {
		f.node.write(f.d.next(), int(off), part[:n])
	}
	if fault != nil && fault.Stored {
		n = 0
	}
	return n, fault.fault(Write, f.Name(), err)
}

// Truncate implements disk.File.
func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	fault, err := f.d.begin(Op{Kind: Truncate, Name: f.rel, Bytes: int(size)})
	if err != nil {
		return err
	}
	defer f.d.end()
	if !fault.skip() {
		if err = f.f.Truncate(size); err == nil {
			f.node.truncate(f.d.next(), int(size))
		}
	}
	return fault.fault(Truncate, f.Name(), err)
}

// Sync implements disk.File.
func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	fault, err := f.d.begin(Op{Kind: Sync, Name: f.rel})
	if err != nil {
		return err
	}
	defer f.d.end()
	if _, err := f.f.Stat(); err != nil {
		return err // it is closed
	}
	return fault.fault(Sync, f.Name(), f.d.syncNode(f.node, fault))
}

// syncNode syncs one file, including what others have written to it.
func (d *Disk) syncNode(n *node, fault *Fault) error {
	for path, m := range walk(d.root, d.path) {
		if m != n {
			continue
		}
		if err := d.read(n, path); err != nil {
			return err
		}
		break
	}
	if fault.skip() {
		n.forget()
	} else {
		n.sync()
	}
	return nil
}
