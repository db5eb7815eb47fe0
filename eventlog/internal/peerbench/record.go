package main

import (
	"encoding/binary"
	"math/rand/v2"
)

// minRecord is the shortest record: longer than the header of a frame of the
// event log, with the stamp left in its payload.
const minRecord = 64

// stampSize is the length of the number at the end of a record.
const stampSize = 8

// newRecord returns a record of bytes that do not compress, the same for the
// same seed.
func newRecord(size int, seed uint64) []byte {
	record := make([]byte, size)
	source := rand.NewPCG(seed, 0)
	for i := 0; i < size; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], source.Uint64())
		copy(record[i:], word[:])
	}
	return record
}

// stamp numbers a record, in its last bytes: the event log keeps only the end of
// it.
func stamp(record []byte, number uint64) {
	binary.LittleEndian.PutUint64(record[len(record)-stampSize:], number)
}

// stampOf returns the number that stamp has written.
func stampOf(record []byte) uint64 {
	return binary.LittleEndian.Uint64(record[len(record)-stampSize:])
}
