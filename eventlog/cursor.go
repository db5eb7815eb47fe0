package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"sort"
)

// cursor reads records in order from the segment files, on its own
// descriptors. It checks every frame that it returns. It must not be asked for
// a record that is not durable: behind the last durable record the files may
// change under it.
type cursor struct {
	dir   string
	list  []uint64 // segments from f on, as they were at seek; more may come
	f     segmentFile
	first uint64 // number in the name of f
	fr    frameReader
	next  uint64 // the record that read returns next
	at    int64
	entry Entry  // the record that was read last; its payload aliases frame
	frame []byte // its frame, valid until the next read
}

// seek opens the segment that holds record from and moves to that record. What
// lies before it in the segment is read and checked: at most one segment.
func (c *cursor) seek(dir string, from uint64) error {
	list, pruned, err := listSegments(dir)
	if err != nil {
		return err
	}
	if from < pruned.begin() {
		return fmt.Errorf("%w: record %d; the log begins with record %d", ErrPruned, from, pruned.begin())
	}
	i := sort.Search(len(list), func(i int) bool { return list[i] > from })
	if i == 0 {
		return fmt.Errorf("%w: record %d", ErrNotFound, from)
	}
	c.dir, c.list, c.at = dir, list[i-1:], anyTime
	if err := c.open(list[i-1]); err != nil {
		return err
	}
	for c.next < from {
		if err := c.read(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cursor) open(first uint64) error {
	f, err := openSegment(c.dir, first)
	if err != nil {
		return err
	}
	c.close()
	c.f, c.first, c.next = f, first, first
	c.fr.reset(f, 0)
	return nil
}

// advance opens the segment after the current one, which has ended.
func (c *cursor) advance() error {
	if len(c.list) > 1 {
		if c.list = c.list[1:]; c.list[0] != c.next {
			return c.damage(fmt.Errorf("the segment ends here, but the next one is %s", segmentName(c.list[0])))
		}
	}
	return c.open(c.next)
}

// close may be called at any time, more than once.
func (c *cursor) close() {
	if c.f != nil {
		c.f.Close() // opened for reading only: nothing to lose
		c.f = nil
	}
}

// refresh drops what was read ahead, which may lie behind a watermark that has
// moved since.
func (c *cursor) refresh() {
	c.fr.skip()
	c.fr.reset(c.f, c.fr.off)
}

// read moves the next record into c.entry and c.frame.
func (c *cursor) read() error {
	frame, err := c.fr.next()
	if err == io.EOF && c.next != c.first {
		if err = c.advance(); err != nil {
			return err
		}
		frame, err = c.fr.next()
	}
	if err == nil {
		err = order{c.next, c.at}.check(&c.entry, frame)
	}
	if err != nil {
		return c.explain(err)
	}
	c.next, c.at, c.frame = c.next+1, c.entry.At, frame
	return nil
}

// explain turns the reason why a record was not read into the error to return:
// either the file cannot be read, or its content is not what was written.
func (c *cursor) explain(err error) error {
	var path *fs.PathError
	switch {
	case err == io.EOF:
		return c.damage(errors.New("the segment is empty"))
	case errors.As(err, &path):
		return fmt.Errorf("cannot read %s: %w", filepath.Join(c.dir, segmentPath(c.first)), err)
	}
	return c.damage(err)
}

func (c *cursor) damage(cause error) error {
	name := segmentPath(c.first)
	if _, ok := c.f.(*archived); ok {
		name = archivePath(c.first)
	}
	return &DamageError{Segment: name, Offset: c.fr.off, Seq: c.next, Reason: cause.Error()}
}

// readRange yields the records from..last. It is the whole of reading a log
// whose end is known.
func readRange(dir string, from, last uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if from = max(from, 1); from > last {
			return
		}
		var c cursor
		defer c.close()
		if err := c.seek(dir, from); err != nil {
			yield(Entry{}, err)
			return
		}
		c.drain(last, yield)
	}
}

// drain yields records up to last and reports whether the caller wants more.
func (c *cursor) drain(last uint64, yield func(Entry, error) bool) bool {
	for c.next <= last {
		if err := c.read(); err != nil {
			yield(Entry{}, err)
			return false
		}
		if !yield(c.entry, nil) {
			return false
		}
	}
	return true
}

// readFrame returns the frame of one record.
func readFrame(dir string, seq uint64) ([]byte, error) {
	var c cursor
	defer c.close()
	if err := c.seek(dir, seq); err != nil {
		return nil, err
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c.frame, nil
}
