package gauge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// GPUCommand keeps a file of GPU readings up to date, one line a second; -i names
// one GPU of several.
const GPUCommand = "nvidia-smi -i 0 --query-gpu=timestamp,utilization.gpu,memory.used,memory.free --format=csv -l 1 > FILE"

// gpuHeader is the first line of such a file.
const gpuHeader = "timestamp, utilization.gpu [%], memory.used [MiB], memory.free [MiB]"

// gpuTime is how its timestamps are written, in local time.
const gpuTime = "2006/01/02 15:04:05.000"

const (
	// GPUFresh is how old a reading may be, and how far ahead of this clock.
	GPUFresh = 3 * time.Second
	// gpuLine is the longest line that is read, in bytes.
	gpuLine = 256
)

// maxMiB is 1 PiB: a memory that is said to be larger is a mistake.
const maxMiB = 1 << 30

// GPU is one reading of a GPU.
type GPU struct {
	At     time.Time
	Util   float64 // percent, [0,100]
	UsedGB float64 // memory in use, GiB
	FreeGB float64 // memory that is free, GiB
}

// GPUFile reads the newest reading of a file that GPUCommand writes.
type GPUFile struct {
	Path string
	Now  func() time.Time // nil: time.Now
}

// Read returns the newest reading. The errors say what to do: the file is missing or
// cannot be read, is not what GPUCommand writes, has no whole line yet, or its newest
// line is older than GPUFresh.
func (f *GPUFile) Read() (GPU, error) {
	last, err := f.newest()
	if err != nil {
		return GPU{}, err
	}
	g, err := parseGPU(last, time.Local)
	if err != nil {
		return GPU{}, fmt.Errorf("%s: %w", f.Path, err)
	}
	now := time.Now
	if f.Now != nil {
		now = f.Now
	}
	if age := now().Sub(g.At); age > GPUFresh || age < -GPUFresh {
		return GPU{}, fmt.Errorf("%s: the newest reading is of %s, %s from now: is nvidia-smi still running?", f.Path, last[:len(gpuTime)], age.Round(time.Millisecond))
	}
	return g, nil
}

// newest returns the last whole line of the file, whatever its length, if the file
// begins as it should.
func (f *GPUFile) newest() (string, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	head := make([]byte, gpuLine)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	first, ok := firstLine(head[:n])
	switch {
	case !ok:
		return "", fmt.Errorf("%s: there is no whole line yet", f.Path)
	case first != gpuHeader:
		return "", fmt.Errorf("%s: begins with %q, not with %q; it is written by `%s`", f.Path, first, gpuHeader, GPUCommand)
	}
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	tail := make([]byte, min(2*gpuLine, info.Size()))
	if _, err := file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return "", err
	}
	last, ok := lastLine(tail)
	if !ok || last == gpuHeader {
		return "", fmt.Errorf("%s: there is no reading yet", f.Path)
	}
	return last, nil
}

func firstLine(b []byte) (string, bool) {
	line, _, ok := bytes.Cut(b, []byte{'\n'})
	return strings.TrimSuffix(string(line), "\r"), ok
}

// lastLine returns the last line of b that has ended, if it begins within b. One
// that is still being written is not looked at.
func lastLine(b []byte) (string, bool) {
	end := bytes.LastIndexByte(b, '\n')
	if end < 0 {
		return "", false
	}
	begin := bytes.LastIndexByte(b[:end], '\n')
	if begin < 0 {
		return "", false
	}
	return strings.TrimSuffix(string(b[begin+1:end]), "\r"), true
}

// parseGPU parses a line such as "2026/11/26 21:14:03.123, 45 %, 1234 MiB, 22000 MiB".
// A field that the driver cannot tell ("[N/A]") is an error like any other.
func parseGPU(line string, zone *time.Location) (GPU, error) {
	fields := strings.Split(line, ", ")
	if len(fields) != 4 {
		return GPU{}, fmt.Errorf("line %q has %d fields, want 4", line, len(fields))
	}
	at, err := time.ParseInLocation(gpuTime, fields[0], zone)
	if err != nil || at.Format(gpuTime) != fields[0] {
		return GPU{}, fmt.Errorf("%q is no timestamp such as %s", fields[0], gpuTime)
	}
	var v [3]uint64
	for i, want := range [...]struct {
		unit string
		most uint64
	}{{" %", 100}, {" MiB", maxMiB}, {" MiB", maxMiB}} {
		digits, ok := strings.CutSuffix(fields[i+1], want.unit)
		if v[i], err = strconv.ParseUint(digits, 10, 64); !ok || err != nil || v[i] > want.most {
			return GPU{}, fmt.Errorf("%q is not a number up to %d with%s", fields[i+1], want.most, want.unit)
		}
	}
	return GPU{At: at, Util: float64(v[0]), UsedGB: float64(v[1]) / 1024, FreeGB: float64(v[2]) / 1024}, nil
}
