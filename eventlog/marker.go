package eventlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

const (
	formatPrefix  = "esper-log "
	formatVersion = "0"
	formatText    = formatPrefix + formatVersion + "\n"
	maxSmallFile  = 4 << 10 // more than any marker has
)

// checkFormat reads the FORMAT file and tells a missing log, a log of another
// version and a damaged file apart.
func checkFormat(dir string) error {
	b, err := readSmall(filepath.Join(dir, formatName), maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return missingFormat(dir)
	}
	if err != nil {
		return err
	}
	text := string(b)
	if text == formatText {
		return nil
	}
	if text == backupFormatText {
		return fmt.Errorf("%w: %s; make a log of it with Restore", ErrBackup, dir)
	}
	if v, ok := strings.CutPrefix(text, formatPrefix); ok && len(v) > 1 && strings.Index(v, "\n") == len(v)-1 {
		return fmt.Errorf("%w: the log has format %q, this program reads %q", ErrVersion, v[:len(v)-1], formatVersion)
	}
	return &DamageError{Segment: formatName, Reason: fmt.Sprintf("its text is %q, not %q", text, formatText)}
}

// missingFormat distinguishes a directory without a log from a log whose
// FORMAT file is gone.
func missingFormat(dir string) error {
	found, err := exists(filepath.Join(dir, segmentsName))
	if err != nil {
		return err
	}
	if found {
		return &DamageError{Segment: formatName, Reason: "the file is missing, but segments are there"}
	}
	return fmt.Errorf("%w: no log in %s", ErrNotFound, dir)
}

// checkCommitted tells a log from one that Create has not finished: before the
// rename of segments.new nothing but FORMAT, LOCK and segments.new exists.
func checkCommitted(dir string) error {
	found, err := exists(filepath.Join(dir, segmentsName))
	if err != nil || found {
		return err
	}
	for _, trace := range []string{cleanName, watermarkName, tornName, sealsName, hashesName, noteName, archiveName, prunedName} {
		found, err := exists(filepath.Join(dir, trace))
		if err != nil {
			return err
		}
		if found {
			return &DamageError{Segment: segmentsName, Seq: 1, Reason: "the directory of the segments is missing"}
		}
	}
	return fmt.Errorf("%w: the creation of a log in %s was not finished; create it again", ErrNotFound, dir)
}

// cleanMark is the content of the CLEAN file: what the log was when its last
// writer closed it.
type cleanMark struct {
	seq  uint64   // last record
	leaf [32]byte // its leaf hash
	root [32]byte // of the Merkle tree
	tail string   // name of the last segment
	size int64    // its length
}

// String is the stored form of the marker; its last line is the CRC-32C of the
// lines before it.
func (m cleanMark) String() string {
	body := fmt.Sprintf("esper-log clean\nseq %d\nleaf %x\nroot %x\ntail %s %d\n", m.seq, m.leaf, m.root, m.tail, m.size)
	return fmt.Sprintf("%scrc %08x\n", body, crc32.Checksum([]byte(body), castagnoli))
}

// parseClean is the inverse of String. Only the exact stored form is accepted.
func parseClean(text string) (cleanMark, bool) {
	var m cleanMark
	var leaf, root, crc string
	_, err := fmt.Sscanf(text, "esper-log clean\nseq %d\nleaf %64s\nroot %64s\ntail %20s %d\ncrc %8s\n", &m.seq, &leaf, &root, &m.tail, &m.size, &crc)
	if err != nil || !parseHash(&m.leaf, leaf) || !parseHash(&m.root, root) {
		return m, false
	}
	return m, m.String() == text
}

func parseHash(dst *[32]byte, text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && copy(dst[:], raw) == len(dst) && len(raw) == len(dst)
}

// readClean returns the marker, nil if there is none, or a DamageError.
func readClean(dir string) (*cleanMark, error) {
	b, err := readSmall(filepath.Join(dir, cleanName), maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, ok := parseClean(string(b))
	if !ok {
		return nil, &DamageError{Segment: cleanName, Reason: "the clean-shutdown marker is not what a writer leaves"}
	}
	return &m, nil
}

// writeClean leaves the marker. Before the rename is durable the log counts as
// not closed, which costs a rewrite of the tail and nothing else.
func writeClean(fsys disk.FS, dir string, m cleanMark) error {
	name := filepath.Join(dir, cleanName)
	return replaceFile(fsys, name+tempSuffix, name, strings.NewReader(m.String()))
}
