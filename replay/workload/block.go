package workload

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// The patches that the filters of a block see: squares of patchSide pixels a
// side, one in every patchStride pixels along rows and columns, none of them
// across the edge of the image.
const (
	patchSide   = 5
	patchStride = 2
	patchArea   = patchSide * patchSide

	maxChannels = 32 // filters of one block
	maxImage    = 32 // pixels per side of an image
)

// Block is the make-up of a seed's block.
type Block struct {
	Hidden   int // units of the trunk that it reads and adds to, within 1 and 256
	Width    int // units of its own that read the trunk, within 1 and 256
	Channels int // filters that read patches of the image, within 0 and 32
	// Side is the number of pixels per side of that image, within 5 and 32; 0
	// when there is no filter.
	Side int
}

// Layers that a block can read.
const (
	readsTrunk = "trunk"
	readsBoth  = "input,trunk" // in the order of the forward pass
)

// Reads names the layers of the host that the block reads, with commas.
func (b Block) Reads() string {
	if b.Channels > 0 {
		return readsBoth
	}
	return readsTrunk
}

func (b Block) validate() error {
	switch {
	case min(b.Hidden, b.Width) < 1 || max(b.Hidden, b.Width) > maxWidth:
		return fmt.Errorf("%d hidden units and width %d, not within 1 and %d", b.Hidden, b.Width, maxWidth)
	case b.Channels < 0 || b.Channels > maxChannels:
		return fmt.Errorf("%d channels, not within 0 and %d", b.Channels, maxChannels)
	case b.Channels == 0 && b.Side != 0:
		return fmt.Errorf("an image of side %d and no channel to read it", b.Side)
	case b.Channels > 0 && (b.Side < patchSide || b.Side > maxImage):
		return fmt.Errorf("an image of side %d, not within %d and %d", b.Side, patchSide, maxImage)
	}
	return nil
}

// perSide is the number of patches along one side of the image.
func (b Block) perSide() int {
	if b.Channels == 0 {
		return 0
	}
	return (b.Side-patchSide)/patchStride + 1
}

// places is the number of patches of the image.
func (b Block) places() int { return b.perSide() * b.perSide() }

// filtered is the number of units that the filters make of an image.
func (b Block) filtered() int { return b.Channels * b.places() }

// mid is the number of units of the middle layer: the filtered ones come first,
// channel by channel, then the Width units that read the trunk.
func (b Block) mid() int { return b.filtered() + b.Width }

func (b Block) size() int {
	return b.filterSize() + affineSize(b.Hidden, b.Width) + affineSize(b.mid(), b.Hidden)
}

func (b Block) filterSize() int {
	if b.Channels == 0 {
		return 0
	}
	return affineSize(patchArea, b.Channels)
}

// blockMaps are the three affine maps of a block. filter is empty without channels.
type blockMaps struct{ filter, in, out affine }

// over lays the maps over flat, which is the parameters, the velocity or a
// gradient, in the order filter, in, out.
func (b Block) over(flat []float64) blockMaps {
	var m blockMaps
	if b.Channels > 0 {
		m.filter = affineOver(flat, patchArea, b.Channels)
	}
	flat = flat[b.filterSize():]
	m.in = affineOver(flat, b.Hidden, b.Width)
	m.out = affineOver(flat[affineSize(b.Hidden, b.Width):], b.mid(), b.Hidden)
	return m
}

// tensors returns views of flat, laid out like the parameters of the block.
func (b Block) tensors(prefix string, flat []float64) []tensorfile.Tensor {
	m := b.over(flat)
	ts := append(m.in.tensors(prefix+"in"), m.out.tensors(prefix+"out")...)
	if b.Channels > 0 {
		ts = append(ts, m.filter.tensors(prefix+"filter")...)
	}
	return ts
}

// block is the function of a seed: s(x, u), see the package doc.
type block struct {
	params
	shape Block
}

func newBlock(shape Block) block { return block{newParams(shape.size()), shape} }

func (b *block) size() int { return len(b.value) }

// blockTrace holds what one forward pass of a block leaves for the backward
// pass, and scratch for the latter. patches and u are copies: the block never
// shares memory with what it reads.
type blockTrace struct {
	patches blas64.General // per row patchArea x places numbers
	u       blas64.General // the trunk
	mid, y  blas64.General
	dMid    blas64.General
}

