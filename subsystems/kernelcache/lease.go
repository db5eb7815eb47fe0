package kernelcache

import "time"

// Lease is a kernel in somebody's hands. While it is held the cache keeps its room.
type Lease[F any] struct {
	Bytes  []byte // must not be changed
	Facts  F
	Origin Origin
	Waited time.Duration // for another one's read of it, or for room

	cache *Cache[F]
	entry *entry[F]
}

// lease hands out an entry. It needs c.mu.
func (c *Cache[F]) lease(e *entry[F], o Origin) *Lease[F] {
	e.pins++
	c.stats.Held++
	return &Lease[F]{Bytes: e.bytes, Facts: e.facts, Origin: o, cache: c, entry: e}
}

// Release ends a lease. A second call does nothing.
func (l *Lease[F]) Release() {
	c := l.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	e := l.entry
	if e == nil {
		return
	}
	l.entry = nil
	e.pins--
	c.stats.Held--
	if e.pins > 0 {
		return
	}
	if e.orphan {
		c.used -= e.key.Bytes
	} else if c.used > c.max {
		c.shrink(0) // Configure lowered the budget meanwhile
	}
	c.announce()
}

// Named returns a lease of the kernel of a name that was read last, if one is there.
// It counts as no lookup: who finds none reads elsewhere.
func (c *Cache[F]) Named(name string) (*Lease[F], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	var best *entry[F]
	for e := range c.ready() {
		if e.key.Name == name && (best == nil || e.read.After(best.read)) {
			best = e
		}
	}
	if best == nil {
		return nil, false
	}
	return c.lease(best, Found), true
}
