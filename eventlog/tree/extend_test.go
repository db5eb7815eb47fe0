package tree_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/eventlog/tree"
)

// Between any two sizes there is a proof that verifies, also elsewhere and after
// it was written and read.
func TestProveEveryTree(t *testing.T) {
	l := newLog(t, 40)
	for to := range 41 {
		for from := range to + 1 {
			p := l.proveTree(from, to)
			var again tree.TreeProof
			if err := again.UnmarshalText(text(t, p)); err != nil || !bytes.Equal(text(t, again), text(t, p)) {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
			older, newer, err := again.Verify(l.verifier)
			if err != nil || older.Size != int64(from) || older.Root != l.roots[from] || newer.Size != int64(to) || newer.Root != l.roots[to] {
				t.Fatalf("%d to %d: %+v, %+v, %v", from, to, older, newer, err)
			}
			err = proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from), uint64(to), raw(p.Hashes), l.roots[from][:], l.roots[to][:])
			if err != nil {
				t.Fatalf("%d to %d: transparency-dev/merkle: %v", from, to, err)
			}
		}
	}
}

// A log that changed a record, anywhere in what it had signed, cannot prove that
// it did not, whether it uses the old or the new stored hashes or those of a
// proof that was good.
func TestForksAreRefused(t *testing.T) {
	l := newLog(t, 24)
	for to := 1; to <= 24; to++ {
		for from := 1; from <= to; from++ {
			good := l.proveTree(from, to)
			for _, at := range []uint64{1, uint64(from+1) / 2, uint64(from)} {
				forked := l.fork(at)
				for _, hashes := range []hashList{l.stored, forked.stored} {
					p, err := tree.ProveTree(l.checkpoint(from), forked.checkpoint(to), l.verifier, hashes)
					if !errors.Is(err, tree.ErrInconsistent) || p.New != nil {
						t.Errorf("record %d changed between %d and %d: %v", at, from, to, err)
					}
				}
				p := good
				if p.New = forked.checkpoint(to); !treeRefused(p, l) {
					t.Errorf("record %d changed between %d and %d: verified", at, from, to)
				}
			}
		}
	}
}

// treeRefused reports whether a proof does not verify, with the error it should.
func treeRefused(p tree.TreeProof, l *testLog) bool {
	older, newer, err := p.Verify(l.verifier)
	return errors.Is(err, tree.ErrProof) && older == (tree.Checkpoint{}) && newer == (tree.Checkpoint{})
}

