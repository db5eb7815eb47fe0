package eventlog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

const (
	// backupFormatText is what FORMAT says in a backup, so that nobody takes it
	// for a log.
	backupFormatText = "esper-log-backup 0\n"
	backupName       = "BACKUP"
	// previousName is the directory of the newest checkpoints of the logs that a
	// log was restored from, each named by the number of the last record that was
	// taken over.
	previousName = "previous"
)

// Errors of backups.
var (
	// ErrBackup says that the directory holds a backup of a log, and no log.
	ErrBackup = errors.New("eventlog: this is a backup of a log, not a log")
	// ErrNotBackup says that the directory holds something else than a backup.
	ErrNotBackup = errors.New("eventlog: not a backup of a log")
	// ErrForked says that two directories do not hold the same history: neither
	// continues the other. Nothing was changed.
	ErrForked = errors.New("eventlog: another history")
)

// BackupMark says what a backup holds: the content of its file BACKUP. Files may
// hold more than that, if a later backup into the same directory was stopped.
type BackupMark struct {
	Origin string   // name of the log, from its newest origin record
	First  uint64   // first record, 1 unless the log was pruned before the first backup
	Last   uint64   // last record
	At     int64    // time of the last record, nanoseconds since the Unix epoch
	Leaf   [32]byte // leaf hash of the last record
	Root   [32]byte // of the Merkle tree of the records 1 to Last
	// Segment is the number of the first record of the segment that is not whole,
	// and Bytes where the last record ends in it, not compressed; Last+1 and 0 if
	// there is none. All segments before it have a seal.
	Segment uint64
	Bytes   int64
	Taken   int64 // when the backup was finished, nanoseconds since the Unix epoch
}

// String is the stored form; its last line is the CRC-32C of the lines before it.
func (m BackupMark) String() string {
	body := fmt.Sprintf("esper-log backup\norigin %s\nfirst %d\nlast %d\nat %d\nleaf %x\nroot %x\ntail %s %d\ntaken %d\n",
		m.Origin, m.First, m.Last, m.At, m.Leaf, m.Root, segmentName(m.Segment), m.Bytes, m.Taken)
	return fmt.Sprintf("%scrc %08x\n", body, crc32.Checksum([]byte(body), castagnoli))
}

// parseBackupMark is the inverse of String. Only the exact stored form is
// accepted.
func parseBackupMark(text string) (BackupMark, bool) {
	var m BackupMark
	var leaf, root, tail, crc string
	_, err := fmt.Sscanf(text, "esper-log backup\norigin %s\nfirst %d\nlast %d\nat %d\nleaf %64s\nroot %64s\ntail %20s %d\ntaken %d\ncrc %8s\n",
		&m.Origin, &m.First, &m.Last, &m.At, &leaf, &root, &tail, &m.Bytes, &m.Taken, &crc)
	if err != nil || !parseHash(&m.Leaf, leaf) || !parseHash(&m.Root, root) {
		return m, false
	}
	var ok bool
	if m.Segment, ok = parseSegmentName(tail); !ok {
		return m, false
	}
	sound := m.First >= 1 && m.First <= m.Segment && m.First <= m.Last &&
		(m.Segment <= m.Last && m.Bytes > 0 || m.Segment == m.Last+1 && m.Bytes == 0)
	return m, sound && m.String() == text
}

// BackupInfo reads what a backup holds. It checks the file BACKUP and nothing
// else: see CheckBackup. The error is ErrNotBackup for any other directory,
// ErrNotFound when no backup into the directory was ever finished, or a
// *DamageError.
func BackupInfo(dir string) (BackupMark, error) {
	if err := checkBackupFormat(dir); err != nil {
		return BackupMark{}, err
	}
	b, err := readSmall(filepath.Join(dir, backupName), maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return BackupMark{}, fmt.Errorf("%w: no backup in %s was finished", ErrNotFound, dir)
	}
	if err != nil {
		return BackupMark{}, err
	}
	m, ok := parseBackupMark(string(b))
	if !ok {
		return m, &DamageError{Segment: backupName, Reason: "it is not what Backup leaves"}
	}
	return m, nil
}

// checkBackupFormat reads FORMAT.
func checkBackupFormat(dir string) error {
	b, err := readSmall(filepath.Join(dir, formatName), maxSmallFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s has no file %s", ErrNotBackup, dir, formatName)
	case err != nil:
		return err
	case string(b) != backupFormatText:
		return fmt.Errorf("%w: %s in %s says %q", ErrNotBackup, formatName, dir, b)
	}
	return nil
}
