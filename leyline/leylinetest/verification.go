package leylinetest

import "github.com/esper-plane/esper/leyline"

// oneReason keeps the first count: two of the same reason would not be ascending.
func oneReason(counts []leyline.RejectCount) []leyline.RejectCount {
	counts[0].Reason = leyline.RejectInvalidSignature
	return counts[:1]
}

func verificationInputs() []Case[leyline.Input] {
	return []Case[leyline.Input]{
		input("", within("envelope", envelope), func(x *leyline.KeyRevoked) { x.Envelope.PayloadType = leyline.PayloadRevocation }),
		input("", "peer peer_name? others?"+within("counts[0]", "reason n")+" counts first last span_ns?",
			func(x *leyline.PeerRejected) { x.Counts = oneReason(x.Counts) }),
		input("", "amount_ns old new", func(x *leyline.ClockStepped) { x.AmountNs, x.Old, x.New = 6e9, 1e9, 7e9 }),
	}
}

func verificationEvents() []Case[leyline.Event] {
	return []Case[leyline.Event]{
		event[leyline.KeyWithdrawn]("", "key issuer reason by next?", nil),
		event("", "peer peer_name? others?"+within("counts[0]", "reason n")+" counts",
			func(x *leyline.CommandsRefused) { x.Counts = oneReason(x.Counts) }),
		event("", "amount_ns old new steps", func(x *leyline.ClockAlarmed) { x.AmountNs, x.Old, x.New = -6e9, 7e9, 1e9 }),
	}
}
