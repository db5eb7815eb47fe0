package cli

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/python"
	"github.com/esper-plane/esper/leyline/signal"
)

// signalReader is one way of seeing a halt.
type signalReader struct {
	name   string
	sleeps bool // it does not poll
	// start makes the writer's side, and the process that will read.
	start func(ctx context.Context) (alarm, *exec.Cmd, error)
}

// alarm is the writer's side.
type alarm interface {
	Raise() error
	Clear() error
	Close() error
}

// signalReaders returns the readers; their files are in dir. The one in Python is
// left out when there is no interpreter.
func signalReaders(dir, interpreter string) ([]signalReader, error) {
	page := filepath.Join(dir, "signal")
	readers := []signalReader{
		{name: rolePage, start: func(ctx context.Context) (alarm, *exec.Cmd, error) {
			return onPage(page, func() (*exec.Cmd, error) { return benchChild(ctx, rolePage, page) })
		}},
		{name: roleSocketPolled, start: func(ctx context.Context) (alarm, *exec.Cmd, error) { return onSocket(ctx, roleSocketPolled) }},
		{name: roleSocketBlocked, sleeps: true, start: func(ctx context.Context) (alarm, *exec.Cmd, error) { return onSocket(ctx, roleSocketBlocked) }},
	}
	if interpreter == "" {
		return readers, nil
	}
	if err := os.CopyFS(dir, python.Source); err != nil {
		return nil, fmt.Errorf("cannot unpack the Python reader: %w", err)
	}
	inPython := signalReader{name: "page-python", start: func(ctx context.Context) (alarm, *exec.Cmd, error) {
		return onPage(page, func() (*exec.Cmd, error) {
			return exec.CommandContext(ctx, interpreter, "-I", "-B", "-c", pythonChild, dir, page), nil
		})
	}}
	return append(readers[:1], append([]signalReader{inPython}, readers[1:]...)...), nil
}

//go:embed bench_signal.py
var pythonChild string

// pageAlarm is the emergency signal.
type pageAlarm struct{ *signal.Writer }

func (p pageAlarm) Raise() error { return p.Set(leyline.EmergencyHalt, "bench") }

// onPage opens the page before its reader does.
func onPage(path string, child func() (*exec.Cmd, error)) (alarm, *exec.Cmd, error) {
	w, err := signal.OpenWriter(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := child()
	return pageAlarm{w}, c, errors.Join(err, w.Clear())
}

// socketAlarm is one end of a pair of sockets; the process has the other.
type socketAlarm struct{ ours, theirs *os.File }

func (s socketAlarm) send(b byte) error {
	_, err := s.ours.Write([]byte{b})
	return err
}

func (s socketAlarm) Raise() error { return s.send(1) }
func (s socketAlarm) Clear() error { return s.send(0) }
func (s socketAlarm) Close() error { return errors.Join(s.ours.Close(), s.theirs.Close()) }

func onSocket(ctx context.Context, role string) (alarm, *exec.Cmd, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pair of sockets: %w", err)
	}
	s := socketAlarm{os.NewFile(uintptr(ends[0]), "socket"), os.NewFile(uintptr(ends[1]), "socket of the reader")}
	c, err := benchChild(ctx, role)
	if err == nil {
		c.ExtraFiles = []*os.File{s.theirs}
	}
	return s, c, err
}

// benchChild is this program in another role.
func benchChild(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	c := exec.CommandContext(ctx, self, append([]string{"bench", "signal", "child"}, args...)...)
	c.Args[0] = "esper"
	return c, nil
}

// sighting is one halt that was seen.
type sighting struct {
	after time.Duration
	poll  float64 // ns for each poll that did not see it
}

// impatience is how long the halts of a turn may take in all.
const impatience = 5 * time.Minute

// see starts a reader and lets it see so many halts, and one before that is not
// counted.
func (r signalReader) see(ctx context.Context, halts int) (seen []sighting, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, impatience, fmt.Errorf("%d halts were not seen within %v", halts, impatience))
	defer cancel()
	bell, cmd, err := r.start(ctx)
	if bell != nil {
		defer func() { err = errors.Join(err, bell.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	child, err := startChild(cmd)
	if err != nil {
		return nil, err
	}
	defer func() {
		late := context.Cause(ctx) // told first: what else went wrong follows from it
		err = errors.Join(late, err, child.stop())
	}()
	for i := range halts + 1 {
		s, err := sight(bell, child)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			seen = append(seen, s)
		}
	}
	return seen, nil
}

// sight publishes a halt, hears when it was seen, and clears it. The pause is for
// the reader to be back at polling, and never twice the same, so that no clock
// keeps step with it.
func sight(bell alarm, child *benchProcess) (sighting, error) {
	time.Sleep(200*time.Microsecond + rand.N(300*time.Microsecond))
	raised, err := signal.Now()
	if err != nil {
		return sighting{}, err
	}
	if err := bell.Raise(); err != nil {
		return sighting{}, err
	}
	var at, polls, polling int64
	if err := child.hear("%d %d %d\n", &at, &polls, &polling); err != nil {
		return sighting{}, err
	}
	if err := bell.Clear(); err != nil {
		return sighting{}, err
	}
	return sighting{time.Duration(at) - raised, float64(polling) / float64(polls)}, child.hear(saysClear)
}

// benchProcess is a child that is told to end by the end of its stdin.
type benchProcess struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs bytes.Buffer
}

// startChild starts a process and waits until it is ready.
func startChild(c *exec.Cmd) (*benchProcess, error) {
	p := &benchProcess{cmd: c}
	c.Stderr = &p.errs
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.hear(saysReady); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// hear reads a line in the form of Sscanf.
func (p *benchProcess) hear(form string, values ...any) error {
	line, err := p.out.ReadString('\n')
	if err == nil {
		if len(values) == 0 && line != form {
			return fmt.Errorf("the other process says %q, not %q", line, form)
		}
		_, err = fmt.Sscanf(line, form, values...)
	}
	if err != nil {
		return fmt.Errorf("cannot understand the other process: it says %q: %w", line, err)
	}
	return nil
}

// stop ends the process and tells what it complained of.
func (p *benchProcess) stop() error {
	err := p.in.Close()
	if werr := p.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("the other process: %w: %s", werr, strings.TrimSpace(p.errs.String())))
	}
	return err
}
