package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/eventlog/tree"
)

// raw is hashes as transparency-dev/merkle wants them.
func raw(hashes []tree.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h[:]
	}
	return out
}

// checkRecord fails unless the proof of a record verifies, also elsewhere and
// after it was written and read, and proves nothing else.
func checkRecord(t *testing.T, l *testLog, size int, seq uint64) {
	t.Helper()
	p := l.prove(size, seq)
	c, err := p.Verify(l.verifier)
	if err != nil || c.Size != int64(size) || c.Root != l.roots[size] {
		t.Fatalf("record %d of %d: %+v, %v", seq, size, c, err)
	}
	err = proof.VerifyInclusion(rfc6962.DefaultHasher, seq-1, uint64(size), rfc6962.DefaultHasher.HashLeaf(p.Leaf[:]), raw(p.Hashes), c.Root[:])
	if err != nil {
		t.Fatalf("record %d of %d: transparency-dev/merkle: %v", seq, size, err)
	}
	var again tree.RecordProof
	if err := again.UnmarshalText(text(t, p)); err != nil {
		t.Fatalf("record %d of %d: %v", seq, size, err)
	}
	if _, err := again.Verify(l.verifier); err != nil || !bytes.Equal(text(t, again), text(t, p)) {
		t.Fatalf("record %d of %d, read back: %v", seq, size, err)
	}
	q := p
	for _, q.Seq = range []uint64{0, seq - 1, seq ^ 1, seq + 1, uint64(size), uint64(size + 1), 1 << 63} {
		if q.Seq != seq && !refused(q, l) {
			t.Fatalf("the proof of record %d of %d proves record %d", seq, size, q.Seq)
		}
	}
	q = p
	if q.Leaf = leafOf(seq, "other"); !refused(q, l) {
		t.Fatalf("the proof of record %d of %d proves another leaf", seq, size)
	}
}

// refused reports whether a proof does not verify, with the error it should.
func refused(p tree.RecordProof, l *testLog) bool {
	c, err := p.Verify(l.verifier)
	return errors.Is(err, tree.ErrProof) && c == (tree.Checkpoint{})
}

func TestProveEveryRecord(t *testing.T) {
	l := newLog(t, 40)
	for size := 1; size <= 40; size++ {
		for seq := range uint64(size) {
			checkRecord(t, l, size, seq+1)
		}
	}
}

func TestProveAnyRecord(t *testing.T) {
	l := newLog(t, 3000)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.IntRange(1, 3000).Draw(r, "size")
		seq := rapid.Uint64Range(1, uint64(size)).Draw(r, "seq")
		p := l.prove(size, seq)
		if _, err := p.Verify(l.verifier); err != nil {
			r.Fatal(err)
		}
		if bad := rapid.IntRange(0, len(p.Hashes)).Draw(r, "hash"); bad < len(p.Hashes) {
			p.Hashes[bad][0] ^= 1
			if !refused(p, l) {
				r.Fatalf("hash %d does not matter", bad)
			}
		}
	})
}

