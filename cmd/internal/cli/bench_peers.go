package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
)

// benchSink takes durable appends from many producers.
type benchSink interface {
	// producer returns the append function of one more producer; it returns
	// when the record is durable.
	producer() func(record []byte) error
	close() error
}

// benchPeer is one of those that are compared.
type benchPeer struct {
	name string
	open func(dir string) (benchSink, error)
}

const (
	peerEsper      = "esper"
	peerRaw        = "raw"
	peerZeroFilled = "zero-filled"
)

// benchPeers returns the peers; zeros is a file made by zeroFile.
func benchPeers(zeros string) []benchPeer {
	return []benchPeer{{peerEsper, openBenchLog}, {peerRaw, openRawFile}, {peerZeroFilled, func(string) (benchSink, error) { return openZeroFile(zeros) }}}
}

// benchLog is an event log behind its own front.
type benchLog struct {
	log      *eventlog.Log
	appender *eventlog.Appender
}

func openBenchLog(dir string) (benchSink, error) {
	now := func() int64 { return time.Now().UnixNano() }
	l, err := eventlog.Create(filepath.Join(dir, "log"), eventlog.Origin{Name: "esper-bench"}, now(), eventlog.Options{})
	if err != nil {
		return nil, err
	}
	return &benchLog{l, eventlog.NewAppender(l, now)}, nil
}

func (b *benchLog) producer() func([]byte) error {
	return func(record []byte) error {
		_, err := b.appender.Append(context.Background(), record[eventlog.HeaderSize:])
		return err
	}
}

func (b *benchLog) close() error { return errors.Join(b.appender.Close(), b.log.Close()) }

// rawFile appends length-prefixed records to a bare file: one write and one sync
// of the data for a group.
type rawFile struct {
	f   *os.File
	buf []byte
}

func openRawFile(dir string) (benchSink, error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return nil, err
	}
	return newGroupFront(&rawFile{f: f}), nil
}

func (r *rawFile) appendGroup(records [][]byte) error {
	r.buf = prefixed(r.buf[:0], records)
	if _, err := r.f.Write(r.buf); err != nil {
		return err
	}
	return unix.Fdatasync(int(r.f.Fd()))
}

func (r *rawFile) close() error { return r.f.Close() }

func prefixed(dst []byte, records [][]byte) []byte {
	for _, rec := range records {
		dst = append(binary.AppendUvarint(dst, uint64(len(rec))), rec...)
	}
	return dst
}

// zeroFileSize is far more than a group, and little enough to be filled at once.
const zeroFileSize = 64 << 20

// zeroFilled writes into a file whose blocks exist and are initialised, so that
// a sync has nothing but data to write, and at its end goes on at the beginning.
// It cannot be read back: it is what the disk can do, not a log.
type zeroFilled struct {
	f   *os.File
	at  int64 // Invariant: at most zeroFileSize
	buf []byte
}

// makeZeroFile writes the file that all runs of zeroFilled share.
func makeZeroFile(name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros := make([]byte, 1<<20)
	for range zeroFileSize / len(zeros) {
		if _, err := f.Write(zeros); err != nil {
			return err
		}
	}
	return f.Sync()
}

func openZeroFile(name string) (benchSink, error) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return newGroupFront(&zeroFilled{f: f}), nil
}

func (z *zeroFilled) appendGroup(records [][]byte) error {
	z.buf = prefixed(z.buf[:0], records)
	if z.at+int64(len(z.buf)) > zeroFileSize {
		z.at = 0
	}
	n, err := z.f.WriteAt(z.buf, z.at)
	if err != nil {
		return err
	}
	z.at += int64(n)
	return unix.Fdatasync(int(z.f.Fd()))
}

func (z *zeroFilled) close() error { return z.f.Close() }
