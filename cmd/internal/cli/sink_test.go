package cli

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// history is a recorded log of which a part is durable. While it is held nobody
// reads it.
type history struct {
	entries []replay.Entry
	durable atomic.Int64
	hold    chan struct{} // closed: reading may begin
}

// All implements replay.Source.
func (h *history) All(from leyline.Seq) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		<-h.hold
		for i, e := range h.entries {
			if e.Seq >= from && int64(i) < h.durable.Load() && !yield(e, nil) {
				return
			}
		}
	}
}

func (h *history) record(t *testing.T, i int) leyline.Record {
	t.Helper()
	e := h.entries[i]
	r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// undisturbed runs a run with faults and returns its log and its stream.
func undisturbed(t *testing.T) (*history, []byte) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--fault", "nan@120", "--fault", "replayed-command@170",
		"--set", "tamiyo.conflict_mode=enforce")
	d, err := datadir.OpenReadOnly(data)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	h := &history{hold: make(chan struct{})}
	for e, err := range d.Source().All(1) {
		if err != nil {
			t.Fatal(err)
		}
		e.Payload = bytes.Clone(e.Payload)
		h.entries = append(h.entries, e)
	}
	stream, err := os.ReadFile(filepath.Join(data, "telemetry", emergencyName))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(stream, []byte("\n")); lines < 8 || !bytes.Contains(stream, []byte(`"priority":"CRITICAL"`)) {
		t.Fatalf("%d lines; the test shows nothing", lines)
	}
	return h, stream
}

func sinkAt(t *testing.T, path string, h *history, upto leyline.Seq, lanes telemetry.Limits) *sink {
	t.Helper()
	s, err := newSink(path, h, upto, lanes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quiet fails the test when a sink has something to say.
func quiet(t *testing.T) func(string, ...any) {
	return func(format string, args ...any) { t.Errorf(format, args...) }
}

// torn are beginnings of a stream, some of which end with a whole line.
func torn(stream []byte) map[string][]byte {
	out := map[string][]byte{}
	for at := range stream {
		if at%97 == 1 || at > 0 && stream[at-1] == '\n' {
			out[fmt.Sprintf("the first %d bytes", at)] = stream[:at]
		}
	}
	return out
}

// TestSinkCatchesUp starts a sink on what some crash, deletion or accident has
// left of the file. Afterwards it is that of an undisturbed run.
func TestSinkCatchesUp(t *testing.T) {
	h, want := undisturbed(t)
	h.durable.Store(int64(len(h.entries)))
	close(h.hold)
	last := h.entries[len(h.entries)-1].Seq
	left := torn(want)
	for name, b := range map[string][]byte{
		"nothing": nil, "whole": want, "no line of ours": []byte("hello\n"),
		"another log's": bytes.ReplaceAll(want, []byte(`"seq":`), []byte(`"seq":9`)),
	} {
		left[name] = b
	}
	for name, b := range left {
		path := filepath.Join(t.TempDir(), "telemetry", emergencyName)
		if name != "nothing" {
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		s := sinkAt(t, path, h, last, telemetry.Limits{})
		s.start(quiet(t))
		s.stop()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v; %d bytes, want %d", name, err, len(got), len(want))
		}
	}
}

// TestSinkFollows feeds a sink that cannot keep up: first nothing is written, so
// that CRITICAL packets overtake others; then lanes of one packet overflow.
func TestSinkFollows(t *testing.T) {
	recorded, want := undisturbed(t)
	for _, lanes := range []telemetry.Limits{{}, {Critical: 1, High: 1}, {High: 1}, {Critical: 1}} {
		h := &history{entries: recorded.entries, hold: make(chan struct{})}
		path := filepath.Join(t.TempDir(), emergencyName)
		s := sinkAt(t, path, h, 0, lanes)
		s.start(quiet(t))
		half := len(h.entries) / 2
		for i := range h.entries {
			h.durable.Store(int64(i + 1))
			s.record(h.record(t, i))
			if i == half {
				close(h.hold)
			}
		}
		s.stop()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("lanes %+v: %v\n%s\nwant\n%s", lanes, err, got, want)
		}
		if r := s.report(); r.Problem != "" || r.Missed != 0 || r.Written != uint64(bytes.Count(want, []byte("\n"))) {
			t.Errorf("lanes %+v: %+v", lanes, r)
		}
	}
}

// TestSinkKeepsOrder drains packets of both lanes at once, also when the lanes
// were too small for them.
func TestSinkKeepsOrder(t *testing.T) {
	h, want := undisturbed(t)
	h.durable.Store(int64(len(h.entries)))
	close(h.hold)
	for _, lanes := range []telemetry.Limits{{}, {Critical: 1, High: 1}, {High: 1}, {Critical: 1}} {
		path := filepath.Join(t.TempDir(), emergencyName)
		s := sinkAt(t, path, h, 0, lanes)
		if err := s.open(); err != nil {
			t.Fatal(err)
		}
		for i := range h.entries {
			s.record(h.record(t, i))
		}
		if err := errors.Join(s.drain(), s.close()); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("lanes %+v: %v\n%s\nwant\n%s", lanes, err, got, want)
		}
	}
}

