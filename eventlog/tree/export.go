package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// WriteTiles writes the tree of a checkpoint that v's holder has signed into a
// directory in the tlog-tiles layout; see the package comment. The directory is
// created if it is missing, and must have no other writer. Leaves yields the
// leaf data of all records that the checkpoint covers, from record 1, and r has
// the stored hashes.
//
// Nothing is written that does not belong to the tree that was signed: all
// stored hashes are checked first, as by CheckStored, and the leaves of a file
// before the file. The checkpoint comes last. Where the directory holds an older
// checkpoint of the log, the tree must extend it; tiles that are there are left
// alone if they are what would be written, and otherwise stop the export: no
// tile is ever changed or removed. A call that fails leaves the older checkpoint
// and what it needs, perhaps with files beyond it, and may be repeated. When the
// error is nil, all below dir is durable.
//
// Every export takes about 1 µs for each record of the log, new or not, and one
// synced write for every new file, of which 256 records make two.
//
// The error wraps ErrCheckpoint if this checkpoint, or the one in the directory,
// is not one of v; ErrInvalid if the one in the directory is larger, or if there
// are more or fewer leaves; ErrInconsistent if a stored hash, a leaf or a file
// is not that of the tree; or is one of leaves, of r or of the file system.
func WriteTiles(dir string, checkpoint []byte, v note.Verifier, r tlog.HashReader, leaves iter.Seq2[[32]byte, error]) error {
	c, err := OpenCheckpoint(checkpoint, v)
	if err != nil {
		return err
	}
	if err := CheckStored(c.Size, c.Root, r); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, tileDirPerm); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	d := &tileDir{root: root, unsynced: map[string]bool{}}
	older, err := d.olderCheckpoint(checkpoint, v, r)
	if err != nil {
		return fmt.Errorf("cannot add to %s: %w", dir, err)
	}
	x := export{dir: d, hashes: r, size: c.Size, tiles: tiling{put: d.putTile}}
	if err := x.run(leaves); err != nil {
		return fmt.Errorf("cannot export to %s: %w", dir, err)
	}
	// From here on the directory is complete up to the new checkpoint.
	if !bytes.Equal(older, checkpoint) {
		err = d.write(checkpointName, checkpoint)
	}
	d.markUnsynced(checkpointName)
	return errors.Join(err, d.sync())
}

// olderCheckpoint returns the checkpoint in the directory, nil if there is none.
// It refuses one that the tree of the new one does not extend.
func (d *tileDir) olderCheckpoint(checkpoint []byte, v note.Verifier, r tlog.HashReader) ([]byte, error) {
	b, err := d.read(checkpointName, maxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = ProveTree(b, checkpoint, v, r)
	return b, err
}

// export is a run of WriteTiles. The stored hashes are those of the checkpoint.
type export struct {
	dir    *tileDir
	hashes tlog.HashReader
	size   int64
	tiles  tiling
	batch  [][leafSize]byte // leaves that are not in tiles yet, fewer than a tile
}

// run writes all files but the checkpoint and makes them durable.
func (x *export) run(leaves iter.Seq2[[leafSize]byte, error]) error {
	for leaf, err := range leaves {
		if err != nil {
			return fmt.Errorf("cannot read the leaf of record %d: %w", x.next(), err)
		}
		if x.next() > x.size {
			return fmt.Errorf("%w: there are more leaves than the %d of the checkpoint", ErrInvalid, x.size)
		}
		if x.batch = append(x.batch, leaf); len(x.batch) < tileWidth {
			continue
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	if x.next() <= x.size {
		return fmt.Errorf("%w: there are %d leaves and not the %d of the checkpoint", ErrInvalid, x.next()-1, x.size)
	}
	if err := x.flush(); err != nil {
		return err
	}
	if err := x.tiles.finish(); err != nil {
		return err
	}
	return x.dir.sync()
}

// next returns the number of the record whose leaf is next.
func (x *export) next() int64 { return x.tiles.tree.Size() + int64(len(x.batch)) + 1 }

// flush writes the leaves of the batch and the tiles that they fill.
func (x *export) flush() error {
	if len(x.batch) == 0 {
		return nil
	}
	if err := x.checkBatch(); err != nil {
		return err
	}
	t := tileAt(entriesOnly, x.tiles.tree.Size()/tileWidth, len(x.batch))
	if err := x.dir.putTile(t, encodeEntries(x.batch)); err != nil {
		return err
	}
	err := x.tiles.add(x.batch)
	x.batch = x.batch[:0]
	return err
}

// checkBatch compares the leaves of the batch with their stored hashes.
func (x *export) checkBatch() error {
	first := x.tiles.tree.Size()
	indexes := make([]int64, len(x.batch))
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	hashes, err := readHashes(x.hashes, indexes)
	if err != nil {
		return err
	}
	for i, leaf := range x.batch {
		if LeafHash(leaf) != hashes[i] {
			return fmt.Errorf("%w: the leaf of record %d is not that of its stored hash", ErrInconsistent, first+int64(i)+1)
		}
	}
	return nil
}
