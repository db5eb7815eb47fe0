package decider

import (
	"crypto/sha256"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
)

// own decides the inputs that concern the plane itself.
func own(t *projections.Turn, in leyline.Input) {
	switch x := in.(type) {
	case leyline.PlaneStarted:
		boot(t, x)
	case leyline.ConfigApplied:
		c, _ := wire.DecodeConfig(x.Envelope.Payload) // Invariant: admit decoded the same bytes
		t.Emit(leyline.ConfigAdopted{
			Digest: sha256.Sum256(x.Envelope.Payload), Key: x.Envelope.KeyID, Config: c,
		})
	case leyline.KeyAdded:
		k, _ := wire.DecodeKey(x.Envelope.Payload) // Invariant: admit decoded the same bytes
		t.Emit(leyline.KeyEnrolled{Key: k, By: x.Envelope.KeyID})
	case leyline.KeyRevoked:
		revoke(t, x)
	case leyline.PeerRejected:
		t.Emit(leyline.CommandsRefused{Peer: x.Peer, PeerName: x.PeerName, Others: x.Others, Counts: x.Counts})
	case leyline.ClockStepped:
		t.Emit(leyline.ClockAlarmed{AmountNs: x.AmountNs, Old: x.Old, New: x.New, Steps: t.State.Plane.ClockSteps + 1})
	case leyline.BlueprintRegistered:
		t.Emit(leyline.BlueprintAdmitted{Blueprint: x})
	case leyline.BlueprintWithdrawn:
		t.Emit(leyline.BlueprintRetired(x))
	case leyline.PolicyImported:
		a, _ := wire.DecodePolicy(x.Envelope.Payload) // Invariant: admitPolicy decoded the same bytes
		t.Emit(leyline.PolicyAdmitted{Artifact: a, By: x.Envelope.KeyID})
	case leyline.DiskMeasured:
		measureDisk(t, x)
	}
}

// boot records the start of a process and the fate of every effect whose record
// was durable but whose completion is not in the log.
func boot(t *projections.Turn, x leyline.PlaneStarted) {
	previous := ""
	if t.State.Plane.Boots > 0 && x.Origin != t.State.Plane.Origin {
		previous = x.Previous
	}
	t.Emit(leyline.PlaneBooted{
		Previous: previous, Boot: x.Boot, Boots: t.State.Plane.Boots + 1, Decider: x.Decider, Clean: x.Clean,
		Origin: x.Origin, AdminKey: x.AdminKey, FastFree: x.FastFree, Catalogue: x.Catalogue,
	})
	for _, e := range effect.Outstanding(t.State) {
		t.Emit(leyline.EffectRecovered{
			Effect: e.ID, Kind: e.Kind, Run: e.Run, Reissued: effect.Idempotent(e.Kind),
		})
	}
}
