package eventlog

import (
	"errors"
	"fmt"
)

// oldLog is what a log is restored from.
type oldLog struct {
	dir    string
	last   uint64 // record to take over
	whole  bool   // nothing behind it is left out
	list   []uint64
	pruned *prunedMark
	mark   *BackupMark // nil: it is a log
	note   []byte      // its checkpoint, nil: none
}

func openOld(dir string, upto uint64) (*oldLog, error) {
	s := &oldLog{dir: dir, whole: upto == 0}
	err := checkFormat(dir)
	if errors.Is(err, ErrBackup) {
		err = s.openBackup()
	} else if err == nil {
		err = s.openLog()
	}
	if err != nil {
		return nil, err
	}
	if upto > 0 {
		if s.last > 0 && upto > s.last {
			return nil, fmt.Errorf("%w: record %d; the last one is %d", ErrNotFound, upto, s.last)
		}
		s.last = upto
	}
	if s.list, s.pruned, err = listSegments(dir); err != nil {
		return nil, err
	}
	if s.last < s.pruned.begin() {
		return nil, fmt.Errorf("%w: record %d; the first one is %d", ErrPruned, s.last, s.pruned.begin())
	}
	s.note, err = readNote(dir)
	return s, err
}

func (s *oldLog) openBackup() error {
	m, err := BackupInfo(s.dir)
	s.mark, s.last = &m, m.Last
	return err
}

// openLog looks at a log as Open does, unless it is cut anyway.
func (s *oldLog) openLog() error {
	live, err := writerAlive(s.dir)
	if err != nil {
		return err
	}
	if live {
		return fmt.Errorf("%w: %s has a writer; make a backup of it, and restore that", ErrLocked, s.dir)
	}
	if err := checkCommitted(s.dir); err != nil || !s.whole {
		return err
	}
	v, err := look(s.dir, false)
	if err != nil {
		return err
	}
	if _, err := v.judge(lenience{}); err != nil {
		return err
	}
	o, err := v.readOrigin(s.dir)
	if err == nil {
		_, err = v.checkNote(s.dir, o)
	}
	s.last = v.seq
	return err
}
