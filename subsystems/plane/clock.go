package plane

import (
	"time"

	"github.com/esper-plane/esper/leyline"
)

// maxSlew is how fast plane time may be drawn toward the wall clock: 500 parts
// per million, the rate at which time daemons slew.
const maxSlew = 500e-6

// clock gives plane time: it advances with the monotonic clock, is slewed
// toward the wall clock and never goes back. A wall clock that jumps changes
// plane time by the slew only.
type clock struct {
	last leyline.Instant // last time given
	mono time.Time       // monotonic reading at last
	wall func() time.Time
}

// newClock starts at the wall clock, or at the log's last record when the wall
// clock is behind it.
func newClock(last leyline.Instant, wall func() time.Time) *clock {
	if wall == nil {
		wall = time.Now
	}
	return &clock{last: max(last, leyline.Instant(wall().UnixNano())), mono: time.Now(), wall: wall}
}

// now returns plane time and the wall clock.
func (c *clock) now() (at, wall leyline.Instant) {
	elapsed := time.Since(c.mono)
	c.mono = c.mono.Add(elapsed)
	wall = leyline.Instant(c.wall().UnixNano())
	at = c.last.Add(elapsed)
	limit := time.Duration(float64(elapsed) * maxSlew)
	at = at.Add(min(max(wall.Sub(at), -limit), limit))
	c.last = max(c.last, at)
	return c.last, wall
}

// until returns how long to wait for an instant.
func (c *clock) until(t leyline.Instant) time.Duration {
	return max(t.Sub(c.last)-time.Since(c.mono), 0)
}
