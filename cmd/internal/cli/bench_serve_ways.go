package cli

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/leyline/python"
	"github.com/esper-plane/esper/subsystems/plane"
)

// stepWay is one way of having a step recorded, or what it is held against.
type stepWay struct {
	name string
	// block makes so many steps, one after the other, and returns how long each took, in
	// microseconds.
	block func(ctx context.Context, n int) ([]float64, error)
	stop  func() error
}

// The sizes of a step's record and of its answer, about: 700 bytes each.
const stepBytes = 700

// stopwatched measures one call after the other.
func stopwatched(n int, once func() error) ([]float64, error) {
	out := make([]float64, 0, n)
	for range n {
		began := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		out = append(out, us(time.Since(began)))
	}
	return out, nil
}

// bareBytes is the size of the bare file. It is written from the start again when its
// end is reached.
const bareBytes = 16 << 20

// bareSync writes as many bytes as a step's record has to a file of zeros, and syncs it.
func bareSync(dir string) (stepWay, error) {
	f, err := os.OpenFile(filepath.Join(dir, "bare"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return stepWay{}, err
	}
	if _, err := f.Write(make([]byte, bareBytes)); err != nil {
		return stepWay{}, errors.Join(err, f.Close())
	}
	b, at := bytes.Repeat([]byte("x"), stepBytes), int64(0)
	return stepWay{name: wayFsync, stop: f.Close, block: func(_ context.Context, n int) ([]float64, error) {
		return stopwatched(n, func() error {
			if at += stepBytes; at > bareBytes-stepBytes {
				at = 0
			}
			if _, err := f.WriteAt(b, at); err != nil {
				return err
			}
			return unix.Fdatasync(int(f.Fd()))
		})
	}}, nil
}

// nullHTTP posts as much as a step to a server in a process of its own that decides and
// records nothing.
func nullHTTP(ctx context.Context, dir string) (stepWay, error) {
	self, err := os.Executable()
	if err != nil {
		return stepWay{}, err
	}
	socket := filepath.Join(dir, "null")
	c := exec.CommandContext(ctx, self, "bench", "serve", "child", socket, strconv.Itoa(stepBytes))
	c.Args[0] = "esper"
	child, err := startChild(c)
	if err != nil {
		return stepWay{}, err
	}
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	body := strings.Repeat("x", stepBytes)
	return stepWay{name: wayNull, stop: child.stop, block: func(_ context.Context, n int) ([]float64, error) {
		return stopwatched(n, func() error {
			r, err := h.Post("http://null/", protocol.MediaJSON, strings.NewReader(body))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r.Body)
			return errors.Join(err, r.Body.Close())
		})
	}}, nil
}

// stepper is what a Go trainer needs to report steps.
type stepper interface {
	Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error)
	Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error)
}

// benchSteps reports steps of a run of its own.
type benchSteps struct {
	to   stepper
	last leyline.Answer
	step leyline.Step
}

// benchPlan is a run that only the measurement knows.
func benchPlan(run leyline.RunID) leyline.RunOpened {
	return leyline.RunOpened{
		Run: run, Workload: "bench", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a", "b", "c", "d"}, Seed: 1, Parameters: 1000, Steps: 100_000_000, Optimizer: "sgd", Away: leyline.AwayStop,
		Principal: leyline.PrincipalProcess,
	}
}

// benchStep is a report of such a run.
func benchStep(last leyline.Answer, n leyline.Step) leyline.StepObserved {
	return leyline.StepObserved{
		Run: last.Run, Incarnation: last.Incarnation, Step: n, Losses: []float64{0.5, 0.25, 0.5, 0.25},
		Gram: []float64{1, -0.1, 0.2, 0, -0.1, 1, 0.1, 0.3, 0.2, 0.1, 1, -0.2, 0, 0.3, -0.2, 1},
		Seed: uint64(n), Samples: 64, Microbatches: 1, LearnRate: 0.1, ForwardNs: 10_000_000, PreviousNs: 10_000_000,
	}
}

// openBench opens such a run.
func openBench(ctx context.Context, to stepper, run leyline.RunID) (*benchSteps, error) {
	a, err := to.Open(ctx, benchPlan(run))
	return &benchSteps{to: to, last: a.Answer}, err
}

func (b *benchSteps) once(ctx context.Context) (err error) {
	b.step++
	b.last, err = b.to.Step(ctx, benchStep(b.last, b.step), b.last.Cursor)
	return err
}

func (b *benchSteps) block(ctx context.Context, n int) ([]float64, error) {
	return stopwatched(n, func() error { return b.once(ctx) })
}

// inProcess is a plane in this process, on the same disk.
func (a *app) inProcess(ctx context.Context, dir string) (stepWay, error) {
	log, err := a.logger()
	if err != nil {
		return stepWay{}, err
	}
	s := &served{app: &app{out: io.Discard, err: io.Discard, level: a.level}, config: leyline.DefaultConfig(), at: placeFlags{data: filepath.Join(dir, "near")}}
	s.config.Tolaria.SnapshotEvery = 1_000_000
	if err := s.openDir(log); err != nil {
		return stepWay{}, err
	}
	o, err := s.planeOptions(log)
	if err != nil {
		return stepWay{}, errors.Join(err, s.closeDir())
	}
	o.Released = nil
	p, err := plane.Start(ctx, o)
	if err != nil {
		return stepWay{}, errors.Join(err, s.closeDir())
	}
	stop := func() error { return errors.Join(p.Shutdown(context.WithoutCancel(ctx)), s.closeDir()) }
	b, err := openBench(ctx, p, "bench")
	if err != nil {
		return stepWay{}, errors.Join(err, stop())
	}
	return stepWay{name: wayNear, block: b.block, stop: stop}, nil
}

// overSocket is a Go trainer against a served plane.
func overSocket(ctx context.Context, socket, name, media string, framed bool) (stepWay, error) {
	c, err := client.New(client.Options{Address: "unix:" + socket, Away: leyline.AwayStop, Media: media, NoLane: !framed})
	if err != nil {
		return stepWay{}, err
	}
	b, err := openBench(ctx, c, leyline.RunID("bench-"+name))
	if err == nil && c.Framed() != framed {
		err = errors.New("the plane has no framed lane")
	}
	return stepWay{name: name, block: b.block, stop: func() error { c.Disconnect(); return nil }}, err
}

//go:embed bench_serve.py
var pythonSteps string

// inPython is the Python client against a served plane.
func inPython(ctx context.Context, dir, interpreter, socket, name, way string) (stepWay, error) {
	source := filepath.Join(dir, name)
	if err := os.CopyFS(source, python.Source); err != nil {
		return stepWay{}, fmt.Errorf("cannot unpack the Python client: %w", err)
	}
	c := exec.CommandContext(ctx, interpreter, "-I", "-B", "-c", pythonSteps, source, "unix:"+socket, "bench-"+name, way)
	child, err := startChild(c)
	if err != nil {
		return stepWay{}, err
	}
	return stepWay{name: name, stop: child.stop, block: func(_ context.Context, n int) ([]float64, error) {
		if _, err := fmt.Fprintf(child.in, "%d\n", n); err != nil {
			return nil, err
		}
		line, err := child.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%w; it says %q", err, line)
		}
		var out []float64
		for _, word := range strings.Fields(line) {
			x, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return nil, fmt.Errorf("the Python client says %q", line)
			}
			out = append(out, x)
		}
		if len(out) != n {
			return nil, fmt.Errorf("the Python client tells of %d steps, not %d", len(out), n)
		}
		return out, nil
	}}, nil
}
