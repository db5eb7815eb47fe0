package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const rawFileName = "records"

// Lengths of what stands before a record in a raw file.
const (
	rawPrefix     = 4 // length
	checkedPrefix = 8 // length, CRC-32C
)

// zerofilledSize is the length of the file that is written over and over. It is
// far longer than a group, and short enough to be filled before each run.
const zerofilledSize = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rawLog appends length-prefixed records to a bare file.
type rawLog struct {
	file    *os.File
	checked bool // whether a checksum follows the length
	buf     []byte
}

// createRaw is the peer that the ratios are about.
func createRaw(dir string) (*rawLog, error) {
	file, err := os.Create(filepath.Join(dir, rawFileName))
	if err != nil {
		return nil, err
	}
	return &rawLog{file: file}, nil
}

// createChecked writes the file that a checked sequential read reads.
func createChecked(dir string) (*rawLog, error) {
	l, err := createRaw(dir)
	if err != nil {
		return nil, err
	}
	l.checked = true
	return l, nil
}

func (l *rawLog) AppendGroup(records [][]byte) error {
	l.buf = l.buf[:0]
	for _, r := range records {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, uint32(len(r)))
		if l.checked {
			l.buf = binary.LittleEndian.AppendUint32(l.buf, crc32.Checksum(r, castagnoli))
		}
		l.buf = append(l.buf, r...)
	}
	if _, err := l.file.Write(l.buf); err != nil {
		return err
	}
	return unix.Fdatasync(int(l.file.Fd()))
}

func (l *rawLog) Close() error { return l.file.Close() }

// zerofilledLog writes length-prefixed records into a file whose blocks exist
// and are initialised, so that a sync has no metadata to write. At the end of
// the file it goes on at the beginning, which costs the same, as it does for a
// log that recycles its files. It cannot be read back: this is what the disk can
// do, not a log.
type zerofilledLog struct {
	file *os.File
	at   int64 // Invariant: at most zerofilledSize
	buf  []byte
}

func createZerofilled(dir string) (*zerofilledLog, error) {
	file, err := os.Create(filepath.Join(dir, rawFileName))
	if err != nil {
		return nil, err
	}
	l := &zerofilledLog{file: file}
	if err := l.fill(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

func (l *zerofilledLog) fill() error {
	zeros := make([]byte, 1<<20)
	for range zerofilledSize / len(zeros) {
		if _, err := l.file.Write(zeros); err != nil {
			return err
		}
	}
	return l.file.Sync()
}

func (l *zerofilledLog) AppendGroup(records [][]byte) error {
	l.buf = l.buf[:0]
	for _, r := range records {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, uint32(len(r)))
		l.buf = append(l.buf, r...)
	}
	if l.at+int64(len(l.buf)) > zerofilledSize {
		l.at = 0
	}
	n, err := l.file.WriteAt(l.buf, l.at)
	if err != nil {
		return err
	}
	l.at += int64(n)
	return unix.Fdatasync(int(l.file.Fd()))
}

func (l *zerofilledLog) Close() error { return l.file.Close() }

// rawReader reads what createChecked has made.
type rawReader struct {
	file *os.File
}

func openRaw(dir string) (*rawReader, error) {
	file, err := os.Open(filepath.Join(dir, rawFileName))
	if err != nil {
		return nil, err
	}
	return &rawReader{file: file}, nil
}

func (r *rawReader) Each(visit func(record []byte)) error {
	in := bufio.NewReaderSize(r.file, 1<<20)
	var prefix [checkedPrefix]byte
	var record []byte
	for {
		if _, err := io.ReadFull(in, prefix[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		size := int(binary.LittleEndian.Uint32(prefix[:]))
		if size > cap(record) {
			record = make([]byte, size)
		}
		record = record[:size]
		if _, err := io.ReadFull(in, record); err != nil {
			return err
		}
		if got, want := crc32.Checksum(record, castagnoli), binary.LittleEndian.Uint32(prefix[rawPrefix:]); got != want {
			return fmt.Errorf("checksum is %08x, stored is %08x", got, want)
		}
		visit(record)
	}
}

func (r *rawReader) Close() error { return r.file.Close() }
