// Package gauge measures how busy the machine of a trainer is: the processors, by
// asking the kernel, and a GPU, by a file that somebody keeps up to date. What
// cannot be measured is said and reported by nobody; an old value never stands in
// for it.
package gauge

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuSpan is the least time over which processor time is counted: the kernel's
// figures are finer, but a few milliseconds say nothing about pressure.
const cpuSpan = 100 * time.Millisecond

// CPU measures the processor time of this process over the last moments. The zero
// value is ready. It is not safe for concurrent use.
type CPU struct {
	older, newer mark
}

// mark is what had been used when.
type mark struct {
	at   time.Time
	used time.Duration
}

// Percent returns the processor time, user and system, that this process has used
// since a moment 0.1 to 0.2 s ago, or since the last call where that is longer, in
// percent of what the processors that it may use had to give (GOMAXPROCS):
// within [0,100]. It is false until 0.1 s have passed since the first call.
func (c *CPU) Percent() (float64, bool, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, false, fmt.Errorf("cannot ask for the processor time of this process: %w", err)
	}
	now := mark{time.Now(), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
	percent, ok := c.next(now, runtime.GOMAXPROCS(0))
	return percent, ok, nil
}

func (c *CPU) next(now mark, processors int) (percent float64, ok bool) {
	if c.older.at.IsZero() {
		c.older, c.newer = now, now
		return 0, false
	}
	if wall := now.at.Sub(c.older.at); wall >= cpuSpan {
		percent, ok = min(100, 100*float64(now.used-c.older.used)/(float64(wall)*float64(processors))), true
	}
	if now.at.Sub(c.newer.at) >= cpuSpan {
		c.older, c.newer = c.newer, now
	}
	return percent, ok
}
