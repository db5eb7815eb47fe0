package projections

import (
	"cmp"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// Nonce is a spent command id that could still pass the freshness check.
type Nonce struct {
	Command   leyline.CommandID
	Key       leyline.KeyID
	KeepUntil leyline.Instant
}

// SequenceWindow is what a key has spent. It is never forgotten, not even when the
// key is revoked.
type SequenceWindow struct {
	Key    leyline.KeyID
	High   uint64 // highest sequence
	Live   uint32 // nonces of the key in the ledger
	Minute int64  // of plane time, since 1970, in which it last spent one
	Spent  uint32 // commands in that minute
}

func windowKey(w *SequenceWindow) leyline.KeyID { return w.Key }

// Window returns what a key has spent so far.
func (k *Kasmina) Window(key leyline.KeyID) SequenceWindow {
	if w := get(k.Windows, key, windowKey); w != nil {
		return *w
	}
	return SequenceWindow{Key: key}
}

// Spent reports whether a command id is in the ledger.
func (k *Kasmina) Spent(id leyline.CommandID) bool {
	_, ok := slices.BinarySearch(k.NonceIDs, id)
	return ok
}

// High returns the highest sequence spent by a key, 0 if none.
func (k *Kasmina) High(key leyline.KeyID) uint64 { return k.Window(key).High }

// InMinute returns how many commands a key has spent in the minute of an instant.
func (w *SequenceWindow) InMinute(at leyline.Instant) uint32 {
	if w.Minute != minute(at) {
		return 0
	}
	return w.Spent
}

func minute(at leyline.Instant) int64 { return int64(at) / int64(time.Minute) }

// Expired counts the nonces in the ledger that can no longer be replayed at an
// instant: their commands are stale. They are the first ones.
func (k *Kasmina) Expired(at leyline.Instant) int {
	n, _ := slices.BinarySearchFunc(k.Nonces, at, func(n Nonce, at leyline.Instant) int {
		return cmp.Compare(n.KeepUntil, at)
	})
	return n
}

// fewNonces is up to how many are removed one by one from the sorted ids. More
// than that are cheaper to remove in one pass.
const fewNonces = 8

// forget lets go of the first n nonces. A verdict says how many: plane time never
// goes back, so they can never be replayed.
func (k *Kasmina) forget(n uint32) {
	gone := k.Nonces[:min(int(n), len(k.Nonces))]
	if len(gone) == 0 {
		return
	}
	ids := make([]leyline.CommandID, len(gone))
	for i := range gone {
		ids[i] = gone[i].Command
		if w := get(k.Windows, gone[i].Key, windowKey); w != nil && w.Live > 0 {
			w.Live--
		}
	}
	k.Nonces = k.Nonces[len(gone):]
	if len(ids) > fewNonces {
		k.dropAll(ids)
		return
	}
	for _, id := range ids {
		if i, ok := slices.BinarySearch(k.NonceIDs, id); ok {
			k.NonceIDs = slices.Delete(k.NonceIDs, i, i+1)
		}
	}
}

// dropAll removes ids, in any order, from the sorted ones in one pass.
func (k *Kasmina) dropAll(ids []leyline.CommandID) {
	slices.Sort(ids)
	k.NonceIDs = slices.DeleteFunc(k.NonceIDs, func(id leyline.CommandID) bool {
		for len(ids) > 0 && ids[0] < id {
			ids = ids[1:]
		}
		return len(ids) > 0 && ids[0] == id
	})
}

// spend records a nonce and a sequence.
func (k *Kasmina) spend(at leyline.Instant, n Nonce, seq uint64) {
	i := k.Expired(n.KeepUntil + 1) // after its equals
	k.Nonces = slices.Insert(k.Nonces, i, n)
	j, _ := slices.BinarySearch(k.NonceIDs, n.Command)
	k.NonceIDs = slices.Insert(k.NonceIDs, j, n.Command)
	w := k.Window(n.Key)
	w.High, w.Live = max(w.High, seq), w.Live+1
	w.Minute, w.Spent = minute(at), w.InMinute(at)+1
	k.Windows = put(k.Windows, w, windowKey)
}
