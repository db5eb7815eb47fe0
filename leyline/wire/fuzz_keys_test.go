package wire

import (
	"bytes"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// FuzzDecodeKey and FuzzDecodeRevocation read what an admin key signed, which may have
// been made by any program: what is accepted has that one encoding.
func FuzzDecodeKey(f *testing.F) {
	b, err := EncodeKey(leyline.Key{ID: "k", Public: make([]byte, 32), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed}, Runs: []leyline.RunID{"r"}, Rate: 3, Serial: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodeKey(b)
		if err != nil {
			return
		}
		if again, err := EncodeKey(k); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzDecodeRevocation(f *testing.F) {
	b, err := EncodeRevocation(leyline.KeyRevocation{Key: "k", Reason: "lost", Successor: leyline.Key{ID: "n", Public: make([]byte, 32), Issuer: "ada"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRevocation(b)
		if err != nil {
			return
		}
		if again, err := EncodeRevocation(r); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x, %v", b, again, err)
		}
	})
}
