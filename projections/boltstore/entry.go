package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// entry is one save.
type entry struct {
	anchor  Anchor
	decider uint32
	blob    []byte
}

// headerSize is the length of everything before the blob.
const headerSize = sha256.Size + 4 + 8 + 8 + sha256.Size

// encodeEntry makes the value that is stored under key.
func encodeEntry(key []byte, a Anchor, decider uint32, blob []byte) []byte {
	v := make([]byte, sha256.Size, headerSize+len(blob))
	v = binary.BigEndian.AppendUint32(v, decider)
	v = binary.BigEndian.AppendUint64(v, uint64(a.Seq))
	v = binary.BigEndian.AppendUint64(v, uint64(a.At))
	v = append(v, a.Leaf[:]...)
	v = append(v, blob...)
	sum := checksum(key, v)
	copy(v, sum[:])
	return v
}

// decodeEntry is the inverse of encodeEntry. Nothing in the result aliases the
// value.
func decodeEntry(key, value []byte) (entry, error) {
	if len(value) < headerSize {
		return entry{}, fmt.Errorf("entry %x has %d bytes, at least %d are needed", key, len(value), headerSize)
	}
	v := bytes.Clone(value) // first, so that what is checked is what is returned
	if sum := checksum(key, v); !bytes.Equal(sum[:], v[:sha256.Size]) {
		return entry{}, fmt.Errorf("entry %x fails its checksum", key)
	}
	rest := v[sha256.Size:]
	e := entry{decider: binary.BigEndian.Uint32(rest)}
	e.anchor.Seq = leyline.Seq(binary.BigEndian.Uint64(rest[4:]))
	e.anchor.At = leyline.Instant(binary.BigEndian.Uint64(rest[12:]))
	e.anchor.Leaf = leyline.Digest(rest[20 : 20+sha256.Size])
	e.blob = v[headerSize:]
	return e, nil
}

// checksum covers the key and all of the value behind the checksum's place.
func checksum(key, value []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(key)
	h.Write(value[sha256.Size:])
	return [sha256.Size]byte(h.Sum(nil))
}
