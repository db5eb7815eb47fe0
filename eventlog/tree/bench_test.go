package tree_test

import (
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/eventlog/tree"
)

const benchSize = 100_000

func BenchmarkLeafHash(b *testing.B) {
	leaf := leafOf(1, "")
	for b.Loop() {
		leaf = tree.LeafHash(leaf)
	}
}

// BenchmarkAppend is the cost of a leaf without its leaf hash.
func BenchmarkAppend(b *testing.B) {
	var f tree.Frontier
	var stored []tree.Hash
	leaf := tree.LeafHash(leafOf(1, ""))
	b.ReportAllocs()
	for b.Loop() {
		stored = f.Append(stored[:0], leaf)
	}
}

func BenchmarkRoot(b *testing.B) {
	l := newLog(b, 0)
	f, err := tree.Resume(benchSize-1, make([]tree.Hash, 10)) // ones in the binary form of 99,999
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l.roots[0] = f.Root()
	}
}

func BenchmarkSign(b *testing.B) {
	l := newLog(b, 1000)
	for b.Loop() {
		l.checkpoint(1000)
	}
}

func BenchmarkOpenCheckpoint(b *testing.B) {
	l := newLog(b, 1000)
	checkpoint := l.checkpoint(1000)
	b.ReportMetric(float64(len(checkpoint)), "B/checkpoint")
	for b.Loop() {
		if _, err := tree.OpenCheckpoint(checkpoint, l.verifier); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProveRecord includes both the check of the signature and that of the
// proof.
func BenchmarkProveRecord(b *testing.B) {
	l := newLog(b, benchSize)
	checkpoint := l.checkpoint(benchSize)
	b.ReportMetric(float64(len(text(b, l.prove(benchSize, 50_000)))), "B/proof")
	for b.Loop() {
		if _, err := tree.ProveRecord(checkpoint, l.verifier, 50_000, l.leaves[49_999], l.stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyRecord(b *testing.B) {
	l := newLog(b, benchSize)
	p := l.prove(benchSize, 50_000)
	for b.Loop() {
		if _, err := p.Verify(l.verifier); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProveTree includes the checks of both signatures.
func BenchmarkProveTree(b *testing.B) {
	l := newLog(b, benchSize)
	older, newer := l.checkpoint(benchSize/3), l.checkpoint(benchSize)
	b.ReportMetric(float64(len(text(b, l.proveTree(benchSize/3, benchSize)))), "B/proof")
	for b.Loop() {
		if _, err := tree.ProveTree(older, newer, l.verifier, l.stored); err != nil {
			b.Fatal(err)
		}
	}
}

// perLeaf reports the time for each of the leaves that an iteration handles.
func perLeaf(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSize, "ns/leaf")
}

func BenchmarkCheckStored(b *testing.B) {
	l := newLog(b, benchSize)
	for b.Loop() {
		if err := tree.CheckStored(benchSize, l.roots[benchSize], l.stored); err != nil {
			b.Fatal(err)
		}
	}
	perLeaf(b)
}

// BenchmarkWriteTiles exports to an empty directory, and once more to a full one.
func BenchmarkWriteTiles(b *testing.B) {
	l := newLog(b, benchSize)
	dir := b.TempDir()
	b.Run("dir=empty", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if err := l.export(filepath.Join(b.TempDir(), "tiles"), benchSize); err != nil {
				b.Fatal(err)
			}
		}
		perLeaf(b)
	})
	if err := l.export(dir, benchSize); err != nil {
		b.Fatal(err)
	}
	b.Run("dir=full", func(b *testing.B) {
		for b.Loop() {
			if err := l.export(dir, benchSize); err != nil {
				b.Fatal(err)
			}
		}
		perLeaf(b)
	})
}

func BenchmarkCheckTiles(b *testing.B) {
	l := newLog(b, benchSize)
	dir := b.TempDir()
	if err := l.export(dir, benchSize); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := tree.CheckTiles(dir, l.verifier); err != nil {
			b.Fatal(err)
		}
	}
	perLeaf(b)
}
