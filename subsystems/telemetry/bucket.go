package telemetry

import (
	"time"

	"github.com/esper-plane/esper/leyline"
)

// bucket is a token bucket in the time of packets: it holds as many tokens as
// may pass in a minute, is full at first, and refills evenly. Once it was asked
// in vain it stays shut until an eighth of it is there again, so that under a
// flood packets pass in rows and not one by one, each between two notices. The
// arithmetic is whole, so that the same packets give the same verdicts everywhere.
type bucket struct {
	perMin int64 // tokens in a full bucket; 0: no cap
	level  int64 // in nanoseconds of a minute times perMin; Invariant: 0 to full()
	at     leyline.Instant
	shut   bool // since it was asked in vain
}

// perToken is what one packet costs, in units of level.
const perToken = int64(time.Minute)

func newBucket(perMin uint32) bucket {
	b := bucket{perMin: int64(perMin)}
	b.level = b.full()
	return b
}

func (b *bucket) full() int64 { return b.perMin * perToken }

// refill adds what has flown in since it was last called. Time that does not
// move forward adds nothing.
func (b *bucket) refill(at leyline.Instant) {
	if b.at == 0 || at <= b.at {
		b.at = max(b.at, at)
		return
	}
	passed := min(at.Sub(b.at), time.Minute) // a minute fills any bucket
	b.level = min(b.level+int64(passed)*b.perMin, b.full())
	b.at = at
}

// opens opens a shut bucket that holds enough, and reports whether it did.
func (b *bucket) opens() bool {
	enough := min(max(2*perToken, b.full()/8), b.full())
	if !b.shut || b.level < enough {
		return false
	}
	b.shut = false
	return true
}

// take lets a packet pass if it may.
func (b *bucket) take() bool {
	switch {
	case b.perMin == 0:
		return true
	case b.shut || b.level < perToken:
		b.shut = true
		return false
	}
	b.spend()
	return true
}

// spend counts a packet that passes in any case.
func (b *bucket) spend() { b.level = max(b.level-perToken, 0) }

// tokens returns how many packets may pass at once, parts of one included.
func (b *bucket) tokens() float64 { return float64(b.level) / float64(perToken) }
