package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// startBurners keeps so many CPUs busy until stop, which is never nil.
func startBurners(ctx context.Context, n int) (stop func() error, err error) {
	var all []*benchProcess
	stop = func() (err error) {
		for _, p := range all {
			err = errors.Join(err, p.stop())
		}
		return err
	}
	for range n {
		c, err := benchChild(ctx, roleBurn)
		if err != nil {
			return stop, err
		}
		p, err := startChild(c)
		if err != nil {
			return stop, fmt.Errorf("cannot keep a CPU busy: %w", err)
		}
		all = append(all, p)
	}
	return stop, nil
}

// cpuShare measures for a while how much of all CPUs is in use: 0 to 1.
func cpuShare(ctx context.Context) (float64, error) {
	const while = 300 * time.Millisecond
	idle, all, err := cpuTicks()
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(while):
	}
	idleLater, allLater, err := cpuTicks()
	if err != nil {
		return 0, err
	}
	share := 1 - (float64(idleLater)-float64(idle))/max(float64(allLater)-float64(all), 1)
	return min(max(share, 0), 1), nil // the kernel's counts are not exact
}

// cpuTicks reads what the kernel has counted since it started: the ticks in which
// a CPU had nothing to do, and all of them.
func cpuTicks() (idle, all uint64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("cannot tell how busy the machine is: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(strings.TrimPrefix(line, "cpu")) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("cannot tell how busy the machine is: %w in %q", err, line)
		}
		switch {
		case i == 3, i == 4: // idle, and idle until a disk is done
			idle += n
			all += n
		case i < 8: // the last two are counted before already
			all += n
		}
	}
	return idle, all, nil
}