func newBlockTrace(rows int, b Block) blockTrace {
	return blockTrace{
		patches: matrix(rows, patchArea*b.places()), u: matrix(rows, b.Hidden),
		mid: matrix(rows, b.mid()), y: matrix(rows, b.Hidden), dMid: matrix(rows, b.mid()),
	}
}

// read copies what the block reads of the first x.Rows rows: patches of the
// images x, if it has filters, and the trunk u.
func (b *block) read(tr *blockTrace, x, u blas64.General) {
	copy(tr.u.Data, u.Data)
	if b.shape.Channels == 0 {
		return
	}
	for i := range x.Rows {
		image := x.Data[i*x.Stride : i*x.Stride+x.Cols]
		patches := tr.patches.Data[i*tr.patches.Stride : (i+1)*tr.patches.Stride]
		for p := range patchArea {
			patches = b.shape.cut(patches, image[p/patchSide*b.shape.Side+p%patchSide:])
		}
	}
}

// cut copies one pixel of every patch to dst, given the image from that pixel
// of the first patch on, and returns the rest of dst.
func (b Block) cut(dst, image []float64) []float64 {
	n := b.perSide()
	for r := range n {
		line := image[r*patchStride*b.Side:]
		for c := range n {
			dst[r*n+c] = line[c*patchStride]
		}
	}
	return dst[n*n:]
}

// forward fills tr from what the last read has put into its first rows rows.
func (b *block) forward(tr *blockTrace, rows int) {
	m := b.shape.over(b.value)
	mid := top(tr.mid, rows)
	for i := range b.filteredRows(rows) {
		out := b.channels(mid, i)
		for c, bias := range m.filter.b {
			line := out.Data[c*out.Stride : (c+1)*out.Stride]
			for j := range line {
				line[j] = bias
			}
		}
		product(out, m.filter.w, blas.NoTrans, b.patches(tr, i), blas.NoTrans, 1)
	}
	m.in.forward(b.dense(mid), top(tr.u, rows))
	squash(mid.Data)
	m.out.forward(top(tr.y, rows), mid)
}

// backward adds the gradient with respect to the parameters to grad, for the
// upstream gradient dy, and overwrites du with the gradient with respect to the
// trunk. The image is data: nothing that learns lies behind it, so there is no
// gradient to it. It reads tr as the last forward left it and leaves dy alone.
func (b *block) backward(tr *blockTrace, dy blas64.General, grad []float64, du blas64.General) {
	m, g := b.shape.over(b.value), b.shape.over(grad)
	mid, dMid := top(tr.mid, dy.Rows), top(tr.dMid, dy.Rows)
	g.out.gradient(dy, mid)
	m.out.input(dMid, dy)
	unsquash(dMid.Data, mid.Data)
	for i := range b.filteredRows(dy.Rows) {
		d := b.channels(dMid, i)
		product(g.filter.w, d, blas.NoTrans, b.patches(tr, i), blas.Trans, 1)
		for c := range d.Rows {
			g.filter.b[c] += floats.Sum(d.Data[c*d.Stride : (c+1)*d.Stride])
		}
	}
	g.in.gradient(b.dense(dMid), top(tr.u, dy.Rows))
	m.in.input(du, b.dense(dMid))
}

// filteredRows is the number of rows that have images to filter: all or none.
func (b *block) filteredRows(rows int) int {
	if b.shape.Channels == 0 {
		return 0
	}
	return rows
}

// channels views the filtered units of row i of m: channels x places.
func (b *block) channels(m blas64.General, i int) blas64.General {
	at, places := i*m.Stride, b.shape.places()
	return blas64.General{Rows: b.shape.Channels, Cols: places, Stride: places, Data: m.Data[at : at+b.shape.filtered()]}
}

// patches views the patches of row i: patchArea x places.
func (b *block) patches(tr *blockTrace, i int) blas64.General {
	at, places := i*tr.patches.Stride, b.shape.places()
	return blas64.General{Rows: patchArea, Cols: places, Stride: places, Data: tr.patches.Data[at : at+tr.patches.Cols]}
}

// dense views the units of m that read the trunk: rows x width.
func (b *block) dense(m blas64.General) blas64.General {
	return view(m, 0, b.shape.filtered(), m.Rows, b.shape.Width)
}
