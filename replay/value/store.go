package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// ErrOtherExperiment: rows that are there are not of this protocol, build or settings.
var ErrOtherExperiment = errors.New("the rows are of another experiment")

// Store keeps rows as JSON lines in a file. One process writes at a time.
type Store struct {
	file *os.File
	rows []Row
	// Cut is the number of bytes of a row that was being written when a process died;
	// they were cut off, and that run is made again.
	Cut int
}

// OpenStore opens the file of rows, or makes it. Errors: another process has it; a
// line that is no row, by number; two rows of one run.
func OpenStore(path string) (*Store, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Store{file: f}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return s, nil
}

func (s *Store) load() error {
	if err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another process writes to it: %w", err)
	}
	b, err := io.ReadAll(s.file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	if s.Cut = len(b) - whole; s.Cut > 0 {
		if err := s.file.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(b[:whole], []byte("\n")), []byte("\n")) {
		if whole == 0 {
			break
		}
		row, err := decodeRow(line)
		if err == nil && s.Find(row.Key) != nil {
			err = errors.New("a run that is there already")
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		s.rows = append(s.rows, row)
	}
	return nil
}

// decodeRow reads one line. It is exact: a field that no row has is an error.
func decodeRow(line []byte) (Row, error) {
	var r Row
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("more than one value")
	}
	if r.Workload == "" || r.Arm == "" || r.Protocol == (leyline.Digest{}) {
		return r, errors.New("no row: workload, arm or protocol is missing")
	}
	return r, nil
}

// Rows returns what is there, in the order of the file. It must not be changed.
func (s *Store) Rows() []Row { return s.rows }

// Find returns the row of a run; nil when there is none.
func (s *Store) Find(k Key) *Row {
	for i := range s.rows {
		if s.rows[i].Key == k {
			return &s.rows[i]
		}
	}
	return nil
}

// Add makes a row durable.
func (s *Store) Add(r Row) error {
	if s.Find(r.Key) != nil {
		return fmt.Errorf("the row of %s, %s, seed %d is there already", r.Workload, r.Arm, r.Seed)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.rows = append(s.rows, r)
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.file.Close() }
