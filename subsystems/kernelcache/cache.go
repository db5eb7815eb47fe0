// Package kernelcache keeps kernels that were read and verified, in memory, within
// an exact budget of bytes.
//
// A kernel is named by a Key. Get returns a lease of it: from the cache, from a read
// of the same kernel that somebody else has under way, or by reading it itself. There
// is at most one read per key at a time, and whoever came second waits for it and is
// told how long. A read that fails has failed for all who wait; one that was
// cancelled was cancelled for its own caller only, and another one who waits begins
// anew.
//
// What is counted against the budget is the size of every kernel that is kept, that
// is being read, or that somebody still holds a lease of: never more than the budget,
// not even for a moment. A read does not begin before there is room for it. Room is
// made by giving up what was used least recently; a kernel that somebody holds is
// never given up, and who needs its room waits. A kernel leaves the cache the
// configured time after it was read: then it is read, and verified, anew. Nothing
// in here comes from an earlier process, so nothing is served that this one has not
// verified.
//
// All methods are safe for concurrent use. No goroutine is started.
package kernelcache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRoom marks a kernel that is larger than the whole budget.
var ErrRoom = errors.New("is larger than the kernel cache")

// ErrSize marks a kernel that has not the size it was asked for with.
var ErrSize = errors.New("has another size than was asked for")

// Key names a kernel by where it lies, what it hashes to, what it was built for and
// its size in bytes.
type Key struct {
	Name   string
	Digest [32]byte
	Guard  [32]byte
	Bytes  uint64
}

// Origin says how a lease came about.
//
// enum: local because what is stored of it is leyline.KernelOrigin.
type Origin uint8

// The origins: read by the caller itself, read by another caller meanwhile, found.
const (
	Read Origin = iota + 1
	Joined
	Found
)

// Loader reads and verifies a kernel and says what else was found out about it. The
// cache keeps the bytes, which must not be changed any more. It must end when ctx does.
type Loader[F any] func(ctx context.Context, k Key) ([]byte, F, error)

// Cache is a kernel cache. F is what is known of a kernel beside its bytes.
type Cache[F any] struct {
	now     func() time.Time
	waiting atomic.Int32

	mu      sync.Mutex
	max     uint64
	ttl     time.Duration // 0: no limit
	used    uint64        // Invariant: the sizes of entries and orphans, at most max unless Configure lowered it
	entries map[Key]*entry[F]
	recent  *list.List    // of ready entries, the one used last in front
	freed   chan struct{} // closed when room may have become free
	stats   Stats
}

// entry is a kernel that is kept, or being read: ready says which.
type entry[F any] struct {
	key     Key
	bytes   []byte
	facts   F
	ready   bool
	orphan  bool // not in the cache any more, but held
	pins    int
	read    time.Time // when the read had ended
	expires time.Time // zero: never
	place   *list.Element
	done    chan struct{} // closed when the read has ended
	err     error         // then: why there is no kernel; nil also when its reader was cancelled
}

// New returns an empty cache for up to max bytes, whose kernels stay for ttl; 0: until
// they must make room. now is the clock; nil: that of the machine.
func New[F any](max uint64, ttl time.Duration, now func() time.Time) *Cache[F] {
	if now == nil {
		now = time.Now
	}
	return &Cache[F]{now: now, max: max, ttl: ttl, entries: map[Key]*entry[F]{}, recent: list.New(), freed: make(chan struct{})}
}

// Configure changes the budget and how long kernels stay. What does not fit any more
// goes, but for what is held: that goes when it is released.
func (c *Cache[F]) Configure(max uint64, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.ready() {
		e.expires = expiry(e.read, ttl)
	}
	c.max, c.ttl = max, ttl
	c.shrink(0)
	c.announce()
}

func expiry(read time.Time, ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return read.Add(ttl)
}

// ready yields the entries that can be found, the one used last first. Entries may be
// dropped meanwhile. It needs c.mu.
func (c *Cache[F]) ready() func(yield func(*entry[F]) bool) {
	return func(yield func(*entry[F]) bool) {
		for p := c.recent.Front(); p != nil; {
			next := p.Next()
			if !yield(p.Value.(*entry[F])) {
				return
			}
			p = next
		}
	}
}

