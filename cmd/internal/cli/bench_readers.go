package cli

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/esper-plane/esper/eventlog"
)

// logReader reads a log from its first record and returns how many it has read,
// at most as many as are wanted.
type logReader struct {
	name string
	read func(ctx context.Context, want int) (int, error)
}

// logReaders returns the readers of the log in dir.
func logReaders(l *eventlog.Log, dir string) []logReader {
	return []logReader{
		{peerRaw, func(ctx context.Context, _ int) (int, error) { return readRaw(ctx, dir) }},
		{"All", func(ctx context.Context, want int) (int, error) { return countRecords(ctx, l.All(1), want) }},
		{"Follow", func(ctx context.Context, want int) (int, error) { return countRecords(ctx, l.Follow(ctx, 1), want) }},
	}
}

// once measures one read of everything.
func (r logReader) once(ctx context.Context, want int, m *meter) (readRun, error) {
	debug.FreeOSMemory()
	m.begin()
	begun := time.Now()
	n, err := r.read(ctx, want)
	run := readRun{seconds: time.Since(begun).Seconds(), grown: m.end()}
	if err == nil && n != want {
		err = fmt.Errorf("read %d records, not %d", n, want)
	}
	return run, err
}

// interval is how many records are read between two looks at the context.
const interval = 4096

// countRecords reads until it has seen as many records as are wanted.
func countRecords(ctx context.Context, entries iter.Seq2[eventlog.Entry, error], want int) (n int, err error) {
	for _, err := range entries {
		if err != nil {
			return n, err
		}
		if n++; n == want {
			return n, nil
		}
		if n%interval == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
	return n, nil
}

// segmentNames returns the files of a log that was closed, in order.
func segmentNames(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "segments", "*"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there are no segments in %s", dir)
	}
	return names, err
}

// warmSegments brings a log into the page cache and returns its length.
func warmSegments(dir string) (bytes int64, err error) {
	names, err := segmentNames(dir)
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return bytes, err
		}
		n, err := io.Copy(io.Discard, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return bytes, err
		}
		bytes += n
	}
	return bytes, err
}

// readRaw is the least that a reader which checks must do.
func readRaw(ctx context.Context, dir string) (n int, err error) {
	names, err := segmentNames(dir)
	if err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(nil, 1<<20)
	for _, name := range names {
		if n, err = readRawFile(ctx, in, name, n); err != nil {
			return n, fmt.Errorf("%s: %w", name, err)
		}
	}
	return n, nil
}

// readRawFile adds the records of a file to n.
func readRawFile(ctx context.Context, in *bufio.Reader, name string, n int) (_ int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in.Reset(f)
	var frame []byte
	for ; ; n++ {
		if frame, err = rawFrame(in, frame); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		if n%interval == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
}

// Where the checksum of a frame is. It covers the rest of the frame.
const (
	frameCRC  = 12
	frameRest = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rawFrame reads and checks a frame into buf, which may grow. At the end of the
// file the error is io.EOF itself.
func rawFrame(in *bufio.Reader, buf []byte) ([]byte, error) {
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return buf, err
	}
	if size < eventlog.HeaderSize || size > eventlog.HeaderSize+eventlog.MaxPayload {
		return buf, fmt.Errorf("a frame of %d bytes", size)
	}
	if uint64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(in, buf); err != nil {
		return buf, fmt.Errorf("a frame is cut off: %w", err)
	}
	crc := crc32.Update(crc32.Checksum(buf[:frameCRC], castagnoli), castagnoli, buf[frameRest:])
	if stored := binary.LittleEndian.Uint32(buf[frameCRC:]); crc != stored {
		return buf, fmt.Errorf("checksum is %08x, stored is %08x", crc, stored)
	}
	return buf, nil
}

// meter measures how much the process grows. Once it has failed it measures
// nothing.
type meter struct {
	before float64
	err    error
}

// openMeter tells by meter.err whether the system can measure.
func openMeter() meter {
	var m meter
	m.begin()
	return m
}

// begin forgets the peak until now.
func (m *meter) begin() {
	if m.err != nil {
		return
	}
	if m.err = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); m.err == nil {
		m.before, m.err = memoryStatus("VmRSS")
	}
}

// end returns the peak since begin over what was there then, in MB.
func (m *meter) end() float64 {
	if m.err != nil {
		return 0
	}
	peak, err := memoryStatus("VmHWM")
	m.err = err
	return max(peak-m.before, 0)
}

// memoryStatus returns a line of /proc/self/status in MB.
func memoryStatus(name string) (float64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, name+": %f kB", &kb); n == 1 {
			return kb * 1024 / 1e6, nil
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no line %s", name)
}
