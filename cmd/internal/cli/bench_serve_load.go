package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
)

// serveMemory is the memory of a plane process.
type serveMemory struct {
	Runs int
	RSS  float64 `json:"rss_mib"`
}

// serveLoad is what a plane process takes while trainers report.
type serveLoad struct {
	Trainers  int
	PerSecond float64 `json:"steps_per_second"` // that were answered, of all together
	CPU       float64 `json:"cpu_percent"`      // of one CPU
}

// How many steps each run of the measurement of memory makes, and the load.
const (
	memorySteps = 50
	manyRuns    = 64
	trainers    = 8
	perSecond   = 100
)

// benchTrainer opens a run at a plane over a connection of its own.
func benchTrainer(ctx context.Context, socket string, n int) (*client.Client, *benchSteps, error) {
	c, err := client.New(client.Options{Address: "unix:" + socket, Away: leyline.AwayStop})
	if err != nil {
		return nil, nil, err
	}
	b, err := openBench(ctx, c, leyline.RunID(fmt.Sprintf("bench-%d", n)))
	return c, b, err
}

// measureMemory measures a plane with one open run and then with many.
func measureMemory(ctx context.Context, dir string) (out []serveMemory, err error) {
	p, err := startBenchPlane(ctx, filepath.Join(dir, "memory"), filepath.Join(dir, "m"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	for n := 1; n <= manyRuns; n++ {
		c, b, err := benchTrainer(ctx, p.socket, n)
		if err != nil {
			return nil, err
		}
		defer c.Disconnect()
		if _, err := b.block(ctx, memorySteps); err != nil {
			return nil, err
		}
		if n == 1 || n == manyRuns {
			rss, err := residentOf(p.cmd.Process.Pid)
			if err != nil {
				return nil, err
			}
			out = append(out, serveMemory{Runs: n, RSS: rss})
		}
	}
	return out, nil
}

// residentOf reads how much memory of a process is in RAM, in MiB.
func residentOf(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot measure the memory of the plane: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, errors.New("cannot measure the memory of the plane: its status has no VmRSS")
}

// ticksPerSecond is the unit of /proc/PID/stat on Linux.
const ticksPerSecond = 100 // constant: local because it is the kernel's (USER_HZ)

// cpuOf reads how many seconds of CPU a process has used.
func cpuOf(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot measure the CPU of the plane: %w", err)
	}
	// The name, in parentheses, may hold anything; 11 fields lie between it and utime.
	fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
	var user, system float64
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot measure the CPU of the plane: its stat has %d fields", len(fields))
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, fmt.Errorf("cannot measure the CPU of the plane: %w", err)
	}
	return (user + system) / ticksPerSecond, nil
}

// measureLoad lets trainers report at a steady pace.
func measureLoad(ctx context.Context, dir string, during time.Duration) (load serveLoad, err error) {
	p, err := startBenchPlane(ctx, filepath.Join(dir, "load"), filepath.Join(dir, "l"))
	if err != nil {
		return load, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	runs := make([]*benchSteps, trainers)
	for i := range runs {
		c, b, err := benchTrainer(ctx, p.socket, i)
		if err != nil {
			return load, err
		}
		defer c.Disconnect()
		runs[i] = b
	}
	before, err := cpuOf(p.cmd.Process.Pid)
	if err != nil {
		return load, err
	}
	began, errs := time.Now(), make([]error, trainers)
	var wg sync.WaitGroup
	for i, b := range runs {
		wg.Go(func() { errs[i] = pace(ctx, b, time.Second*trainers/perSecond, during) })
	}
	wg.Wait()
	took := time.Since(began).Seconds()
	after, err := cpuOf(p.cmd.Process.Pid)
	if err = errors.Join(append(errs, err)...); err != nil {
		return load, err
	}
	steps := leyline.Step(0)
	for _, b := range runs {
		steps += b.step
	}
	return serveLoad{Trainers: trainers, PerSecond: float64(steps) / took, CPU: 100 * (after - before) / took}, nil
}

// pace makes a step every so often for a time.
func pace(ctx context.Context, b *benchSteps, every, during time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	end := time.After(during)
	for {
		select {
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := b.once(ctx); err != nil {
			return err
		}
	}
}
