package leyline

import (
	"fmt"
	"strconv"
)

// EvictReason is why a copy of a snapshot is given up.
type EvictReason = Enum[evictReasons]

type evictReasons struct{}

func (evictReasons) list() []string { return evictReasonNames[:] }

var evictReasonNames = [...]string{
	"unspecified", "surplus", "no_room", "replaced", "abandoned", "lost", "orphaned", "ended",
}

// The reasons for giving up a copy of a snapshot.
const (
	EvictUnspecified EvictReason = iota
	EvictSurplus                 // more full copies than tolaria.snapshot_keep
	EvictNoRoom                  // the fast tier needs its bytes
	EvictReplaced                // another snapshot of the same step took its place
	EvictAbandoned               // it was taken after the step that the run returned to
	EvictLost                    // its file is missing or is not what was registered
	EvictOrphaned                // a file that no registered snapshot names
	EvictEnded                   // its run needs no fast copy any more
)

// Checksum is the CRC-32C (Castagnoli) of a file: the quick check of a restore
// from the fast tier. It finds bytes that changed by accident, not by intent.
// Zero means none: a file whose checksum is really zero has none and is checked by
// its SHA-256 instead.
type Checksum uint32

// String is eight hex digits.
func (c Checksum) String() string { return fmt.Sprintf("%08x", uint32(c)) }

// MarshalText is the inverse of UnmarshalText.
func (c Checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText parses eight hex digits.
func (c *Checksum) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 32)
	if err != nil || len(b) != 8 {
		return fmt.Errorf("cannot parse checksum %q: want eight hex digits", b)
	}
	*c = Checksum(n)
	return nil
}
