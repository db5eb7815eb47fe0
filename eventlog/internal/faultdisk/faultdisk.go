package faultdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// ErrStopped is what every operation returns once the simulated process is
// dead.
var ErrStopped = errors.New("faultdisk: the process has stopped")

// Kind is what an operation does.
//
// enum: local because it is about a simulation of which nothing is stored.
type Kind string

// The kinds of operations.
const (
	Create    Kind = "create" // OpenFile, if it creates or truncates
	Write     Kind = "write"
	Truncate  Kind = "truncate"
	Sync      Kind = "sync" // also ForeignSync
	Rename    Kind = "rename"
	Remove    Kind = "remove"
	RemoveAll Kind = "removeall" // one for every name removed, the deepest first
	Mkdir     Kind = "mkdir"
	SyncDir   Kind = "syncdir"
	Foreign   Kind = "foreign"
)

// Op is one operation that changes something, or was to.
type Op struct {
	N    int // the first one is 1
	Kind Kind
	// Name is relative to the root; for an open file it is the name by which
	// it was opened.
	Name string
	// To is the new name in a Rename.
	To string
	// Bytes is the length of a Write, the size of a Truncate, and the number
	// of bytes by which files grew in a Foreign.
	Bytes int
}

func (o Op) String() string {
	switch o.Kind {
	case Rename:
		return fmt.Sprintf("%d: rename %s to %s", o.N, o.Name, o.To)
	case Write, Truncate, Foreign:
		return fmt.Sprintf("%d: %s %s (%d bytes)", o.N, o.Kind, o.Name, o.Bytes)
	}
	return fmt.Sprintf("%d: %s %s", o.N, o.Kind, o.Name)
}

// Fault says what happens to one operation, which otherwise has no effect.
type Fault struct {
	// Err is the cause of the error returned, which is an *fs.PathError or an
	// *os.LinkError as package os would return. The default is syscall.EIO.
	Err error
	// Stored has the operation carried out all the same. After a Sync the
	// content is durable although the error is returned.
	Stored bool
	// Short is the fraction, between 0 and 1, of the bytes of a Write that are
	// written before the error. In a Foreign it applies to the bytes by which
	// files grew, in the order of their names. Other kinds ignore it.
	Short float64
}

// share returns how many of n bytes are to be written.
func (f *Fault) share(n int) int {
	if f == nil || f.Stored {
		return n
	}
	return min(max(int(f.Short*float64(n)), 0), n)
}

// cause is nil if there is no fault.
func (f *Fault) cause() error {
	if f == nil {
		return nil
	}
	if f.Err == nil {
		return syscall.EIO
	}
	return f.Err
}

// fault returns the error of an operation on a name, which is err unless a
// fault hides it.
func (f *Fault) fault(op Kind, name string, err error) error {
	if f == nil {
		return err
	}
	return &fs.PathError{Op: string(op), Path: name, Err: f.cause()}
}

// skip reports whether an operation that has no parts is not carried out.
func (f *Fault) skip() bool { return f != nil && !f.Stored }

type rule struct {
	match func(Op) bool
	fault Fault
	every bool
}

// Disk implements disk.FS. It is safe for concurrent use.
type Disk struct {
	path string // the root

	mu      sync.Mutex
	ops     []Op
	rules   []rule
	stop    int // the operation to stop at, 0 for none
	before  bool
	stopped bool // from then on, what the process left does not change
	err     error
	root    *node
	last    uint64 // the last number that next gave
	open    map[*file]bool
}

// New wraps the file system below root, an absolute name of a directory.
// Everything there at that moment counts as durable. It panics if the
// directory cannot be read or has something other than files and directories.
func New(root string) *Disk {
	if !filepath.IsAbs(root) {
		panic("faultdisk: the root " + root + " is not absolute")
	}
	d := &Disk{path: filepath.Clean(root), open: make(map[*file]bool)}
	info, err := os.Lstat(d.path)
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	if err == nil {
		d.root = d.newNode(info)
		err = d.observe(true)
	}
	if err != nil {
		panic(fmt.Sprintf("faultdisk: the root %s: %v", root, err))
	}
	for n := range d.nodes() {
		n.sync()
		n.syncNames()
	}
	return d
}

// Ops returns the operations seen so far. Those that came too late for the
// process to make them are not among them.
func (d *Disk) Ops() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ops)
}

// Open returns the names of the files that are open, as given to OpenFile, in
// order. After a program closed all it had opened there are none.
func (d *Disk) Open() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for f := range d.open {
		names = append(names, f.f.Name())
	}
	slices.Sort(names)
	return names
}

// FailAt gives a fault to the n-th operation, counted from the first that the
// Disk saw. If several faults fit an operation the earliest call wins.
func (d *Disk) FailAt(n int, f Fault) {
	d.addRule(rule{match: func(op Op) bool { return op.N == n }, fault: f})
}

// FailOn gives a fault to the next operation that matches. The function is
// called before the operation and must not use the Disk.
func (d *Disk) FailOn(match func(Op) bool, f Fault) {
	d.addRule(rule{match: match, fault: f})
}

// FailEvery gives a fault to every operation that matches, until Heal.
func (d *Disk) FailEvery(match func(Op) bool, f Fault) {
	d.addRule(rule{match: match, fault: f, every: true})
}

// Heal takes back all faults that have not come yet.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = nil
}

func (d *Disk) addRule(r rule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = append(d.rules, r)
}

// StopAt lets the process die right before the n-th operation, or right after
// it. From then on every operation, reads of open files included, returns
// ErrStopped and has no effect, except that Close closes. What later happens
// to the files by other ways is not in the images.
func (d *Disk) StopAt(n int, before bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop, d.before = n, before
}

// Stop lets the process die at once.
func (d *Disk) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freeze()
}

// Stopped reports whether the process has died.
func (d *Disk) Stopped() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopped
}

func (d *Disk) freeze() {
	if !d.stopped {
		d.err = d.observe(true)
		d.stopped = true
	}
}

// begin counts an operation and returns its fault, if it has one. The caller
// holds d.mu, and calls end after the operation.
func (d *Disk) begin(op Op) (*Fault, error) {
	op.N = len(d.ops) + 1
	if d.stop > 0 && (op.N > d.stop || op.N == d.stop && d.before) {
		d.freeze()
	}
	if d.stopped {
		return nil, ErrStopped
	}
	d.ops = append(d.ops, op)
	i := slices.IndexFunc(d.rules, func(r rule) bool { return r.match(op) })
	if i < 0 {
		return nil, nil
	}
	f := d.rules[i].fault
	if !d.rules[i].every {
		d.rules = slices.Delete(d.rules, i, i+1)
	}
	return &f, nil
}

func (d *Disk) end() {
	if d.stop > 0 && !d.before && len(d.ops) >= d.stop {
		d.freeze()
	}
}

// next returns a new number, higher than all before it.
func (d *Disk) next() uint64 {
	d.last++
	return d.last
}

// rel returns a name relative to the root, and whether it is below it.
func (d *Disk) rel(name string) (string, bool) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(d.path, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return rel, true
}