// Get returns a lease of a kernel; the caller releases it. The error is the loader's,
// the cause of ctx, or wraps ErrRoom or ErrSize.
func (c *Cache[F]) Get(ctx context.Context, k Key, load Loader[F]) (*Lease[F], error) {
	var waited time.Duration
	joined := false
	for {
		lease, e, err := c.begin(k, joined)
		switch {
		case err != nil:
			return nil, err
		case lease != nil:
			lease.Waited = waited
			return lease, nil
		case e != nil && e.own:
			return c.read(ctx, k, e.entry, load, waited)
		}
		since := c.now()
		err = c.await(ctx, e.wait)
		waited += c.now().Sub(since)
		if err != nil {
			return nil, err
		}
		if e.entry == nil {
			continue // there may be room now
		}
		if e.err != nil {
			return nil, e.err
		}
		joined = true
	}
}

// await waits for another one's read or for room.
func (c *Cache[F]) await(ctx context.Context, done <-chan struct{}) error {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// next is what a lookup that found no kernel has to do: read it itself, or wait, for
// a read or, without an entry, for room.
type next[F any] struct {
	*entry[F]
	own  bool
	wait <-chan struct{}
}

// begin looks a kernel up. It returns a lease of it, or what is to be done for one.
func (c *Cache[F]) begin(k Key, joined bool) (*Lease[F], *next[F], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	e := c.entries[k]
	switch {
	case e != nil && e.ready:
		c.recent.MoveToFront(e.place)
		origin, count := Found, &c.stats.Found
		if joined {
			origin, count = Joined, &c.stats.Joined
		}
		*count++
		return c.lease(e, origin), nil, nil
	case e != nil:
		return nil, &next[F]{entry: e, wait: e.done}, nil
	case k.Bytes > c.max:
		return nil, nil, fmt.Errorf("kernel %q of %d bytes %w of %d", k.Name, k.Bytes, ErrRoom, c.max)
	case !c.shrink(k.Bytes):
		return nil, &next[F]{wait: c.freed}, nil
	}
	e = &entry[F]{key: k, done: make(chan struct{})}
	c.entries[k] = e
	c.used += k.Bytes
	c.stats.Read++
	return nil, &next[F]{entry: e, own: true}, nil
}

// read loads a kernel whose room is reserved.
func (c *Cache[F]) read(ctx context.Context, k Key, e *entry[F], load Loader[F], waited time.Duration) (lease *Lease[F], err error) {
	returned := false
	defer func() { // also when load panics: nobody must wait for ever
		c.mu.Lock()
		defer c.mu.Unlock()
		if returned && err == nil {
			e.ready, e.read, e.place = true, c.now(), c.recent.PushFront(e)
			e.expires = expiry(e.read, c.ttl)
			lease = c.lease(e, Read)
			lease.Waited = waited
		} else {
			if ctx.Err() == nil && returned {
				e.err = err
			}
			delete(c.entries, k)
			c.used -= k.Bytes
			c.stats.Failed++
		}
		close(e.done)
		c.announce()
	}()
	e.bytes, e.facts, err = load(ctx, k)
	if err == nil && uint64(len(e.bytes)) != k.Bytes {
		err = fmt.Errorf("kernel %q of %d bytes %w, %d", k.Name, len(e.bytes), ErrSize, k.Bytes)
	}
	returned = true
	return nil, err
}

// shrink gives up what was used least recently until there is room for more bytes; it
// reports whether there is. It needs c.mu.
func (c *Cache[F]) shrink(more uint64) bool {
	for p := c.recent.Back(); p != nil && c.used+more > c.max; {
		e := p.Value.(*entry[F])
		p = p.Prev()
		if e.pins == 0 {
			c.drop(e)
			c.stats.Evicted++
		}
	}
	return c.used+more <= c.max
}

// expire gives up what is too old. It needs c.mu.
func (c *Cache[F]) expire() {
	now := c.now()
	for e := range c.ready() {
		if !e.expires.IsZero() && !now.Before(e.expires) {
			c.drop(e)
			c.stats.Expired++
		}
	}
}

// drop takes an entry that is ready out of the cache. What is held of it still
// counts. It needs c.mu.
func (c *Cache[F]) drop(e *entry[F]) {
	delete(c.entries, e.key)
	c.recent.Remove(e.place)
	if e.pins > 0 {
		e.orphan = true
		return
	}
	c.used -= e.key.Bytes
	c.announce()
}

// announce wakes up who waits for room. It needs c.mu.
func (c *Cache[F]) announce() {
	close(c.freed)
	c.freed = make(chan struct{})
}
