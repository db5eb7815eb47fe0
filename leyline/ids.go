package leyline

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MaxIDLen is the longest id accepted anywhere, in bytes.
const MaxIDLen = 128

// Seq is the position of a record in the log. The first record is 1; zero
// means "no record".
type Seq uint64

// Step counts optimizer steps of a run. The first step is 1; zero is the state
// before any step.
type Step uint64

// Incarnation counts the lives of a run: 1 when it is opened, one more after
// every rollback and every resume. Reports of an old incarnation are refused.
type Incarnation uint32

// Lineage counts the rollbacks a run has finished. It seeds the randomness of
// the steps that follow, so that a step retried after a rollback does not
// repeat the random choices that led into the fault, while a run resumed after
// a crash (same lineage) repeats them exactly.
type Lineage uint32

// Instant is plane time in nanoseconds since the Unix epoch. It follows the
// monotonic clock and never goes backwards within a log.
type Instant int64

// Add returns the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Sub returns the duration from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// String renders t in UTC with microseconds, in RFC 3339 form.
func (t Instant) String() string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// Ids are distinct types so that one can never be passed for another. All
// share one syntax: 1 to 128 bytes out of letters, digits and "._:-", but not "."
// or "..", because ids become names of files and directories.
type (
	// RunID names a training run.
	RunID string
	// SeedID names a seed, which is also its slot in the host network.
	SeedID string
	// BlueprintID names a blueprint: a kind of seed module with its kernel.
	BlueprintID string
	// CommandID names a command and doubles as its nonce.
	CommandID string
	// SnapshotID names a snapshot of training state.
	SnapshotID string
	// RollbackID names one rollback, "rb-" and the sequence of the record that
	// started it.
	RollbackID string
	// KeyID names a verification key: the first 16 bytes of the SHA-256 of its
	// domain-separated public key, in hex.
	KeyID string
	// TaskID names a task of a multi-task run.
	TaskID string
)

// CheckID reports whether s has the syntax of an id. The error says what is
// wrong without naming the field; callers add it.
func CheckID[T ~string](s T) error { return checkID(string(s)) }

func checkID(s string) error {
	if s == "" {
		return errors.New("is missing")
	}
	if len(s) > MaxIDLen {
		return fmt.Errorf("is %d bytes long, at most %d are allowed", len(s), MaxIDLen)
	}
	if s == "." || s == ".." {
		return fmt.Errorf("is %q, which a file system takes for a directory", s)
	}
	for i := range len(s) {
		if !idBytes[s[i]] {
			return fmt.Errorf("has byte %q at %d; letters, digits and ._:- are allowed", s[i], i)
		}
	}
	return nil
}

// idBytes marks the bytes that ids are made of.
var idBytes = idTable()

func idTable() (t [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") {
		t[c] = true
	}
	return t
}

// EffectID names an effect by the record and the event that caused it. It is
// also the id of the directive that the effect becomes.
type EffectID struct {
	Seq   Seq    // record
	Index uint16 // position of the event within the record
}

// IsZero reports whether the id is unset.
func (id EffectID) IsZero() bool { return id == EffectID{} }

// String renders the id as "seq.index".
func (id EffectID) String() string {
	return strconv.FormatUint(uint64(id.Seq), 10) + "." + strconv.FormatUint(uint64(id.Index), 10)
}

// MarshalText is the inverse of UnmarshalText.
func (id EffectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses "seq.index".
func (id *EffectID) UnmarshalText(b []byte) error {
	var v EffectID
	if _, err := fmt.Sscanf(string(b), "%d.%d", &v.Seq, &v.Index); err != nil || v.String() != string(b) {
		return fmt.Errorf("cannot parse effect id %q: want seq.index", b)
	}
	*id = v
	return nil
}

// Digest is a SHA-256 value.
type Digest [32]byte

// IsZero reports whether the digest is unset.
func (d Digest) IsZero() bool { return d == Digest{} }

// String renders the digest in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short renders the first six bytes, for people.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

// MarshalText is the inverse of UnmarshalText.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses 64 hex digits.
func (d *Digest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return fmt.Errorf("cannot parse digest: %d characters, want %d", len(b), hex.EncodedLen(len(d)))
	}
	if _, err := hex.Decode(d[:], b); err != nil {
		return fmt.Errorf("cannot parse digest: %w", err)
	}
	return nil
}
