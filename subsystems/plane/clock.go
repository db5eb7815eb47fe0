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
// plane time by the slew only, so no nonce comes to life again and no honest command
// grows old at once. That it jumped is for step to say.
//
// The distance between the two clocks that was told of last shrinks with the slew. What
// is left of the present distance beyond it is by how much the wall clock was set since.
type clock struct {
	last leyline.Instant // last time given
	mono time.Time       // monotonic reading at last
	wall func() time.Time
	seen leyline.Instant // the wall clock at last
	told time.Duration   // wall clock less plane time, as far as it was told of
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
	slew := min(max(wall.Sub(at), -limit), limit)
	c.told = shrink(c.told, abs(slew))
	c.last, c.seen = max(c.last, at.Add(slew)), wall
	return c.last, wall
}

// shrink brings a distance nearer to zero, and not beyond it.
func shrink(d, by time.Duration) time.Duration {
	if d > 0 {
		return max(d-by, 0)
	}
	return min(d+by, 0)
}

func abs(d time.Duration) time.Duration { return max(d, -d) }

// step reports by how much the wall clock was set when now was called last: false
// unless it was by more than limit since the last step. At the start of a process it
// is how far the wall clock is behind the last record.
func (c *clock) step(limit time.Duration) (leyline.ClockStepped, bool) {
	moved := c.seen.Sub(c.last) - c.told
	if abs(moved) <= limit {
		return leyline.ClockStepped{}, false
	}
	c.told += moved
	return leyline.ClockStepped{AmountNs: moved.Nanoseconds(), Old: c.seen.Add(-moved), New: c.seen}, true
}

// until returns how long to wait for an instant.
func (c *clock) until(t leyline.Instant) time.Duration {
	return max(t.Sub(c.last)-time.Since(c.mono), 0)
}
