package faultdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

var _ disk.FS = (*Disk)(nil)

// below locks the Disk if a name is below the root, and says how to go on:
// with the relative name and an unlock function, or if that is nil with err,
// or if that is nil too with package disk's OS.
func (d *Disk) below(name string) (rel string, unlock func(), err error) {
	rel, ok := d.rel(name)
	d.mu.Lock()
	if ok && !d.stopped {
		return rel, d.mu.Unlock, nil
	}
	defer d.mu.Unlock()
	if d.stopped {
		return "", nil, ErrStopped
	}
	return "", nil, nil
}

// change carries out an operation that changes names, as its fault allows.
func (d *Disk) change(op Op, act func() error) (*Fault, error) {
	f, err := d.begin(op)
	if err != nil {
		return nil, err
	}
	defer d.end()
	if f.skip() {
		return f, nil
	}
	err = act()
	return f, also(err, d.observe(false))
}

// also joins errors only if there are two, so as to return those of package os
// as they are.
func also(err, second error) error {
	if err == nil {
		return second
	}
	if second == nil {
		return err
	}
	return errors.Join(err, second)
}

// changeName is change for an operation on one name.
func (d *Disk) changeName(kind Kind, name string, act func(rel string) error, outside func() error) error {
	rel, unlock, err := d.below(name)
	if err != nil {
		return err
	}
	if unlock == nil {
		return outside()
	}
	defer unlock()
	f, err := d.change(Op{Kind: kind, Name: rel}, func() error { return act(rel) })
	return f.fault(kind, name, err)
}

// Mkdir implements disk.FS.
func (d *Disk) Mkdir(name string, perm fs.FileMode) error {
	mkdir := func() error { return os.Mkdir(name, perm) }
	return d.changeName(Mkdir, name, func(string) error { return mkdir() }, mkdir)
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	remove := func() error { return os.Remove(name) }
	return d.changeName(Remove, name, func(string) error { return remove() }, remove)
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir(name string) error {
	return d.changeName(SyncDir, name, func(rel string) error {
		if err := d.observe(false); err != nil {
			return err
		}
		n := d.lookup(rel)
		if n == nil {
			return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
		}
		if !n.dir {
			return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
		}
		n.syncNames()
		return nil
	}, func() error { return disk.OS{}.SyncDir(name) })
}

// Rename implements disk.FS.
func (d *Disk) Rename(from, to string) error {
	rel, unlock, err := d.below(from)
	if err != nil {
		return err
	}
	relTo, toBelow := d.rel(to)
	if unlock != nil {
		defer unlock()
	}
	if toBelow != (unlock != nil) {
		return fmt.Errorf("faultdisk: cannot rename %s to %s across the root", from, to)
	}
	if unlock == nil {
		return os.Rename(from, to)
	}
	f, err := d.change(Op{Kind: Rename, Name: rel, To: relTo}, func() error { return os.Rename(from, to) })
	if cause := f.cause(); cause != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: cause}
	}
	return err
}

// RemoveAll implements disk.FS. Every name removed is an operation, the one
// given the last of them; it is counted also if it did not exist.
func (d *Disk) RemoveAll(name string) error {
	_, unlock, err := d.below(name)
	if err != nil {
		return err
	}
	if unlock == nil {
		return os.RemoveAll(name)
	}
	defer unlock()
	return d.removeAll(filepath.Clean(name))
}

func (d *Disk) removeAll(name string) error {
	// An error means that it is no directory, or that Remove will fail too.
	entries, _ := os.ReadDir(name)
	for _, e := range entries {
		if err := d.removeAll(filepath.Join(name, e.Name())); err != nil {
			return err
		}
	}
	rel, _ := d.rel(name)
	f, err := d.change(Op{Kind: RemoveAll, Name: rel}, func() error {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return f.fault(RemoveAll, name, err)
}

// OpenFile implements disk.FS.
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	rel, unlock, err := d.below(name)
	if err != nil {
		return nil, err
	}
	if unlock == nil {
		return disk.OS{}.OpenFile(name, flag, perm)
	}
	defer unlock()
	if !creates(name, flag) {
		f, err := d.openFile(rel, name, flag, perm)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	var opened *file
	fault, err := d.change(Op{Kind: Create, Name: rel}, func() (err error) {
		opened, err = d.openFile(rel, name, flag, perm)
		return err
	})
	if err = fault.fault("open", name, err); err == nil {
		return opened, nil
	}
	if opened != nil {
		delete(d.open, opened)
		opened.f.Close()
	}
	return nil, err
}

// creates reports whether opening a file will create or truncate it.
func creates(name string, flag int) bool {
	_, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return flag&os.O_CREATE != 0
	}
	exclusive := flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0
	return flag&os.O_TRUNC != 0 && !exclusive
}

func (d *Disk) openFile(rel, name string, flag int, perm fs.FileMode) (*file, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	opened := &file{d: d, f: f, rel: rel}
	info, err := f.Stat()
	if err == nil {
		opened.node, err = d.resolve(rel, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if flag&os.O_TRUNC != 0 {
		opened.node.truncate(d.next(), 0)
	}
	d.open[opened] = true
	return opened, nil
}
