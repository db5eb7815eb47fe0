package eventlog

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/esper-plane/esper/eventlog/tree"
)

// A seal says what a segment was when all of it had been written, synced and
// hashed. Opening a log relies on seals instead of reading what they cover;
// readers and fsck check every byte all the same.
//
// The file of the seals has one line for each sealed segment, in order, each
// with a CRC-32C of its own. A line is written after the segment, and the
// hashes of its records in the file of the hashes, are durable. Both files can
// be computed again from the segments, as long as these are there.
type seal struct {
	first, next uint64        // the segment holds the records first to next-1
	bytes       int64         // its length, not compressed
	at          int64         // time of its last record
	origin      uint64        // number of the last origin record up to its end
	tree        tree.Frontier // of the records 1 to next-1
}

// maxSealLine is more than any seal has: 64 hashes and five numbers.
const maxSealLine = 4 << 10

// sealFields is the number of words in the line of a seal.
const sealFields = 8

const hashSize = len(tree.Hash{})

// String is the stored form of a seal, one line.
func (s *seal) String() string {
	var hashes []byte
	for _, h := range s.tree.Hashes() {
		hashes = append(hashes, h[:]...)
	}
	body := fmt.Sprintf("seal %d %d %d %d %d %s", s.first, s.next, s.bytes, s.at, s.origin, base64.StdEncoding.EncodeToString(hashes))
	return fmt.Sprintf("%s %08x\n", body, crc32.Checksum([]byte(body), castagnoli))
}

// parseSeal is the inverse of String. Only the exact stored form is accepted.
func parseSeal(line string) (seal, bool) {
	var s seal
	field := strings.Split(line, " ")
	if len(field) != sealFields {
		return s, false
	}
	var err error
	count := func(i int) uint64 {
		n, e := strconv.ParseUint(field[i], 10, 64)
		err = errors.Join(err, e)
		return n
	}
	signed := func(i int) int64 {
		n, e := strconv.ParseInt(field[i], 10, 64)
		err = errors.Join(err, e)
		return n
	}
	s.first, s.next, s.bytes, s.at, s.origin = count(1), count(2), signed(3), signed(4), count(5)
	if err != nil || s.first == 0 || s.next <= s.first {
		return s, false
	}
	raw, err := base64.StdEncoding.DecodeString(field[6])
	if err != nil || len(raw)%hashSize != 0 {
		return s, false
	}
	hashes := make([]tree.Hash, len(raw)/hashSize)
	for i := range hashes {
		copy(hashes[i][:], raw[i*hashSize:])
	}
	if s.tree, err = tree.Resume(int64(s.next-1), hashes); err != nil {
		return s, false
	}
	return s, s.String() == line // the word seal, the checksum and the way numbers are written
}

// sealFile is what the file of the seals says.
type sealFile struct {
	seals []seal
	// end is the length of the lines that are whole; what follows is the rest
	// of a write that was stopped, or damage.
	end int64
}

// readSeals reads the seals up to the first line that is not one, or does not
// continue the line before it, and not more than there are segments. What it
// holds at a time is bounded by what is good.
func readSeals(dir string, segments int) (sealFile, error) {
	var f sealFile
	file, err := os.Open(filepath.Join(dir, sealsName))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, maxSealLine)
	for next := uint64(1); len(f.seals) <= segments; {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return f, nil
		}
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return f, fmt.Errorf("cannot read %s: %w", file.Name(), err)
		}
		s, ok := parseSeal(string(line))
		if !ok || s.first != next {
			return f, nil
		}
		f.seals, f.end, next = append(f.seals, s), f.end+int64(len(line)), s.next
	}
	return f, nil
}

// hashesLen is the length of the file of the hashes when it holds those of n
// records.
func hashesLen(n uint64) int64 { return tree.StoredCount(int64(n)) * int64(hashSize) }

// encodeHashes is the stored form of hashes.
func encodeHashes(list []tree.Hash) []byte {
	b := make([]byte, 0, len(list)*hashSize)
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}
