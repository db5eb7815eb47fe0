package projections_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// twin is a replay ledger as a plain map.
type twin struct {
	keep map[leyline.CommandID]leyline.Instant
	key  map[leyline.CommandID]leyline.KeyID
	high map[leyline.KeyID]uint64
}

func (w *twin) expire(at leyline.Instant) (n uint32) {
	for id, keep := range w.keep {
		if keep < at {
			delete(w.keep, id)
			n++
		}
	}
	return n
}

// TestLedgerAgainstASlowTwin spends nonces with random times of issue and lets go of
// them as time passes, and compares with a plain map after every step.
func TestLedgerAgainstASlowTwin(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := &projections.State{}
		w := &twin{map[leyline.CommandID]leyline.Instant{}, map[leyline.CommandID]leyline.KeyID{}, map[leyline.KeyID]uint64{}}
		at := leyline.Instant(1e18)
		for n := range 400 {
			at = at.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
			if rng.IntN(20) == 0 {
				at = at.Add(time.Minute) // many expire at once
			}
			id := leyline.CommandID(fmt.Sprintf("c-%d", rng.IntN(1<<30)))
			key := leyline.KeyID(fmt.Sprintf("key-%d", rng.IntN(4)))
			keep := at.Add(time.Duration(5+rng.IntN(65)) * time.Second)
			if got, want := s.Kasmina.Expired(at), len(w.keep); got > want {
				t.Fatalf("seed %d, step %d: %d of %d have expired", seed, n, got, want)
			}
			expired := uint32(s.Kasmina.Expired(at))
			if want := w.expire(at); expired != want {
				t.Fatalf("seed %d, step %d: %d have expired, want %d", seed, n, expired, want)
			}
			seq := w.high[key] + uint64(rng.IntN(3))
			s.ApplyRecord(leyline.Record{Seq: leyline.Seq(n + 1), At: at, Events: []leyline.Event{leyline.CommandRejected{
				Command: id, Key: key, Sequence: seq, KeepUntil: keep, Ledger: leyline.LedgerFill{Expired: expired},
			}}})
			w.keep[id], w.key[id], w.high[key] = keep, key, max(w.high[key], seq)
			compare(t, w, &s.Kasmina)
		}
	}
}

func compare(t *testing.T, w *twin, k *projections.Kasmina) {
	t.Helper()
	live := map[leyline.KeyID]uint32{}
	for id := range w.keep {
		live[w.key[id]]++
		if !k.Spent(id) {
			t.Fatalf("%s is forgotten", id)
		}
	}
	if len(k.Nonces) != len(w.keep) || len(k.NonceIDs) != len(w.keep) {
		t.Fatalf("%d nonces, %d ids, want %d", len(k.Nonces), len(k.NonceIDs), len(w.keep))
	}
	if !slices.IsSorted(k.NonceIDs) || !slices.IsSortedFunc(k.Nonces, func(a, b projections.Nonce) int { return int(a.KeepUntil - b.KeepUntil) }) {
		t.Fatal("the ledger is not in order")
	}
	for key, high := range w.high {
		if got := k.Window(key); got.High != high || got.Live != live[key] {
			t.Fatalf("window of %s is %+v, want high %d and %d live", key, got, high, live[key])
		}
	}
}

// TestForgettingMoreThanThereIs folds a forged record: a fold may not panic on what
// no verifier says.
func TestForgettingMoreThanThereIs(t *testing.T) {
	s := &projections.State{}
	s.ApplyRecord(leyline.Record{Seq: 1, At: 1, Events: []leyline.Event{
		leyline.CommandRejected{Command: "a", Key: "k", Sequence: 1, KeepUntil: 9, Ledger: leyline.LedgerFill{Expired: 1 << 30}},
		leyline.CommandRejected{Reason: leyline.RejectStale, Ledger: leyline.LedgerFill{Expired: 1 << 31}},
	}})
	if k := &s.Kasmina; len(k.Nonces)+len(k.NonceIDs) != 0 || k.High("k") != 1 {
		t.Errorf("left %+v", k)
	}
}

func TestCountsOfTheDoorAreVerdicts(t *testing.T) {
	s := &projections.State{}
	s.ApplyRecord(leyline.Record{Seq: 1, At: 1, Events: []leyline.Event{
		leyline.CommandRejected{Reason: leyline.RejectInvalidSignature},
		leyline.CommandsRefused{Counts: []leyline.RejectCount{{Reason: leyline.RejectUnknownKey, N: 3}, {Reason: leyline.RejectInvalidSignature, N: 40}}},
	}})
	want := []projections.ReasonCount{{Reason: leyline.RejectUnknownKey, N: 3}, {Reason: leyline.RejectInvalidSignature, N: 41}}
	if !slices.Equal(s.Audit.Rejected, want) || s.Audit.RejectedTotal() != 44 {
		t.Errorf("counted %+v", s.Audit.Rejected)
	}
}

// BenchmarkLedger is the ledger's share of one verdict while it holds 10,000 live
// nonces: looking one up, letting go of one and spending one.
func BenchmarkLedger(b *testing.B) {
	const live = 10_000
	s := &projections.State{}
	at := leyline.Instant(1e18)
	n := 0
	spend := func(expired uint32) {
		n++
		id := leyline.CommandID(fmt.Sprintf("cmd-%08x", uint32(n)*2654435761))
		s.ApplyRecord(leyline.Record{Seq: leyline.Seq(n), At: at, Events: []leyline.Event{leyline.CommandRejected{
			Command: id, Key: "key-1", Sequence: uint64(n), KeepUntil: at.Add(65 * time.Second), Ledger: leyline.LedgerFill{Expired: expired},
		}}})
		at++
	}
	for range live {
		spend(0)
	}
	b.Run("what=lookup", func(b *testing.B) {
		for b.Loop() {
			s.Kasmina.Spent("cmd-7fffffff")
		}
	})
	b.Run("what=verdict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spend(1)
		}
	})
}