func TestProveRecordRefuses(t *testing.T) {
	l := newLog(t, 20)
	other := newNamedLog(t, "plane-8", 20)
	gone := errors.New("gone")
	broken := tlog.HashReaderFunc(func([]int64) ([]tree.Hash, error) { return nil, gone })
	short := tlog.HashReaderFunc(func([]int64) ([]tree.Hash, error) { return nil, nil })
	for name, test := range map[string]struct {
		checkpoint []byte
		seq        uint64
		leaf       [32]byte
		hashes     tlog.HashReader
		want       error
	}{
		"record 0":           {l.checkpoint(12), 0, l.leaves[0], l.stored, tree.ErrInvalid},
		"after the tree":     {l.checkpoint(12), 13, l.leaves[12], l.stored, tree.ErrInvalid},
		"far after the tree": {l.checkpoint(12), 1 << 63, l.leaves[12], l.stored, tree.ErrInvalid},
		"of the empty tree":  {l.checkpoint(0), 1, l.leaves[0], l.stored, tree.ErrInvalid},
		"another leaf":       {l.checkpoint(12), 5, l.leaves[5], l.stored, tree.ErrInconsistent},
		"another log":        {other.checkpoint(12), 5, l.leaves[4], l.stored, tree.ErrCheckpoint},
		"fork":               {l.fork(3).checkpoint(12), 5, l.leaves[4], l.stored, tree.ErrInconsistent},
		"hash cannot be read": {
			l.checkpoint(12), 5, l.leaves[4], broken, gone,
		},
		"cache too short":  {l.checkpoint(12), 5, l.leaves[4], l.stored[:4], nil},
		"reader too short": {l.checkpoint(12), 5, l.leaves[4], short, nil},
	} {
		p, err := tree.ProveRecord(test.checkpoint, l.verifier, test.seq, test.leaf, test.hashes)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !reflect.DeepEqual(p, tree.RecordProof{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// Whichever stored hash is wrong, ProveRecord either does not need it, and makes
// the same proof, or it says so. (The prover of package tlog would hand out a
// proof that fails at the auditor.)
func TestProveRecordChecksStoredHashes(t *testing.T) {
	l := newLog(t, 21)
	for seq := range uint64(21) {
		seq++
		want := text(t, l.prove(21, seq))
		caught := 0
		for index := range l.stored {
			p, err := tree.ProveRecord(l.checkpoint(21), l.verifier, seq, l.leaves[seq-1], l.stored.flip(index))
			switch {
			case errors.Is(err, tree.ErrInconsistent):
				caught++
			case err != nil || !bytes.Equal(text(t, p), want):
				t.Errorf("record %d, stored hash %d wrong: %v", seq, index, err)
			}
		}
		if least := len(l.prove(21, seq).Hashes); caught < least {
			t.Errorf("record %d: %d wrong hashes noticed, fewer than the %d of the proof", seq, caught, least)
		}
	}
}

// With any bit changed the text of a proof is refused when it is read or when it
// is verified, or it proves the same.
func TestRecordProofBitFlips(t *testing.T) {
	l := newLog(t, 23)
	p := l.prove(23, 14)
	same := 0
	for bit, changed := range flips(text(t, p)) {
		var q tree.RecordProof
		if err := q.UnmarshalText(changed); err != nil {
			if !errors.Is(err, tree.ErrProof) || !reflect.DeepEqual(q, tree.RecordProof{}) {
				t.Errorf("bit %d: %+v, %v", bit, q, err)
			}
			continue
		}
		c, err := q.Verify(l.verifier)
		switch {
		case err == nil && q.Seq == p.Seq && q.Leaf == p.Leaf && c.Root == l.roots[23]:
			same++
		case !errors.Is(err, tree.ErrProof) && !errors.Is(err, tree.ErrCheckpoint):
			t.Errorf("bit %d: proves record %d of %+v, %v", bit, q.Seq, c, err)
		}
	}
	if same > 8 {
		t.Errorf("%d bits have no meaning", same)
	}
}

func TestRecordProofForms(t *testing.T) {
	l := newLog(t, 23)
	good := string(text(t, l.prove(23, 14)))
	header, rest, _ := strings.Cut(good, "\n")
	extra, rest, _ := strings.Cut(rest, "\n")
	index, rest, _ := strings.Cut(rest, "\n")
	hash, _, _ := strings.Cut(rest, "\n")
	if header != "c2sp.org/tlog-proof@v1" || index != "index 13" || !strings.HasPrefix(extra, "extra ") {
		t.Fatalf("%q", good)
	}
	for name, bad := range map[string]string{
		"nothing":             "",
		"header alone":        header + "\n",
		"another version":     strings.Replace(good, "@v1", "@v2", 1),
		"no leaf data":        strings.Replace(good, extra+"\n", "", 1),
		"empty leaf data":     strings.Replace(good, extra, "extra ", 1),
		"short leaf data":     strings.Replace(good, extra, "extra AAAA", 1),
		"no index":            strings.Replace(good, index+"\n", "", 1),
		"index with a zero":   strings.Replace(good, index, "index 013", 1),
		"index with a sign":   strings.Replace(good, index, "index +13", 1),
		"index of the size":   strings.Replace(good, index, "index 23", 1),
		"index of all bits":   strings.Replace(good, index, "index 18446744073709551615", 1),
		"index beyond a word": strings.Replace(good, index, "index 18446744073709551616", 1),
		"leaf data later":     strings.Replace(good, extra+"\n"+index, index+"\n"+extra, 1),
		"a hash is no base64": strings.Replace(good, hash, "?", 1),
		"a hash is short":     strings.Replace(good, hash, hash[:40], 1),
		"hash spelled anew":   strings.Replace(good, hash, trailingBits(hash), 1),
		"hundred hashes":      strings.Replace(good, hash+"\n", strings.Repeat(hash+"\n", 100), 1),
		"line ends of DOS":    strings.ReplaceAll(good, "\n", "\r\n"),
		"no last line end":    strings.TrimSuffix(good, "\n"),
		"one line end more":   good + "\n",
		"no checkpoint":       good[:strings.Index(good, "\n\n")+2],
		"too long":            good + strings.Repeat("— x AAAAAAA=\n", 10000),
	} {
		p := tree.RecordProof{Seq: 3}
		if err := p.UnmarshalText([]byte(bad)); !errors.Is(err, tree.ErrProof) || p.Seq != 3 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// A proof that nobody could read is not written.
func TestRecordProofMarshalRefuses(t *testing.T) {
	l := newLog(t, 23)
	for name, change := range map[string]func(*tree.RecordProof){
		"record 0":       func(p *tree.RecordProof) { p.Seq = 0 },
		"after the tree": func(p *tree.RecordProof) { p.Seq = 24 },
		"no checkpoint":  func(p *tree.RecordProof) { p.Checkpoint = nil },
		"no note":        func(p *tree.RecordProof) { p.Checkpoint = []byte("plane-7\n") },
		"65 hashes":      func(p *tree.RecordProof) { p.Hashes = make([]tree.Hash, 65) },
	} {
		p := l.prove(23, 14)
		change(&p)
		if b, err := p.MarshalText(); !errors.Is(err, tree.ErrProof) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// A proof of the largest tree there can be is written and read, and the length
// of its checkpoint does not matter up to the limit.
func TestRecordProofLimits(t *testing.T) {
	l := newLog(t, 1)
	big, err := tree.Checkpoint{Origin: "plane-7", Size: tree.MaxSize, Root: l.roots[1]}.Sign(l.signer)
	if err != nil {
		t.Fatal(err)
	}
	room := 32<<10 - len(big) - len("— w \n")
	big = fmt.Appendf(big, "— w %s\n", strings.Repeat("AAAA", room/4))
	p := tree.RecordProof{Seq: tree.MaxSize, Hashes: make([]tree.Hash, 60), Checkpoint: big}
	var q tree.RecordProof
	if err := q.UnmarshalText(text(t, p)); err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("with a checkpoint of %d bytes: %v", len(big), err)
	}
	p.Checkpoint = bytes.Replace(big, []byte("AAAA\n"), []byte("AAAAAAAA\n"), 1)
	if _, err := p.MarshalText(); !errors.Is(err, tree.ErrCheckpoint) {
		t.Errorf("with a checkpoint of %d bytes: %v", len(p.Checkpoint), err)
	}
	if _, err := tree.OpenCheckpoint(p.Checkpoint, l.verifier); !errors.Is(err, tree.ErrCheckpoint) {
		t.Errorf("opened a checkpoint of %d bytes: %v", len(p.Checkpoint), err)
	}
	if !refused(q, l) {
		t.Error("zeros prove the last record of the largest tree")
	}
}
