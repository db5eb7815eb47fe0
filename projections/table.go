package projections

import (
	"cmp"
	"slices"
)

// Tables are slices sorted by a key, so that iteration has one order.

// find returns the position of key in rows and whether it is there.
func find[T any, K cmp.Ordered](rows []T, key K, keyOf func(*T) K) (int, bool) {
	lo, hi := 0, len(rows)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if keyOf(&rows[mid]) < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(rows) && keyOf(&rows[lo]) == key
}

// get returns the row with key, or nil.
func get[T any, K cmp.Ordered](rows []T, key K, keyOf func(*T) K) *T {
	if i, ok := find(rows, key, keyOf); ok {
		return &rows[i]
	}
	return nil
}

// put inserts row at its place, replacing a row with the same key.
func put[T any, K cmp.Ordered](rows []T, row T, keyOf func(*T) K) []T {
	i, ok := find(rows, keyOf(&row), keyOf)
	if ok {
		rows[i] = row
		return rows
	}
	return slices.Insert(rows, i, row)
}
