package wire

import (
	"bytes"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// FuzzDecodePolicy reads what any key may have signed: what is accepted has that one
// encoding.
func FuzzDecodePolicy(f *testing.F) {
	b, err := EncodePolicy(leyline.PolicyArtifact{
		ID: "careful", Version: "1", Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Digest: leyline.Digest{1}, Bytes: 9,
		Origin: leyline.PolicyTrained, Run: "run-1", Created: "2026-11-26T21:00:00Z", Registries: leyline.FixedRegistries(),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodePolicy(b)
		if err != nil {
			return
		}
		if again, err := EncodePolicy(a); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x, %v", b, again, err)
		}
	})
}
