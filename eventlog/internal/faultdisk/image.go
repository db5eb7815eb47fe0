package faultdisk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mode is a kind of crash.
//
// enum: local because it is about a simulation of which nothing is stored.
type Mode int

// The modes of an image.
const (
	// Killed is the end of the process alone: the page cache survives.
	Killed Mode = iota
	// Strict is a power failure after which there is only synced content
	// under synced names.
	Strict
	// Torn is a power failure that kept an arbitrary part of what was not
	// synced: of every file some sectors, old or zero elsewhere, and perhaps
	// the length; of the creates, renames and removals some.
	Torn
	// Prefix is a power failure that kept what came before some moment, and
	// of the write at that moment perhaps the first bytes.
	Prefix
)

// Modes lists all modes.
var Modes = []Mode{Killed, Strict, Torn, Prefix}

func (m Mode) String() string {
	if m < Killed || m > Prefix {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return [...]string{"Killed", "Strict", "Torn", "Prefix"}[m]
}

// Image writes into dir, which must be empty or missing, what a restart would
// find after a crash now. If the process has stopped it is what a crash at
// that moment left. The Disk goes on as if nothing had happened, so many
// images of one moment can be made. Killed and Strict ignore the seed.
func (d *Disk) Image(dir string, m Mode, seed uint64) error {
	tree, err := d.render(m, seed)
	if err != nil {
		return err
	}
	return tree.store(dir)
}

func (d *Disk) render(m Mode, seed uint64) (tree, error) {
	if m < Killed || m > Prefix {
		return nil, fmt.Errorf("faultdisk: there is no %v", m)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.err
	if !d.stopped {
		err = d.observe(true)
	}
	if err != nil {
		return nil, err
	}
	r := renderer{mode: m, seed: seed, path: make(map[*node]bool)}
	switch m {
	case Torn:
		r.chance = chance(r.rand(0))
	case Prefix:
		r.cut(d.pending())
	}
	r.dir(d.root, "")
	return r.tree, nil
}

// pending returns the numbers of all that is not synced, in order.
func (d *Disk) pending() []uint64 {
	var seqs []uint64
	for n := range d.nodes() {
		for _, c := range n.changes {
			seqs = append(seqs, c.seq)
		}
		for _, e := range n.edits {
			seqs = append(seqs, e.seq)
		}
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

// renderer makes one image.
type renderer struct {
	mode   Mode
	seed   uint64
	chance float64 // in Torn: of a name operation
	last   uint64  // in Prefix: the last number that is there wholly
	torn   uint64  // in Prefix: the number that is there in part
	tree   tree
	path   map[*node]bool // the directories we are in
}

// rand returns the random numbers for one node or operation. They do not
// depend on what else there is.
func (r *renderer) rand(salt uint64) *rand.Rand {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], r.seed)
	binary.LittleEndian.PutUint64(b[8:], salt)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.mode))
	return rand.New(rand.NewChaCha8(sha256.Sum256(b[:])))
}

// chance draws how likely unsynced things are to be there.
func chance(rnd *rand.Rand) float64 {
	return [...]float64{0, 0.25, 0.5, 0.75, 1}[rnd.IntN(5)]
}

func (r *renderer) cut(seqs []uint64) {
	n := r.rand(0).IntN(len(seqs) + 1)
	if n > 0 {
		r.last = seqs[n-1]
	}
	if n < len(seqs) {
		r.torn = seqs[n]
	}
}

func (r *renderer) dir(n *node, path string) {
	if r.path[n] {
		return // two renames, half of each, have put it into itself
	}
	r.path[n] = true
	defer delete(r.path, n)
	names := r.names(n)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		child := names[name]
		e := entry{path: filepath.Join(path, name), node: child}
		if !child.dir {
			e.data = r.content(child)
		}
		r.tree = append(r.tree, e)
		r.dir(child, e.path)
	}
}

func (r *renderer) names(n *node) map[string]*node {
	names := make(map[string]*node)
	maps.Copy(names, n.durableNames)
	for _, e := range n.edits {
		switch {
		case !r.has(e.seq):
		case e.target == nil:
			delete(names, e.name)
		default:
			names[e.name] = e.target
		}
	}
	return names
}

// has reports whether an unsynced name operation is there.
func (r *renderer) has(seq uint64) bool {
	switch r.mode {
	case Killed:
		return true
	case Torn:
		return r.rand(seq).Float64() < r.chance
	case Prefix:
		return seq <= r.last
	}
	return false
}

func (r *renderer) content(n *node) []byte {
	switch {
	case r.mode == Killed:
		return bytes.Clone(n.live)
	case r.mode == Strict || len(n.changes) == 0:
		return bytes.Clone(n.durable)
	case r.mode == Torn:
		return tear(n, r.rand(n.id))
	}
	file := bytes.Clone(n.durable)
	for _, c := range n.changes {
		switch {
		case c.seq == r.torn && !c.resize:
			c.data = c.data[:r.rand(c.seq).IntN(len(c.data)+1)]
			if len(c.data) > 0 {
				file = patch(file, c.off, c.data)
			}
		case c.seq > r.last:
		case c.resize:
			file = resize(file, c.off)
		default:
			file = patch(file, c.off, c.data)
		}
	}
	return file
}

// tree is what an image holds, parents first, in the order of the names.
type tree []entry

type entry struct {
	path string
	node *node
	data []byte
}

func (t tree) store(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		return fmt.Errorf("faultdisk: cannot write an image into %s, which is not empty or cannot be read (%v)", dir, err)
	}
	first := make(map[*node]string) // where a file with several names went
	for _, e := range t {
		path := filepath.Join(dir, e.path)
		if err := e.store(path, first[e.node]); err != nil {
			return err
		}
		first[e.node] = path
	}
	return nil
}

func (e entry) store(path, linked string) error {
	switch {
	case e.node.dir:
		return os.Mkdir(path, e.node.perm)
	case linked != "":
		return os.Link(linked, path)
	}
	return os.WriteFile(path, e.data, e.node.perm)
}

// sum tells images apart.
func (t tree) sum() [sha256.Size]byte {
	h := sha256.New()
	for _, e := range t {
		fmt.Fprintf(h, "%q %v %d %d\n", e.path, e.node.dir, e.node.id, len(e.data))
		h.Write(e.data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// String lists the names and sizes.
func (t tree) String() string {
	var b strings.Builder
	for _, e := range t {
		if e.node.dir {
			fmt.Fprintf(&b, "%v %s/\n", fs.ModeDir|e.node.perm, e.path)
			continue
		}
		fmt.Fprintf(&b, "%v %s, %d bytes\n", e.node.perm, e.path, len(e.data))
	}
	return b.String()
}
