package eventlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// The watermark file holds, little endian: magic u32 | crc32c u32 over the
// rest | seq u64 | complement of seq u64. It is rewritten in place by a single
// write after each sync and never synced itself: it may lag behind what is
// durable after a power failure, and it is never ahead.
const (
	watermarkMagic uint32 = 'E' | 'S'<<8 | 'P'<<16 | 'W'<<24
	watermarkSize         = 24
)

func encodeWatermark(seq uint64) [watermarkSize]byte {
	var b [watermarkSize]byte
	binary.LittleEndian.PutUint32(b[0:], watermarkMagic)
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint64(b[16:], ^seq)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// decodeWatermark reports false for everything encodeWatermark does not
// return, such as a read that met a write half way.
func decodeWatermark(b []byte) (uint64, bool) {
	if len(b) != watermarkSize {
		return 0, false
	}
	seq := binary.LittleEndian.Uint64(b[8:])
	return seq, seq != 0 && encodeWatermark(seq) == [watermarkSize]byte(b)
}

// watermark is what the file says: seq is 0 if there is none that can be
// trusted, and broken tells that there is a file all the same.
type watermark struct {
	seq    uint64
	broken bool
}

// readWatermark returns the published watermark. A torn read is read again.
func readWatermark(dir string) (watermark, error) {
	const attempts = 8
	for range attempts {
		b, err := readSmall(filepath.Join(dir, watermarkName), watermarkSize+1)
		if errors.Is(err, fs.ErrNotExist) {
			return watermark{}, nil
		}
		if err != nil {
			return watermark{}, err
		}
		if seq, ok := decodeWatermark(b); ok {
			return watermark{seq: seq}, nil
		}
	}
	return watermark{broken: true}, nil
}

// publishWatermark tells readers in other processes that all records up to seq
// are durable.
func publishWatermark(f disk.File, seq uint64) error {
	b := encodeWatermark(seq)
	_, err := f.WriteAt(b[:], 0)
	return err
}
