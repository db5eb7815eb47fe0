package eventlog_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
)

// benchGroup returns n records of size bytes, frame included.
func benchGroup(next uint64, n, size int) []eventlog.Entry {
	group := make([]eventlog.Entry, n)
	for i := range group {
		group[i] = eventlog.Entry{Seq: next + uint64(i), At: 1 << 40, Kind: eventlog.KindTransition, Payload: make([]byte, size-eventlog.HeaderSize)}
	}
	return group
}

// BenchmarkAppend measures durable records per second beside a peer that
// appends the same bytes to a bare file and syncs its data once per group. Each
// pair runs back to back, so that both see the same disk.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{256, 1024, 4096} {
		for _, n := range []int{1, 8, 64, 256} {
			name := fmt.Sprintf("size=%d/batch=%d", size, n)
			b.Run(name+"/peer=esper", func(b *testing.B) { benchAppend(b, n, size) })
			b.Run(name+"/peer=raw", func(b *testing.B) { benchRaw(b, n, size) })
		}
	}
}

func benchAppend(b *testing.B, n, size int) {
	l := create(b, filepath.Join(b.TempDir(), "log"), eventlog.Options{})
	group := benchGroup(2, n, size)
	for b.Loop() {
		next := l.Next()
		for i := range group {
			group[i].Seq = next + uint64(i)
		}
		if err := l.Append(b.Context(), next, group); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
}

func benchRaw(b *testing.B, n, size int) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	bytes := make([]byte, n*(size+2))
	for b.Loop() {
		if _, err := f.Write(bytes); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRead measures reading and opening a log, from the page cache, beside
// a loop that reads the same files through a buffer and computes the same
// checksum.
func BenchmarkRead(b *testing.B) {
	const size, groups, n = 256, 200, 1000
	dir := filepath.Join(b.TempDir(), "log")
	l := create(b, dir, eventlog.Options{})
	for range groups {
		if err := l.Append(b.Context(), l.Next(), benchGroup(l.Next(), n, size)); err != nil {
			b.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "segments", "*"))
	if err != nil {
		b.Fatal(err)
	}
	benchRead(b, "peer=esper", groups*n+1, func() int { return logRead(b, l) })
	benchRead(b, "peer=raw", groups*n+1, func() int { return rawRead(b, names) })
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	benchRead(b, "peer=esper-open", groups*n+1, func() int {
		l, err := eventlog.Open(dir, eventlog.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		return int(l.Next() - 1)
	})
}

func benchRead(b *testing.B, name string, want int, read func() int) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		count := 0
		for b.Loop() {
			count += read()
		}
		if count != b.N*want {
			b.Fatalf("read %d records in %d rounds", count, b.N)
		}
		b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "records/s")
	})
}

func logRead(b *testing.B, l *eventlog.Log) (count int) {
	for _, err := range l.All(1) {
		if err != nil {
			b.Fatal(err)
		}
		count++
	}
	return count
}

func rawRead(b *testing.B, names []string) (count int) {
	for _, name := range names {
		count += rawReadFile(b, name)
	}
	return count
}

func rawReadFile(b *testing.B, name string) (count int) {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	table := crc32.MakeTable(crc32.Castagnoli)
	var buf []byte
	for {
		size, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return count
		}
		buf = append(buf[:0], make([]byte, size)...)
		if _, err := io.ReadFull(r, buf); err != nil {
			b.Fatal(err)
		}
		if crc32.Checksum(buf, table) == 0 {
			b.Fatal("a checksum of zero")
		}
		count++
	}
}
