package eventlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

// maxPruned is more than the file PRUNED can have: an origin of the longest name
// takes more than maxSmallFile.
const maxPruned = 16 << 10

// prunedMark is the content of the file PRUNED: the records before first were
// removed on purpose. Their hashes and seals stay.
type prunedMark struct {
	first  uint64 // first record that is kept
	origin []byte // frame of the last origin record before it
}

// String is the stored form of the marker; its last line is the CRC-32C of the
// lines before it.
func (m prunedMark) String() string {
	body := fmt.Sprintf("esper-log pruned\nfirst %d\norigin %s\n", m.first, base64.StdEncoding.EncodeToString(m.origin))
	return fmt.Sprintf("%scrc %08x\n", body, crc32.Checksum([]byte(body), castagnoli))
}

// parsePruned is the inverse of String.
func parsePruned(text string) (*prunedMark, bool) {
	var m prunedMark
	var origin, crc string
	_, err := fmt.Sscanf(text, "esper-log pruned\nfirst %d\norigin %s\ncrc %8s\n", &m.first, &origin, &crc)
	if err != nil || m.first < 2 {
		return nil, false
	}
	if m.origin, err = base64.StdEncoding.DecodeString(origin); err != nil {
		return nil, false
	}
	return &m, m.String() == text
}

// begin is the number of the first record that should be there.
func (m *prunedMark) begin() uint64 {
	if m == nil {
		return 1
	}
	return m.first
}

// segments bounds how many segments there may have been before the first one.
func (m *prunedMark) segments() int { return int(min(m.begin()-1, 1<<20)) }

// readPruned returns the marker, nil if there is none, or a DamageError.
func readPruned(dir string) (*prunedMark, error) {
	b, err := readSmall(filepath.Join(dir, prunedName), maxPruned)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, ok := parsePruned(string(b))
	if !ok {
		return nil, &DamageError{Segment: prunedName, Reason: "the note of what was pruned is not what Prune leaves"}
	}
	return m, nil
}
