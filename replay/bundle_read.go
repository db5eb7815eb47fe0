package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// OpenBundle reads a bundle to its end and accepts only what WriteBundle makes.
// Every refusal says what is wrong and at which byte or record. Memory grows
// with what is read, not with what lengths announce. The records themselves are
// decoded by Run.
func OpenBundle(r io.Reader) (*Bundle, error) {
	b, err := (&bundleReader{r: r, hash: sha256.New()}).open()
	if err != nil {
		return nil, fmt.Errorf("cannot open bundle: %w", err)
	}
	return b, nil
}

// bundleReader reads and hashes.
type bundleReader struct {
	r    io.Reader
	hash hash.Hash
	off  uint64 // of the next byte
}

func (b *bundleReader) open() (*Bundle, error) {
	magic, err := b.take(uint64(len(bundleMagic)), "the magic")
	if err != nil {
		return nil, err
	}
	if name := len(bundleMagic) - 1; string(magic[:name]) != bundleMagic[:name] {
		return nil, fmt.Errorf("it begins with %q: not a bundle", magic)
	} else if magic[name] != bundleMagic[name] {
		return nil, fmt.Errorf("its format is version %d, this program reads version %d", magic[name], bundleMagic[name])
	}
	out := &Bundle{}
	if err := b.header(&out.header); err != nil {
		return nil, err
	}
	state, err := b.counted(8, maxStateBytes, "the state")
	if err != nil {
		return nil, err
	}
	if out.entries, err = b.entries(&out.header); err != nil {
		return nil, err
	}
	if out.digest, err = b.trailer(); err != nil {
		return nil, err
	}
	out.state, err = openState(&out.header, state)
	return out, err
}

// take reads exactly n bytes of what.
func (b *bundleReader) take(n uint64, what string) ([]byte, error) {
	if n > MaxBundleBytes-b.off {
		return nil, fmt.Errorf("%s at byte %d would make it larger than %d bytes", what, b.off, MaxBundleBytes)
	}
	p, err := io.ReadAll(io.LimitReader(b.r, int64(n)))
	if err != nil {
		return nil, fmt.Errorf("%s at byte %d: %w", what, b.off, err)
	}
	if uint64(len(p)) < n {
		return nil, fmt.Errorf("it ends at byte %d, within %s of %d bytes at byte %d", b.off+uint64(len(p)), what, n, b.off)
	}
	b.off += n
	_, _ = b.hash.Write(p) // a hash.Hash never returns an error
	return p, nil
}

// counted reads a length of size bytes and what it announces.
func (b *bundleReader) counted(size int, most uint64, what string) ([]byte, error) {
	start := b.off
	p, err := b.take(uint64(size), "the length of "+what)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(append(p, make([]byte, 8-size)...))
	if n > most {
		return nil, fmt.Errorf("%s at byte %d has %d bytes, at most %d are allowed", what, start, n, most)
	}
	return b.take(n, what)
}

func (b *bundleReader) header(h *Header) error {
	start := b.off
	raw, err := b.counted(4, maxHeaderBytes, "the header")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, h); err != nil {
		return fmt.Errorf("the header at byte %d: %w", start, err)
	}
	if again, err := json.Marshal(h); err != nil || !bytes.Equal(raw, again) {
		return fmt.Errorf("the header at byte %d is not as bundles are written: a field is missing, foreign or in another form", start)
	}
	if err := h.check(); err != nil {
		return fmt.Errorf("the header at byte %d: %w", start, err)
	}
	return nil
}

func (b *bundleReader) entries(h *Header) ([]Entry, error) {
	var out []Entry
	last := h.Before
	for {
		start := b.off
		length, err := b.take(4, "the length of a record")
		if err != nil {
			return nil, err
		}
		n := binary.LittleEndian.Uint32(length)
		if n == 0 {
			return out, complete(h, out)
		}
		e, err := b.entry(start, n)
		if err != nil {
			return nil, err
		}
		if e.Seq <= last || e.Seq < h.From || e.Seq > h.To {
			return nil, fmt.Errorf("at byte %d stands record %d, behind record %d of a bundle from %d to %d", start, e.Seq, last, h.From, h.To)
		}
		last = e.Seq
		out = append(out, e)
	}
}

func (b *bundleReader) entry(start uint64, n uint32) (Entry, error) {
	if n > wire.MaxRecordBytes {
		return Entry{}, fmt.Errorf("the record at byte %d has %d bytes, at most %d are allowed", start, n, wire.MaxRecordBytes)
	}
	p, err := b.take(entryHead-4+uint64(n), "a record")
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Seq: leyline.Seq(binary.LittleEndian.Uint64(p[4:])), At: leyline.Instant(binary.LittleEndian.Uint64(p[12:])),
		Payload: p[20:],
	}
	if want, got := binary.LittleEndian.Uint32(p), crc32.Checksum(p[4:], castagnoli); want != got {
		return Entry{}, fmt.Errorf("the record at byte %d, which calls itself %d, has checksum %08x and should have %08x", start, e.Seq, got, want)
	}
	return e, nil
}

// complete compares the entries with what the header promises.
func complete(h *Header, entries []Entry) error {
	n := len(entries)
	if uint64(n) != h.Records || entries[0].Seq != h.From || entries[n-1].Seq != h.To {
		return fmt.Errorf("it holds %d records, its header promises %d from %d to %d", n, h.Records, h.From, h.To)
	}
	return nil
}

// trailer reads the digest and makes sure that nothing follows.
func (b *bundleReader) trailer() (leyline.Digest, error) {
	var want, got leyline.Digest
	b.hash.Sum(got[:0])
	start := b.off
	p, err := b.take(uint64(len(want)), "the digest")
	if err != nil {
		return got, err
	}
	if copy(want[:], p); want != got {
		return got, fmt.Errorf("the digest at byte %d is %s, the bytes before it hash to %s: they were changed", start, want.Short(), got.Short())
	}
	rest, err := io.ReadAll(io.LimitReader(b.r, 1))
	if err != nil {
		return got, fmt.Errorf("after the digest at byte %d: %w", start, err)
	}
	if len(rest) > 0 {
		return got, fmt.Errorf("more follows the digest at byte %d", start)
	}
	return got, nil
}

func openState(h *Header, raw []byte) (*projections.State, error) {
	if h.Schema != projections.Schema {
		return nil, fmt.Errorf("its state has schema %d, this program reads schema %d", h.Schema, projections.Schema)
	}
	s := &projections.State{}
	if err := wire.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("its state: %w", err)
	}
	if got := s.Digest(); got != h.State {
		return nil, fmt.Errorf("its state digests to %s, the header says %s", got.Short(), h.State.Short())
	}
	if s.Seq != h.Before {
		return nil, fmt.Errorf("its state is that after record %d, the header says %d", s.Seq, h.Before)
	}
	return s, nil
}
