package eventlog

import "github.com/esper-plane/esper/eventlog/internal/disk"

// ArchiveOn is Archive on another disk.
func ArchiveOn(fsys disk.FS, dir string, o ArchiveOptions) (ArchiveReport, error) {
	return archive(fsys, dir, o)
}

// PruneOn is Prune on another disk.
func PruneOn(fsys disk.FS, dir string, o PruneOptions) (PruneReport, error) {
	return prune(fsys, dir, o)
}

// BackupOn is Backup on another disk, at time 7.
func BackupOn(fsys disk.FS, dir, dest string) (BackupReport, error) {
	return backup(fsys, dir, dest, func() int64 { return 7 })
}

// RestoreOn is Restore on another disk.
func RestoreOn(fsys disk.FS, source, dest string, o RestoreOptions) (RestoreReport, error) {
	return restore(fsys, source, dest, o)
}

// ParseBackupMark parses the content of BACKUP.
func ParseBackupMark(text string) (BackupMark, bool) { return parseBackupMark(text) }

// ReadPrunedText parses the content of PRUNED and returns its stored form.
func ReadPrunedText(text string) (again string, ok bool) {
	m, ok := parsePruned(text)
	if !ok {
		return "", false
	}
	return m.String(), true
}
