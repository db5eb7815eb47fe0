package tree

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The tlog-tiles layout.
const (
	checkpointName = "checkpoint"
	tilesName      = "tile"

	tileHeight  = 8
	tileWidth   = 1 << tileHeight
	tileLevels  = 8  // enough for MaxSize
	entriesOnly = -1 // the level of a tile that holds entries

	leafSize  = 32
	entrySize = 2 + leafSize // a length before the leaf data
)

// tileAt returns the coordinates of a tile.
func tileAt(level int, n int64, width int) tlog.Tile {
	return tlog.Tile{H: tileHeight, L: level, N: n, W: width}
}

// tilePath returns where in the layout a tile lies. Package tlog puts the height
// into the name and calls entries data.
func tilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if data, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = path.Join("entries", data)
	}
	return path.Join(tilesName, rest)
}

// parseTilePath is the inverse of tilePath, and false for any other name.
func parseTilePath(name string) (tlog.Tile, bool) {
	rest := strings.TrimPrefix(name, tilesName+"/")
	if entries, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = path.Join("data", entries)
	}
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, rest))
	if err != nil || t.L >= tileLevels || tilePath(t) != name {
		return tlog.Tile{}, false
	}
	return t, true
}

// widthIn returns how wide the tile at the place of t is in a tree of size
// leaves; 0 if there is none.
func widthIn(size int64, t tlog.Tile) int {
	hashes := size >> (tileHeight * max(t.L, 0))
	switch full := hashes / tileWidth; {
	case t.N < full:
		return tileWidth
	case t.N == full:
		return int(hashes % tileWidth)
	default:
		return 0
	}
}

// encodeEntries returns the file for up to 256 leaves.
func encodeEntries(leaves [][leafSize]byte) []byte {
	b := make([]byte, 0, len(leaves)*entrySize)
	for _, leaf := range leaves {
		b = binary.BigEndian.AppendUint16(b, leafSize)
		b = append(b, leaf[:]...)
	}
	return b
}

// decodeEntries is the inverse of encodeEntries for a file of width leaves. It
// says what is wrong with any other file.
func decodeEntries(b []byte, width int) ([][leafSize]byte, error) {
	if len(b) != width*entrySize {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(b), width*entrySize)
	}
	leaves := make([][leafSize]byte, width)
	for i := range leaves {
		entry := b[i*entrySize:][:entrySize]
		if n := binary.BigEndian.Uint16(entry); n != leafSize {
			return nil, fmt.Errorf("entry %d has %d bytes, not %d", i, n, leafSize)
		}
		leaves[i] = [leafSize]byte(entry[2:])
	}
	return leaves, nil
}

// tiling turns leaves into hash tiles.
type tiling struct {
	tree   Frontier
	begun  [tileLevels][]byte // by level, the tile that is not full yet
	stored []Hash             // scratch
	// put takes each tile once. It must not keep data.
	put func(t tlog.Tile, data []byte) error
}

// add puts the tiles that the next leaves fill.
func (t *tiling) add(leaves [][leafSize]byte) error {
	for _, leaf := range leaves {
		t.stored = t.tree.Append(t.stored[:0], LeafHash(leaf))
		for level := 0; level*tileHeight < len(t.stored); level++ {
			t.begun[level] = append(t.begun[level], t.stored[level*tileHeight][:]...)
			if len(t.begun[level]) < tileWidth*tlog.HashSize {
				continue
			}
			if err := t.flush(level); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish puts the tiles that the tree does not fill.
func (t *tiling) finish() error {
	for level := range t.begun {
		if len(t.begun[level]) == 0 {
			continue
		}
		if err := t.flush(level); err != nil {
			return err
		}
	}
	return nil
}

// flush puts the last tile of a level.
func (t *tiling) flush(level int) error {
	data := t.begun[level]
	t.begun[level] = data[:0]
	last := t.tree.Size()>>(tileHeight*level) - 1
	return t.put(tileAt(level, last/tileWidth, len(data)/tlog.HashSize), data)
}