func TestTreeProofsOfOthers(t *testing.T) {
	l := newLog(t, 24)
	for name, change := range map[string]func(*tree.TreeProof){
		"shorter":                    func(p *tree.TreeProof) { p.Old, p.New = p.New, p.Old },
		"another older size":         func(p *tree.TreeProof) { p.Old = l.checkpoint(12) },
		"another newer size":         func(p *tree.TreeProof) { p.New = l.checkpoint(21) },
		"one hash less":              func(p *tree.TreeProof) { p.Hashes = p.Hashes[1:] },
		"one hash more":              func(p *tree.TreeProof) { p.Hashes = append(p.Hashes, tree.Hash{}) },
		"hashes from nothing":        func(p *tree.TreeProof) { p.Old = l.checkpoint(0) },
		"hashes between equal sizes": func(p *tree.TreeProof) { p.Old = p.New },
		"hashes swapped":             func(p *tree.TreeProof) { p.Hashes[0], p.Hashes[1] = p.Hashes[1], p.Hashes[0] },
		"hashes between empty trees": func(p *tree.TreeProof) { p.Old, p.New = l.checkpoint(0), l.checkpoint(0) },
	} {
		p := l.proveTree(13, 22)
		change(&p)
		if !treeRefused(p, l) {
			_, _, err := p.Verify(l.verifier)
			t.Errorf("%s: %v", name, err)
		}
	}
	other := newNamedLog(t, "plane-8", 24)
	for name, change := range map[string]func(*tree.TreeProof){
		"older of another log": func(p *tree.TreeProof) { p.Old = other.checkpoint(13) },
		"newer of another log": func(p *tree.TreeProof) { p.New = other.checkpoint(22) },
		"no older":             func(p *tree.TreeProof) { p.Old = nil },
	} {
		p := l.proveTree(13, 22)
		change(&p)
		if _, _, err := p.Verify(l.verifier); !errors.Is(err, tree.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := tree.ProveTree(p.Old, p.New, l.verifier, l.stored); !errors.Is(err, tree.ErrCheckpoint) {
			t.Errorf("prove %s: %v", name, err)
		}
	}
	if _, err := tree.ProveTree(l.checkpoint(22), l.checkpoint(13), l.verifier, l.stored); !errors.Is(err, tree.ErrInvalid) {
		t.Errorf("prove a shorter one: %v", err)
	}
	gone := errors.New("gone")
	broken := tlog.HashReaderFunc(func([]int64) ([]tree.Hash, error) { return nil, gone })
	if _, err := tree.ProveTree(l.checkpoint(13), l.checkpoint(22), l.verifier, broken); !errors.Is(err, gone) {
		t.Errorf("prove without hashes: %v", err)
	}
}

// Whichever stored hash is wrong, ProveTree either does not need it or says so.
func TestProveTreeChecksStoredHashes(t *testing.T) {
	l := newLog(t, 21)
	for from := 1; from < 21; from++ {
		want := l.proveTree(from, 21)
		caught := 0
		for index := range l.stored {
			p, err := tree.ProveTree(l.checkpoint(from), l.checkpoint(21), l.verifier, l.stored.flip(index))
			switch {
			case errors.Is(err, tree.ErrInconsistent):
				caught++
			case err != nil || !bytes.Equal(text(t, p), text(t, want)):
				t.Errorf("from %d, stored hash %d wrong: %v", from, index, err)
			}
		}
		if caught < len(want.Hashes) {
			t.Errorf("from %d: %d wrong hashes noticed, fewer than the %d of the proof", from, caught, len(want.Hashes))
		}
	}
}

func TestProveAnyTree(t *testing.T) {
	l := newLog(t, 3000)
	rapid.Check(t, func(r *rapid.T) {
		to := rapid.IntRange(1, 3000).Draw(r, "to")
		from := rapid.IntRange(1, to).Draw(r, "from")
		p := l.proveTree(from, to)
		if _, _, err := p.Verify(l.verifier); err != nil {
			r.Fatal(err)
		}
		if bad := rapid.IntRange(0, len(p.Hashes)).Draw(r, "hash"); bad < len(p.Hashes) {
			p.Hashes[bad][31] ^= 128
			if !treeRefused(p, l) {
				r.Fatalf("hash %d does not matter", bad)
			}
		}
	})
}

// With any bit changed the text of a proof is refused when it is read or when it
// is verified, or it proves the same.
func TestTreeProofBitFlips(t *testing.T) {
	l := newLog(t, 23)
	same := 0
	for bit, changed := range flips(text(t, l.proveTree(13, 23))) {
		var q tree.TreeProof
		if err := q.UnmarshalText(changed); err != nil {
			if !errors.Is(err, tree.ErrProof) || !reflect.DeepEqual(q, tree.TreeProof{}) {
				t.Errorf("bit %d: %+v, %v", bit, q, err)
			}
			continue
		}
		older, newer, err := q.Verify(l.verifier)
		switch {
		case err == nil && older.Root == l.roots[13] && newer.Root == l.roots[23]:
			same++
		case !errors.Is(err, tree.ErrProof) && !errors.Is(err, tree.ErrCheckpoint):
			t.Errorf("bit %d: %+v, %+v, %v", bit, older, newer, err)
		}
	}
	if same > 16 {
		t.Errorf("%d bits have no meaning", same)
	}
}

func TestTreeProofForms(t *testing.T) {
	l := newLog(t, 23)
	good := string(text(t, l.proveTree(13, 23)))
	header, rest, _ := strings.Cut(good, "\n")
	hash, _, _ := strings.Cut(rest, "\n")
	older := string(l.checkpoint(13))
	if header != "esper-tree-proof 0" {
		t.Fatalf("%q", good)
	}
	for name, bad := range map[string]string{
		"nothing":           "",
		"header alone":      header + "\n",
		"another version":   strings.Replace(good, " 0", " 1", 1),
		"hash spelled anew": strings.Replace(good, hash, trailingBits(hash), 1),
		"hash in two lines": strings.Replace(good, hash, hash[:20]+"\n"+hash[20:], 1),
		"a hash is short":   strings.Replace(good, hash, hash[:40], 1),
		"hundred hashes":    strings.Replace(good, hash+"\n", strings.Repeat(hash+"\n", 100), 1),
		"one checkpoint":    strings.Replace(good, older+"\n", "", 1),
		"three checkpoints": good + "\n" + older,
		"line ends of DOS":  strings.ReplaceAll(good, "\n", "\r\n"),
		"no last line end":  strings.TrimSuffix(good, "\n"),
		"one line end more": good + "\n",
		"first line empty":  "\n" + good,
		"too long":          good + strings.Repeat("— x AAAAAAA=\n", 10000),
	} {
		p := tree.TreeProof{Old: []byte("kept")}
		if err := p.UnmarshalText([]byte(bad)); !errors.Is(err, tree.ErrProof) || string(p.Old) != "kept" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for name, p := range map[string]tree.TreeProof{
		"no older":  {New: l.checkpoint(3)},
		"no newer":  {Old: l.checkpoint(3)},
		"65 hashes": {Old: l.checkpoint(3), New: l.checkpoint(3), Hashes: make([]tree.Hash, 65)},
	} {
		if b, err := p.MarshalText(); !errors.Is(err, tree.ErrProof) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