// TestSinkStops ends a sink while packets wait that no one else has.
func TestSinkStops(t *testing.T) {
	recorded, want := undisturbed(t)
	for range 20 { // which of two signals is seen first is left to chance
		h := &history{entries: recorded.entries, hold: make(chan struct{})}
		path := filepath.Join(t.TempDir(), emergencyName)
		s := sinkAt(t, path, h, 0, telemetry.Limits{})
		s.start(quiet(t))
		for i := range h.entries {
			s.record(h.record(t, i))
		}
		h.durable.Store(int64(len(h.entries) / 2)) // the rest is in the router alone
		close(s.quit)
		close(h.hold)
		<-s.done
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
}

// TestSinkFailsOnce writes to a file that refuses: it is said once, nothing more
// is tried, and what is missing is counted.
func TestSinkFailsOnce(t *testing.T) {
	h, _ := undisturbed(t)
	path := filepath.Join(t.TempDir(), emergencyName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := sinkAt(t, path, h, 0, telemetry.Limits{})
	said := 0
	s.notice = func(string, ...any) { said++ }
	var err error
	if s.file, err = os.Open(path); err != nil { // for reading only
		t.Fatal(err)
	}
	var want uint64
	for i := range h.entries {
		r := h.record(t, i)
		for _, p := range telemetry.Packets(r) {
			if urgentPacket(&p) {
				want++
			}
		}
		s.record(r)
		s.check(s.drain())
	}
	if r := s.report(); said != 1 || r.Missed != want || r.Written != 0 || !strings.Contains(r.words(), "NOT all written") {
		t.Errorf("said %d times; %+v, want %d missed", said, r, want)
	}
}

// TestUnwritableStream puts a directory in the stream's place. The run is not
// touched by it and says so; with the directory gone the next start catches up.
func TestUnwritableStream(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "5")
	path := filepath.Join(data, "telemetry", emergencyName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"run", "--data", data, "--fault", "nan@120"}, &app{out: &out, err: &errs, shm: os.Getenv(envShm)}); code != exitOK {
		t.Fatalf("exit %d\n%s", code, &errs)
	}
	if n := strings.Count(errs.String(), "the emergency stream cannot be written"); n != 1 {
		t.Errorf("it is said %d times\n%s", n, &errs)
	}
	if !strings.Contains(out.String(), "was NOT all written") {
		t.Errorf("the summary says\n%s", &out)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	esper(t, exitOK, "run", "--data", data, "--steps", "5")
	var want []byte
	for _, r := range records(t, data) {
		for _, p := range telemetry.Packets(r) {
			if urgentPacket(&p) {
				want = append(want, packetLine(&p)...)
			}
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
