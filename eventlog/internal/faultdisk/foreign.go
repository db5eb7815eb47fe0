package faultdisk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Foreign runs f, which changes files below the root through package os, as
// one operation. The name, relative or absolute, is only for Op.Name. Files
// whose content changes become dirty, and names that come and go are not
// durable before SyncDir.
//
// A fault without Stored and Short keeps f from running. With Stored f is run
// and the error of the fault returned. With Short f is run, then the bytes by
// which files grew are cut back to the fraction, in the order of the names of
// the files. Handles of f keep their position, so if it goes on writing it
// leaves a gap.
//
// No other operation can run meanwhile, and f must not use the Disk.
func (d *Disk) Foreign(name string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fault, err := d.begin(Op{Kind: Foreign, Name: d.label(name)})
	if err != nil {
		return err
	}
	defer d.end()
	if fault.skip() && fault.Short <= 0 {
		return fault.fault(Foreign, name, nil)
	}
	if fault.skip() {
		// Else what was written before would be cut back too.
		if err := d.observe(true); err != nil {
			return err
		}
	}
	return fault.fault(Foreign, name, d.runForeign(fault, f))
}

func (d *Disk) runForeign(fault *Fault, f func() error) error {
	if err := d.observe(false); err != nil {
		return err
	}
	release, err := d.pin()
	if err != nil {
		return err
	}
	defer release()
	err = f()
	grown, total, growthErr := d.growth()
	d.ops[len(d.ops)-1].Bytes = total
	if keep := fault.share(total); keep < total {
		growthErr = also(growthErr, cutBack(grown, keep))
	}
	return also(err, also(growthErr, d.observe(true)))
}

// ForeignSync runs f, which may be nil, as a Sync of the files that have or
// are below a name: what they hold after f is durable, unless a fault has it
// otherwise. It is for syncs that a library makes itself. Names need SyncDir.
func (d *Disk) ForeignSync(name string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fault, err := d.begin(Op{Kind: Sync, Name: d.label(name)})
	if err != nil {
		return err
	}
	defer d.end()
	if f != nil && !fault.skip() {
		err = d.runForeign(nil, f)
	}
	if err == nil {
		err = d.syncBelow(d.label(name), fault)
	}
	return fault.fault(Sync, name, err)
}

func (d *Disk) syncBelow(rel string, fault *Fault) error {
	if err := d.observe(false); err != nil {
		return err
	}
	top := d.lookup(rel)
	if top == nil {
		return &fs.PathError{Op: "sync", Path: rel, Err: fs.ErrNotExist}
	}
	if !top.dir {
		return d.syncNode(top, fault)
	}
	for _, n := range walk(top, "") {
		if n.dir {
			continue
		}
		if err := d.syncNode(n, fault); err != nil {
			return err
		}
	}
	return nil
}

// pin keeps the inode numbers of all known nodes from being used again.
func (d *Disk) pin() (release func(), err error) {
	var files []*os.File
	release = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for path := range walk(d.root, d.path) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // others removed it just now
		}
		if err != nil {
			release()
			return nil, err
		}
		files = append(files, f)
	}
	return release, nil
}

// label is the relative name, if an absolute one was given.
func (d *Disk) label(name string) string {
	if filepath.IsAbs(name) {
		name, _ = d.rel(name)
	}
	return filepath.Clean(name)
}

// growth is where a file became longer.
type growth struct {
	path     string
	from, to int
}

// growth compares the lengths of all files with those recorded.
func (d *Disk) growth() (grown []growth, total int, err error) {
	known := d.known()
	err = filepath.WalkDir(d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		g := growth{path: path, to: int(info.Size())}
		if n := known[keyOf(info)]; n != nil {
			g.from = len(n.live)
		}
		if g.to > g.from {
			grown = append(grown, g)
			total += g.to - g.from
		}
		return nil
	})
	return grown, total, err
}

func cutBack(grown []growth, keep int) error {
	for _, g := range grown {
		n := min(keep, g.to-g.from)
		keep -= n
		if err := os.Truncate(g.path, int64(g.from+n)); err != nil {
			return err
		}
	}
	return nil
}
