package wire

import (
	"bytes"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// FuzzDecodeSheet reads what the keeper of a catalogue signed, which may have been made
// by any program: what is accepted has that one encoding.
func FuzzDecodeSheet(f *testing.F) {
	b, err := EncodeSheet(leyline.SafetySheet{
		Blueprint: "bp-1", Kernel: leyline.Digest{1}, Serial: 2, IssuedAt: 3, Tier: leyline.BlueprintSafe, Risk: 0.5, Quarantine: true,
		Hazard: leyline.HazardSheet{Score: 0.1, Band: leyline.HazardLow, Handling: leyline.HandlingQuarantine, Resource: leyline.ResourceCPU, Provenance: leyline.ProvenanceCurated},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSheet(b)
		if err != nil {
			return
		}
		if again, err := EncodeSheet(s); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x, %v", b, again, err)
		}
	})
}
