package replay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// WriteBundle writes the records from..to of src, and the state before them, to
// w; to 0 means the last record. It reads src twice and holds the state and one
// record in memory. A bundle that it returns no error for can be opened;
// after an error the bytes written are worthless.
func WriteBundle(w io.Writer, src Source, from, to leyline.Seq, meta BundleMeta) (BundleInfo, error) {
	c, err := survey(src, from, to)
	if err != nil {
		return BundleInfo{}, fmt.Errorf("cannot cut a bundle: %w", err)
	}
	if err := c.label(meta); err != nil {
		return BundleInfo{}, fmt.Errorf("cannot cut a bundle: %w", err)
	}
	out := &bundleWriter{w: w, hash: sha256.New()}
	if err := c.write(out, src); err != nil {
		return BundleInfo{}, fmt.Errorf("cannot write bundle: %w", err)
	}
	return BundleInfo{Header: c.header, Bytes: out.n, Digest: out.digest}, nil
}

// cut is a bundle being prepared.
type cut struct {
	header Header
	pass   *pass              // over the records before
	state  *projections.State // after them
	last   leyline.Seq        // seen
}

// survey folds the records before from and counts those of the bundle.
func survey(src Source, from, to leyline.Seq) (*cut, error) {
	if to != 0 && from > to {
		return nil, fmt.Errorf("record %d is behind record %d", from, to)
	}
	c := &cut{pass: newPass(Options{Mode: Fold})}
	for e, err := range src.All(1) {
		if err != nil {
			return nil, err
		}
		if to != 0 && e.Seq > to {
			break
		}
		if err := c.count(e, from); err != nil {
			return nil, err
		}
	}
	if c.header.Records == 0 {
		return nil, fmt.Errorf("there is no record from %d to %d", from, to)
	}
	return c, nil
}

// count folds a record before the bundle, or notes one that belongs into it.
func (c *cut) count(e Entry, from leyline.Seq) error {
	h := &c.header
	if e.Seq <= c.last {
		return fmt.Errorf("record %d comes after record %d: records must ascend", e.Seq, c.last)
	}
	c.last = e.Seq
	if e.Seq < from {
		h.Before = e.Seq
		return c.pass.entry(e)
	}
	if h.Records == 0 {
		r, err := whole(e)
		if err != nil {
			return err
		}
		c.state, h.From = c.pass.final(), e.Seq
		c.pass.boot(r)
		h.Origin, h.Build, h.Decider = c.pass.started.Origin, c.pass.started.Build, c.pass.started.Decider
	}
	h.To = e.Seq
	h.Records++
	return nil
}

// label completes the header.
func (c *cut) label(m BundleMeta) error {
	h := &c.header
	switch {
	case h.Origin == "":
		h.Origin = m.Origin
	case m.Origin != "" && m.Origin != h.Origin:
		return fmt.Errorf("the records belong to the log %q, not to %q", h.Origin, m.Origin)
	}
	h.By, h.Note = m.By, m.Note
	h.Schema, h.State = projections.Schema, c.state.Digest()
	return h.check()
}

func (c *cut) write(out *bundleWriter, src Source) error {
	head, err := json.Marshal(c.header)
	if err != nil {
		return err
	}
	if len(head) > maxHeaderBytes {
		return fmt.Errorf("the header has %d bytes, at most %d are allowed", len(head), maxHeaderBytes)
	}
	state, err := wire.Marshal(c.state)
	if err != nil {
		return fmt.Errorf("the state: %w", err)
	}
	out.bytes([]byte(bundleMagic))
	out.bytes(binary.LittleEndian.AppendUint32(nil, uint32(len(head))))
	out.bytes(head)
	out.bytes(binary.LittleEndian.AppendUint64(nil, uint64(len(state))))
	out.bytes(state)
	if err := c.writeEntries(out, src); err != nil {
		return err
	}
	out.bytes(make([]byte, 4))
	out.close()
	return out.err
}

func (c *cut) writeEntries(out *bundleWriter, src Source) error {
	var n uint64
	for e, err := range src.All(c.header.From) {
		if err != nil {
			return err
		}
		if e.Seq > c.header.To || out.err != nil {
			break
		}
		if n++; len(e.Payload) == 0 || len(e.Payload) > wire.MaxRecordBytes {
			return fmt.Errorf("record %d has %d bytes", e.Seq, len(e.Payload))
		}
		out.entry(e)
	}
	if out.err == nil && n != c.header.Records {
		return fmt.Errorf("the log changed: %d records, then %d", c.header.Records, n)
	}
	return out.err
}

var errBundleSize = errors.New("the bundle would be larger than 1 GiB; cut fewer records")

// bundleWriter writes and hashes. After an error it writes nothing more.
type bundleWriter struct {
	w      io.Writer
	hash   hash.Hash
	n      uint64
	buf    []byte
	digest leyline.Digest
	err    error
}

func (b *bundleWriter) bytes(p []byte) {
	if b.err != nil {
		return
	}
	if b.n += uint64(len(p)); b.n > MaxBundleBytes {
		b.err = errBundleSize
		return
	}
	_, _ = b.hash.Write(p) // a hash.Hash never returns an error
	_, b.err = b.w.Write(p)
}

func (b *bundleWriter) entry(e Entry) {
	p := append(b.buf[:0], make([]byte, entryHead)...)
	p = append(p, e.Payload...)
	binary.LittleEndian.PutUint64(p[8:], uint64(e.Seq))
	binary.LittleEndian.PutUint64(p[16:], uint64(e.At))
	binary.LittleEndian.PutUint32(p, uint32(len(e.Payload)))
	binary.LittleEndian.PutUint32(p[4:], crc32.Checksum(p[8:], castagnoli))
	b.buf = p
	b.bytes(p)
}

func (b *bundleWriter) close() {
	b.hash.Sum(b.digest[:0])
	b.bytes(b.digest[:])
}
