package faultdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// observer brings the nodes up to date with the files.
type observer struct {
	d       *Disk
	content bool              // also read the files
	known   map[fileKey]*node // those that had a name before
	seqs    map[*node]uint64  // of edits so far, for both sides of a rename
}

// observe records what has changed in the files and was not recorded. Names
// are compared always, content only if asked for.
//
// A file is told from another by its inode number. That is safe because known
// nodes still exist: every operation that takes a name away is followed by
// observe before a number can be used again, and Foreign pins them. Only
// changes that nobody wraps can be mistaken.
func (d *Disk) observe(content bool) error {
	o := &observer{d: d, content: content, known: d.known(), seqs: make(map[*node]uint64)}
	return o.visitDir(d.root, d.path)
}

func (d *Disk) known() map[fileKey]*node {
	known := map[fileKey]*node{d.root.key: d.root}
	for _, n := range walk(d.root, "") {
		known[n.key] = n
	}
	return known
}

func (o *observer) visitDir(dir *node, path string) error {
	found, err := o.list(path)
	if err != nil {
		return err
	}
	names := maps.Clone(found)
	maps.Copy(names, dir.names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		o.entry(dir, name, found[name])
		if err := o.visit(found[name], filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

// entry records what became of one name.
func (o *observer) entry(dir *node, name string, now *node) {
	old := dir.names[name]
	if old == now {
		return
	}
	moved := now
	if now == nil {
		moved = old
	}
	if o.seqs[moved] == 0 {
		o.seqs[moved] = o.d.next()
	}
	dir.set(o.seqs[moved], name, now)
}

func (o *observer) visit(n *node, path string) error {
	switch {
	case n != nil && n.dir:
		return o.visitDir(n, path)
	case n != nil && o.content:
		return o.d.read(n, path)
	}
	return nil
}

// read records how the content of a file has changed.
func (d *Disk) read(n *node, path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // others remove it just now
	}
	if err == nil {
		n.replace(b, d.next)
	}
	return err
}

// list returns what is in a directory now.
func (o *observer) list(path string) (map[string]*node, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*node)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // others remove it just now
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("faultdisk: %s is neither a file nor a directory", filepath.Join(path, e.Name()))
		}
		found[e.Name()] = o.node(info)
	}
	return found, nil
}

func (o *observer) node(info fs.FileInfo) *node {
	key := keyOf(info)
	if n := o.known[key]; n != nil && n.dir == info.IsDir() {
		return n
	}
	n := o.d.newNode(info)
	o.known[key] = n
	return n
}

// resolve returns the node of a file that is open under a name.
func (d *Disk) resolve(rel string, info fs.FileInfo) (*node, error) {
	for range 2 {
		if n := d.lookup(rel); n != nil && n.key == keyOf(info) {
			return n, nil
		}
		if err := d.observe(false); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("faultdisk: %s was replaced while it was opened", rel)
}
