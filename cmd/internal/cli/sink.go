package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// emergencyName is the file of the emergency stream.
const emergencyName = "emergency.jsonl"

// sink writes the packets of the emergency stream to a file, one JSON line each,
// in the order of (seq, source), which identifies a packet. The file is derived
// from the log, and the next start brings it up to date. It holds the last line
// against the log; what someone cut out before that line is not looked for, and
// deleting the file writes all of it again.
//
//	stopped in a write   the torn last line is cut off at the next start
//	stopped elsewhere    what the log holds after the last line is written then
//	file deleted         it is written again from the first record
//	file of another log  the same: its last line is not what this log gives
//	a lane overflows     the same, from the last line on, at once
//	a write fails        nothing more is written in this life, which is said once
//
// record runs on the plane's loop and never waits for the file; all else runs on
// one goroutine.
type sink struct {
	path   string
	source replay.Source
	upto   leyline.Seq // the log's last record when it was started
	router *telemetry.Router
	notice func(format string, args ...any)
	wake   chan struct{}
	quit   chan struct{}
	done   chan struct{}

	// Owned by the goroutine until done is closed.
	file    *os.File
	last    packetID // of the last line
	lost    uint64   // HIGH packets that a full lane has lost so far
	written uint64   // lines of this life
	missed  uint64   // packets that were not written
	err     error    // why not
}

// packetID is the place of a packet in the stream.
type packetID struct {
	seq    leyline.Seq
	source leyline.Subsystem
}

func (a packetID) compare(b packetID) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.source, b.source))
}

func idOf(p *leyline.Packet) packetID { return packetID{p.Seq, p.Source} }

// drainMost bounds what is taken from the router before it is written. What
// waits longer is read from the log instead.
const drainMost = telemetry.DefaultCritical + telemetry.DefaultHigh

// startSink begins to follow the log of a data directory.
func startSink(d *datadir.Dir, notice func(string, ...any)) (*sink, error) {
	s, err := newSink(filepath.Join(d.TelemetryPath(), emergencyName), d.Source(), d.Last(), telemetry.Limits{Normal: 1}) // nothing normal is routed
	if err != nil {
		return nil, err
	}
	s.start(notice)
	return s, nil
}

func newSink(path string, source replay.Source, upto leyline.Seq, lanes telemetry.Limits) (*sink, error) {
	router, err := telemetry.NewRouter(lanes)
	if err != nil {
		return nil, err
	}
	return &sink{
		path: path, source: source, upto: upto, router: router,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// start returns at once; the file catches up beside the run.
func (s *sink) start(notice func(string, ...any)) {
	s.notice = notice
	go s.follow()
}

// record routes the packets of a durable record. It does not wait.
func (s *sink) record(r leyline.Record) {
	routed := false
	for _, p := range telemetry.Packets(r) {
		if urgentPacket(&p) {
			s.router.Route(p)
			routed = true
		}
	}
	if !routed {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func urgentPacket(p *leyline.Packet) bool { return p.Priority >= leyline.PriorityHigh }

// stop writes what is left and closes the file. No record may come after it.
func (s *sink) stop() {
	if s == nil {
		return
	}
	close(s.quit)
	<-s.done
}

func (s *sink) follow() {
	defer close(s.done)
	s.check(s.open())
	s.check(s.catchUp())
	for {
		select {
		case <-s.wake:
			s.check(s.drain())
		case <-s.quit:
			s.check(s.drain())
			s.check(s.close())
			return
		}
	}
}

// check notes the first failure and says it once. After it the file is left
// alone: a line behind a hole would hide the hole.
func (s *sink) check(err error) {
	if err == nil || s.err != nil {
		return
	}
	s.err = err
	s.notice("the emergency stream cannot be written: %v; training goes on, the log has everything, and the next start writes what is missing", err)
}

// open finds the last line and cuts off a torn one.
func (s *sink) open() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	var err error
	if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	last, text, end, err := lastLine(s.file)
	if err != nil {
		return err
	}
	ours, err := s.gives(last, text)
	if err != nil {
		return err
	}
	if !ours {
		last, end = packetID{}, 0
	}
	if err := s.file.Truncate(end); err != nil {
		return err
	}
	s.last = last
	_, err = s.file.Seek(end, io.SeekStart)
	return err
}

// gives reports whether a line is what the log gives for its packet.
func (s *sink) gives(id packetID, line []byte) (bool, error) {
	if id.seq == 0 || id.seq > s.upto {
		return false, nil
	}
	for r, err := range decoded(s.source, id.seq) {
		if err != nil || r.Seq != id.seq {
			return false, err
		}
		for _, p := range telemetry.Packets(r) {
			if idOf(&p) == id {
				return bytes.Equal(packetLine(&p), line), nil
			}
		}
		break
	}
	return false, nil
}

// catchUp writes what the log holds behind the last line.
func (s *sink) catchUp() error {
	if s.err != nil {
		return nil
	}
	for r, err := range decoded(s.source, s.last.seq) {
		if err != nil {
			return err
		}
		if err := s.write(slices.DeleteFunc(telemetry.Packets(r), func(p leyline.Packet) bool { return !urgentPacket(&p) })); err != nil {
			return err
		}
	}
	return nil
}

// drain writes what waits. The router hands out CRITICAL packets first; they
// are put back in order. Where a full lane has lost some, the log has them.
func (s *sink) drain() error {
	var batch []leyline.Packet
	for len(batch) < drainMost {
		p, ok := s.router.NextEmergency()
		if !ok {
			break
		}
		batch = append(batch, p)
	}
	gap, _ := s.router.TakeGap()
	high := s.router.Stats().High.Dropped
	lost := gap.Packets + high - s.lost
	s.lost = high
	switch {
	case s.err != nil:
		s.missed += uint64(len(batch)) + lost
		return nil
	case lost > 0 || len(batch) == drainMost:
		return s.catchUp()
	}
	slices.SortFunc(batch, func(a, b leyline.Packet) int { return idOf(&a).compare(idOf(&b)) })
	return s.write(batch)
}

// write appends packets that are not in the file yet.
func (s *sink) write(packets []leyline.Packet) error {
	for i := range packets {
		id := idOf(&packets[i])
		if id.compare(s.last) <= 0 {
			continue
		}
		if _, err := s.file.Write(packetLine(&packets[i])); err != nil {
			s.missed += uint64(len(packets) - i)
			return err
		}
		s.last = id
		s.written++
	}
	return nil
}

func (s *sink) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Sync(), s.file.Close())
}

// sinkReport is what became of the emergency stream in this life.
type sinkReport struct {
	File    string `json:"file"`
	Written uint64 `json:"lines_written"` // in this life
	Missed  uint64 `json:"lines_missed"`
	Problem string `json:"problem,omitempty"`
}

// report may be called after stop.
func (s *sink) report() sinkReport {
	if s == nil {
		return sinkReport{}
	}
	r := sinkReport{File: s.path, Written: s.written, Missed: s.missed}
	if s.err != nil {
		r.Problem = s.err.Error()
	}
	return r
}

func (r *sinkReport) words() string {
	if r.Problem != "" {
		return fmt.Sprintf("%s was NOT all written, %d packets of this process are missing: %s; the next start writes them", r.File, r.Missed, r.Problem)
	}
	return r.File
}
