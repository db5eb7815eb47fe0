package faultdisk

import (
	"bytes"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// sector is the unit in which content becomes durable.
const sector = 512

// fileKey is the identity of a file while it exists.
type fileKey struct{ dev, ino uint64 }

func keyOf(info fs.FileInfo) fileKey {
	s := info.Sys().(*syscall.Stat_t)
	return fileKey{uint64(s.Dev), s.Ino}
}

// node is a file or directory. It outlives its names as long as a crash could
// bring them back.
type node struct {
	id   uint64
	key  fileKey
	perm fs.FileMode
	dir  bool

	// Of a file: durable is what a Sync stored, live what a program reads. A
	// Sync stores the dirty sectors, and the size if resized. Invariant:
	// changes, in order, lead from what was durable to live, unless a Sync
	// failed in between.
	live, durable []byte
	dirty         map[int]bool
	resized       bool
	changes       []change

	// Of a directory: edits, in order, lead from durableNames to names.
	names, durableNames map[string]*node
	edits               []edit
}

// change is a write, or a truncation to the size off.
type change struct {
	seq    uint64
	off    int
	data   []byte
	resize bool
}

// edit gives a name to a node, or takes it away if target is nil. The edits of
// one rename have the same number.
type edit struct {
	seq    uint64
	name   string
	target *node
}

func (d *Disk) newNode(info fs.FileInfo) *node {
	n := &node{id: d.next(), key: keyOf(info), perm: info.Mode().Perm(), dir: info.IsDir()}
	if n.dir {
		n.names = make(map[string]*node)
	} else {
		n.dirty = make(map[int]bool)
	}
	return n
}

func (n *node) write(seq uint64, off int, b []byte) {
	if len(b) == 0 {
		return
	}
	n.touch(off, off+len(b))
	n.resized = n.resized || off+len(b) > len(n.live)
	n.changes = append(n.changes, change{seq: seq, off: off, data: bytes.Clone(b)})
	n.live = patch(n.live, off, b)
}

func (n *node) truncate(seq uint64, size int) {
	if size == len(n.live) {
		return
	}
	n.touch(min(size, len(n.live)), max(size, len(n.live)))
	n.resized = true
	n.changes = append(n.changes, change{seq: seq, off: size, resize: true})
	n.live = resize(n.live, size)
}

func (n *node) touch(from, to int) {
	for s := from / sector; s*sector < to; s++ {
		n.dirty[s] = true
	}
}

// replace records how live became what it is now, as well as one can see it
// afterwards.
func (n *node) replace(now []byte, next func() uint64) {
	old := min(len(n.live), len(now))
	lo := 0
	if bytes.Equal(n.live[:old], now[:old]) {
		lo = old
	}
	for lo < old && n.live[lo] == now[lo] {
		lo++
	}
	hi := old
	for hi > lo && n.live[hi-1] == now[hi-1] {
		hi--
	}
	if len(now) < len(n.live) {
		n.truncate(next(), len(now))
	}
	if lo < hi {
		n.write(next(), lo, now[lo:hi])
	}
	if old < len(now) {
		n.write(next(), old, now[old:])
	}
}

// sync stores what is dirty.
func (n *node) sync() {
	for s := range n.dirty {
		if from := s * sector; from < len(n.live) {
			n.durable = patch(n.durable, from, n.live[from:min(from+sector, len(n.live))])
		}
	}
	if n.resized {
		n.durable = resize(n.durable, len(n.live))
	}
	n.forget()
	n.changes = nil
}

// forget is a sync that fails: what is dirty counts as stored.
func (n *node) forget() {
	clear(n.dirty)
	n.resized = false
}

func (n *node) set(seq uint64, name string, target *node) {
	n.edits = append(n.edits, edit{seq, name, target})
	if target == nil {
		delete(n.names, name)
		return
	}
	n.names[name] = target
}

func (n *node) syncNames() {
	n.durableNames = maps.Clone(n.names)
	n.edits = nil
}

// patch writes b into a file.
func patch(file []byte, off int, b []byte) []byte {
	file = resize(file, max(len(file), off+len(b)))
	copy(file[off:], b)
	return file
}

// resize cuts a file, or adds zeros to it.
func resize(file []byte, size int) []byte {
	if size <= len(file) {
		return file[:size]
	}
	return append(file, make([]byte, size-len(file))...)
}

// lookup returns the node that has a name now, or nil.
func (d *Disk) lookup(rel string) *node {
	n := d.root
	if rel == "." {
		return n
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if n = n.names[part]; n == nil {
			return nil
		}
	}
	return n
}

// walk yields the nodes that have a name now below dir, and their names.
func walk(dir *node, path string) iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) { walkTo(dir, path, yield) }
}

func walkTo(dir *node, path string, yield func(string, *node) bool) bool {
	for _, name := range slices.Sorted(maps.Keys(dir.names)) {
		child := filepath.Join(path, name)
		n := dir.names[name]
		if !yield(child, n) || !walkTo(n, child, yield) {
			return false
		}
	}
	return true
}

// nodes returns all nodes that can be in an image.
func (d *Disk) nodes() map[*node]bool {
	seen := make(map[*node]bool)
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, child := range n.durableNames {
			visit(child)
		}
		for _, e := range n.edits {
			visit(e.target)
		}
	}
	visit(d.root)
	return seen
}
