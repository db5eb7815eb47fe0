package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// mend makes an unclean log fit for writing. What was read may exist only in
// the page cache, so the tail segment is written to a new file, which is
// synced before it takes the name of the old one. If we stop at any step, the
// next opening finds the same records and does all of it again.
func (v *survey) mend(fsys disk.FS, dir string, r *Report, log hclog.Logger) error {
	name := filepath.Join(dir, segmentPath(v.tail.first))
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.TornBytes > 0 {
		if r.SavedTo, err = saveTail(fsys, dir, f, v.tail); err != nil {
			return fmt.Errorf("cannot save the torn tail: %w", err)
		}
	}
	if r.Reason != "" {
		log.Warn("the end of the log is not whole", "reason", r.Reason, "segment", r.TornSegment, "offset", r.TornOffset, "bytes", r.TornBytes, "saved", r.SavedTo)
	}
	temp := filepath.Join(dir, rewriteName)
	if err := replaceFile(fsys, temp, name, io.NewSectionReader(f, 0, v.tail.end)); err != nil {
		return fmt.Errorf("cannot rewrite the tail segment: %w", err)
	}
	log.Info("recovered a log that was not closed", "last", v.seq, "acknowledged", v.watermark.seq, "zeros", r.ZeroTail)
	v.tail.size = v.tail.end
	return nil
}

// saveTail copies what is about to be cut into a file of its own, durably.
func saveTail(fsys disk.FS, dir string, f *os.File, s segmentScan) (string, error) {
	if err := makeDir(fsys, filepath.Join(dir, tornName)); err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		saved := filepath.Join(tornName, fmt.Sprintf("%s-%d-%d", segmentName(s.first), s.end, i))
		g, err := fsys.OpenFile(filepath.Join(dir, saved), os.O_CREATE|os.O_EXCL|os.O_WRONLY, filePerm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(g, io.NewSectionReader(f, s.end, s.size-s.end))
		if err == nil {
			err = g.Sync()
		}
		if err = errors.Join(err, g.Close()); err != nil {
			return "", err
		}
		return saved, fsys.SyncDir(filepath.Join(dir, tornName))
	}
}
