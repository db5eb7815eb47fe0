package kernelcache

// Stats are what a cache holds now and has done so far.
type Stats struct {
	Kernels int    // that can be found
	Held    int    // leases that are not released
	Waiting int    // lookups that wait for another one's read, or for room
	Bytes   uint64 // counted against the budget
	Max     uint64 // the budget
	Found   uint64 // lookups that found their kernel
	Joined  uint64 // lookups that were served by another one's read
	Read    uint64 // reads that were begun
	Failed  uint64 // of them, those that came to nothing
	Evicted uint64 // kernels given up for room
	Expired uint64 // kernels given up because of their age
	Cleared uint64 // kernels given up by Clear
}

// Served is the share of lookups that needed no read of their own, 0 without any.
func (s Stats) Served() float64 {
	all := s.Found + s.Joined + s.Read
	if all == 0 {
		return 0
	}
	return float64(s.Found+s.Joined) / float64(all)
}

// Cleared is what Clear has given up, and how many kernels it could not, because they
// are held or being read.
type Cleared struct {
	Kernels int
	Bytes   uint64
	Kept    int
}

// Clear gives up every kernel that nobody holds.
func (c *Cache[F]) Clear() Cleared {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out Cleared
	for e := range c.ready() {
		if e.pins > 0 {
			continue
		}
		c.drop(e)
		c.stats.Cleared++
		out.Kernels++
		out.Bytes += e.key.Bytes
	}
	out.Kept = len(c.entries)
	return out
}

// Stats says what the cache holds and has done.
func (c *Cache[F]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	s := c.stats
	s.Waiting = int(c.waiting.Load())
	s.Kernels, s.Bytes, s.Max = c.recent.Len(), c.used, c.max
	return s
}
