package recheck

import (
	"cmp"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// ledger is what was spent: a plain one, for its own sake.
type ledger struct {
	spent map[leyline.CommandID]bool
	queue []nonce // in order of keep
	used  map[leyline.KeyID]*use
}

type nonce struct {
	id   leyline.CommandID
	key  leyline.KeyID
	keep leyline.Instant
}

// use is what one key has spent.
type use struct {
	high   uint64
	live   uint32
	minute int64
	spent  uint32 // in the minute
}

func (u *use) within(at leyline.Instant) uint32 {
	if u.minute != int64(at)/int64(time.Minute) {
		return 0
	}
	return u.spent
}

func (l *ledger) of(key leyline.KeyID) *use {
	if u := l.used[key]; u != nil {
		return u
	}
	return &use{}
}

// expire lets go of the nonces that are not kept any more, and counts them.
func (l *ledger) expire(at leyline.Instant) (n uint32) {
	for len(l.queue) > 0 && l.queue[0].keep < at {
		delete(l.spent, l.queue[0].id)
		l.used[l.queue[0].key].live--
		l.queue = l.queue[1:]
		n++
	}
	return n
}

func (l *ledger) spend(at leyline.Instant, key leyline.KeyID, c leyline.Command, keep leyline.Instant) {
	i, _ := slices.BinarySearchFunc(l.queue, keep+1, func(n nonce, keep leyline.Instant) int { return cmp.Compare(n.keep, keep) })
	l.queue = slices.Insert(l.queue, i, nonce{c.ID, key, keep})
	l.spent[c.ID] = true
	u := l.of(key)
	u.high, u.live = max(u.high, c.Sequence), u.live+1
	u.spent = u.within(at) + 1
	u.minute = int64(at) / int64(time.Minute)
	l.used[key] = u
}
