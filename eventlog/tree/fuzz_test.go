package tree_test

import (
	"bytes"
	"testing"

	"github.com/esper-plane/esper/eventlog/tree"
)

// FuzzReadCheckpoint gives any bytes as a checkpoint. What is read has to be what
// can be signed, and what the log has signed is one of its trees.
func FuzzReadCheckpoint(f *testing.F) {
	l := newLog(f, 9)
	for size := range 10 {
		f.Add(l.checkpoint(size))
	}
	f.Add(newNamedLog(f, "plane-8", 3).checkpoint(3))
	f.Add(signText(f, l.signer, "plane-7\n3\nAAAA\nextension\n"))
	f.Add([]byte("plane-7\n0\n" + l.roots[0].String() + "\n\n— plane-7 AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := tree.ReadCheckpoint(b)
		opened, errOpen := tree.OpenCheckpoint(b, l.verifier)
		if err != nil {
			if errOpen == nil {
				t.Fatalf("opened %+v, but not read: %v", opened, err)
			}
			return
		}
		s, err := tree.NewSigner(read.Origin, keyOf("any"))
		if err != nil {
			t.Fatalf("read %+v: %v", read, err)
		}
		again, err := read.Sign(s)
		if err != nil {
			t.Fatalf("read %+v: %v", read, err)
		}
		if text, _, _ := bytes.Cut(b, []byte("\n\n")); !bytes.HasPrefix(again, text) {
			t.Fatalf("%q became %q", b, again)
		}
		if errOpen == nil && (opened != read || opened.Size > 9 || opened.Root != l.roots[opened.Size]) {
			t.Fatalf("opened %+v, read %+v", opened, read)
		}
	})
}

// FuzzRecordProof gives any bytes as a proof of a record. What is read is
// written as the same bytes, and what verifies is true.
func FuzzRecordProof(f *testing.F) {
	l := newLog(f, 9)
	for seq := range uint64(9) {
		f.Add(text(f, l.prove(9, seq+1)))
	}
	f.Add(text(f, l.prove(1, 1)))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p tree.RecordProof
		if p.UnmarshalText(b) != nil {
			return
		}
		if again, err := p.MarshalText(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q became %q, %v", b, again, err)
		}
		if c, err := p.Verify(l.verifier); err == nil && (c.Size > 9 || p.Leaf != l.leaves[p.Seq-1]) {
			t.Fatalf("record %d of %d has the leaf %x", p.Seq, c.Size, p.Leaf)
		}
	})
}

// FuzzTreeProof gives any bytes as a proof of growth. What is read is written as
// the same bytes, and what verifies is true.
func FuzzTreeProof(f *testing.F) {
	l := newLog(f, 9)
	for from := range 10 {
		f.Add(text(f, l.proveTree(from, 9)))
	}
	f.Add([]byte("esper-tree-proof 0\n\na\n\nb\n\nc\n\nd\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p tree.TreeProof
		if p.UnmarshalText(b) != nil {
			return
		}
		if again, err := p.MarshalText(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q became %q, %v", b, again, err)
		}
		older, newer, err := p.Verify(l.verifier)
		if err == nil && (newer.Size > 9 || older.Size > newer.Size || older.Root != l.roots[older.Size] || newer.Root != l.roots[newer.Size]) {
			t.Fatalf("%+v and %+v", older, newer)
		}
	})
}
