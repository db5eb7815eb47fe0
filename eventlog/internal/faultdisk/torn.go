package faultdisk

import "math/rand/v2"

// tear returns a file in which every sector shows the file after some number
// of its changes, drawn for each of them, and so does the length.
func tear(n *node, rnd *rand.Rand) []byte {
	p := chance(rnd)
	size, longest := tornSize(n, pickChange(rnd, len(n.changes), p))
	file := resize(append([]byte(nil), n.durable...), longest)
	shown := make([]int, longest/sector+1)
	for s := range shown {
		shown[s] = pickChange(rnd, len(n.changes), p)
	}
	for i, c := range n.changes {
		from, to := c.off, c.off+len(c.data)
		if c.resize {
			to = longest
		}
		for s := from / sector; s*sector < to; s++ {
			if i >= shown[s] {
				continue
			}
			lo, hi := max(from, s*sector), min(to, (s+1)*sector)
			if c.resize {
				clear(file[lo:hi])
			} else {
				copy(file[lo:hi], c.data[lo-from:])
			}
		}
	}
	return file[:size]
}

// pickChange draws how many of n changes are there: all with probability p,
// else mostly none.
func pickChange(rnd *rand.Rand, n int, p float64) int {
	switch {
	case rnd.Float64() < p:
		return n
	case rnd.IntN(4) == 0:
		return rnd.IntN(n)
	}
	return 0
}

// tornSize returns the size after a number of changes, and the greatest after
// any number.
func tornSize(n *node, changes int) (size, longest int) {
	now := len(n.durable)
	size, longest = now, now
	for i, c := range n.changes {
		if c.resize {
			now = c.off
		} else {
			now = max(now, c.off+len(c.data))
		}
		longest = max(longest, now)
		if i < changes {
			size = now
		}
	}
	return size, longest
}
