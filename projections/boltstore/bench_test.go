package boltstore

import (
	"fmt"
	"path/filepath"
	"testing"
)

func BenchmarkStore(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("op=save/bytes=%d", size), func(b *testing.B) { benchSave(b, size) })
		b.Run(fmt.Sprintf("op=load/bytes=%d", size), func(b *testing.B) { benchLoad(b, size) })
	}
}

// benchStore returns a store that holds one blob of the given size.
func benchStore(b *testing.B, size int) *Store {
	s, err := Open(filepath.Join(b.TempDir(), "projections.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Save(anchor(1), 1, make([]byte, size)); err != nil {
		b.Fatal(err)
	}
	return s
}

func benchSave(b *testing.B, size int) {
	s, state := benchStore(b, size), make([]byte, size)
	b.SetBytes(int64(size))
	for b.Loop() {
		if err := s.Save(anchor(1), 1, state); err != nil {
			b.Fatal(err)
		}
	}
}

func benchLoad(b *testing.B, size int) {
	s := benchStore(b, size)
	b.SetBytes(int64(size))
	for b.Loop() {
		if _, _, _, ok, err := s.Load(); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
