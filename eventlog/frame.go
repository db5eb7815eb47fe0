package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
)

// Sizes of the frame format.
const (
	// HeaderSize is the number of bytes of a frame before its payload.
	HeaderSize = 32
	// MaxPayload is the largest payload that one record may carry.
	MaxPayload = 16 << 20
)

// The stored values of the frame header. The magic reads "ESPR" in a dump.
const (
	frameMagic   uint32 = 'E' | 'S'<<8 | 'P'<<16 | 'R'<<24
	frameVersion        = 0
)

// Offsets of the fields of a frame header.
const (
	offMagic   = 0
	offVersion = 4
	offKind    = 5
	offLag     = 6
	offLength  = 8
	offCRC     = 12
	offSeq     = 16
	offAt      = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Kind says what a record is. Values are stored: they are appended to, never
// reused.
//
// enum: local because it is part of the format of a log, which imports nothing
// of esper.
type Kind uint8

// The kinds of record. A transition belongs to the caller; the other three
// are about the log itself.
const (
	KindTransition Kind = 1 // an input and every event it caused
	KindCheckpoint Kind = 2 // a signed statement about the records before it
	KindRepair     Kind = 3 // a note that a person mended the log
	KindOrigin     Kind = 4 // record 1, and only record 1: what log this is
)

// String returns the name of the kind, or kind(n) for an unknown one.
func (k Kind) String() string {
	switch k {
	case KindTransition:
		return "transition"
	case KindCheckpoint:
		return "checkpoint"
	case KindRepair:
		return "repair"
	case KindOrigin:
		return "origin"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Valid reports whether this version of the format knows the kind.
func (k Kind) Valid() bool { return k >= KindTransition && k <= KindOrigin }

// Entry is one record of the log.
type Entry struct {
	Seq     uint64 // position in the log, from 1, without gaps
	At      int64  // plane time in nanoseconds since the Unix epoch, never decreasing
	Kind    Kind
	Payload []byte // at most MaxPayload bytes; may be empty

	// Lag is how many records, this one included, were not acknowledged when
	// this one was written: 1 for the first of a group. MaxLag stands for
	// itself and for everything above. The log sets it; Append ignores it.
	// After a power failure it tells an unfinished write from damage: see
	// Entry.Acknowledged.
	Lag uint16
}

// MaxLag is the largest Entry.Lag.
// constant: local because a log knows bytes and imports nothing of esper; the lag of a
// trainer is another thing.
const MaxLag = math.MaxUint16

// Acknowledged returns the last record that e proves to have been acknowledged
// before e was written, 0 if none.
func (e *Entry) Acknowledged() uint64 {
	if e.Lag == MaxLag || uint64(e.Lag) > e.Seq {
		return 0
	}
	return e.Seq - uint64(e.Lag)
}

// lagOf returns the Lag of record seq when durable is the last acknowledged one.
func lagOf(seq, durable uint64) uint16 { return uint16(min(seq-durable, MaxLag)) }

// AppendFrame appends the frame of e to dst and returns the longer slice. It
// does not judge e: a payload over MaxPayload, an unknown kind or a lag of 0
// gives a frame that DecodeFrame refuses. For every other entry DecodeFrame is the inverse.
func AppendFrame(dst []byte, e Entry) []byte {
	start := len(dst)
	var h [HeaderSize]byte
	binary.LittleEndian.PutUint32(h[offMagic:], frameMagic)
	h[offVersion] = frameVersion
	h[offKind] = byte(e.Kind)
	binary.LittleEndian.PutUint16(h[offLag:], e.Lag)
	binary.LittleEndian.PutUint32(h[offLength:], uint32(len(e.Payload)))
	binary.LittleEndian.PutUint64(h[offSeq:], e.Seq)
	binary.LittleEndian.PutUint64(h[offAt:], uint64(e.At))
	dst = append(dst, h[:]...)
	dst = append(dst, e.Payload...)
	binary.LittleEndian.PutUint32(dst[start+offCRC:], frameCRC(dst[start:]))
	return dst
}

// frameCRC computes the checksum over everything in the frame except the
// checksum itself, so a flipped kind or lag is noticed as well.
func frameCRC(frame []byte) uint32 {
	crc := crc32.Update(0, castagnoli, frame[:offCRC])
	return crc32.Update(crc, castagnoli, frame[offSeq:])
}

// DecodeFrame reads b as exactly one frame, without trailing bytes. The
// payload of the result aliases b. An error wraps ErrFrame, or ErrVersion for
// an intact frame of another format version. Bytes that are accepted encode
// to themselves again.
func DecodeFrame(b []byte) (Entry, error) {
	if err := checkHeader(b, len(b)); err != nil {
		return Entry{}, err
	}
	var e Entry
	if err := decode(&e, b); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// decode fills e from a frame that has passed checkHeader. It is apart from
// DecodeFrame because readers check the header before they read the payload.
func decode(e *Entry, b []byte) error {
	if got, want := frameCRC(b), binary.LittleEndian.Uint32(b[offCRC:]); got != want {
		return fmt.Errorf("%w: checksum is %08x, stored is %08x", ErrFrame, got, want)
	}
	if v := b[offVersion]; v != frameVersion {
		return fmt.Errorf("%w: frame has version %d, this program reads %d", ErrVersion, v, frameVersion)
	}
	if e.Lag = binary.LittleEndian.Uint16(b[offLag:]); e.Lag == 0 {
		return fmt.Errorf("%w: its lag is 0", ErrFrame)
	}
	e.Seq = binary.LittleEndian.Uint64(b[offSeq:])
	e.At = int64(binary.LittleEndian.Uint64(b[offAt:]))
	e.Kind = Kind(b[offKind])
	e.Payload = b[HeaderSize:len(b):len(b)]
	if !e.Kind.Valid() {
		return fmt.Errorf("%w: unknown %v", ErrFrame, e.Kind)
	}
	return nil
}

// checkHeader refuses what cannot be the beginning of a frame of size bytes,
// before anything of that size is read.
func checkHeader(b []byte, size int) error {
	if len(b) < HeaderSize {
		return fmt.Errorf("%w: %d bytes are fewer than a header", ErrFrame, len(b))
	}
	if m := binary.LittleEndian.Uint32(b[offMagic:]); m != frameMagic {
		return fmt.Errorf("%w: no frame starts here (magic %08x)", ErrFrame, m)
	}
	n := binary.LittleEndian.Uint32(b[offLength:])
	if n > MaxPayload {
		return fmt.Errorf("%w: payload length %d is over the limit", ErrFrame, n)
	}
	if int(n) != size-HeaderSize {
		return fmt.Errorf("%w: payload length is %d, but %d bytes are there", ErrFrame, n, size-HeaderSize)
	}
	return nil
}

// LeafHash returns the SHA-256 of the bytes of one frame. It is the leaf data
// of the record in the log's Merkle tree, and the anchor by which another
// file names the record.
func LeafHash(frame []byte) [sha256.Size]byte { return sha256.Sum256(frame) }
