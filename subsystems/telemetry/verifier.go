package telemetry

import "github.com/esper-plane/esper/leyline"

// verifier reports the replay ledger as a verdict leaves it, what checking the
// command took, and commands that never became a record of their own.
func (b *builder) verifier(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandVerified:
		b.ledger(x.Run, x.Ledger)
	case leyline.CommandRejected:
		b.ledger(claimed(x), x.Ledger)
	case leyline.CommandsRefused:
		b.refused(x)
	}
}

func (b *builder) ledger(run leyline.RunID, fill leyline.LedgerFill) {
	s := b.at(leyline.SubsystemKasmina, run)
	s.metric(leyline.MetricLedgerSize, float64(fill.Live))
	if fill.Expired > 0 {
		s.metric(leyline.MetricLedgerEvictions, float64(fill.Expired))
	}
	if in, ok := b.in.(leyline.CommandReceived); ok {
		s.duration(leyline.MetricValidationMs, in.VerifyNs)
	}
}

// refused counts every reason, and tells of all of them in one event: a flood is one
// piece of news a second.
func (b *builder) refused(x leyline.CommandsRefused) {
	s := b.at(leyline.SubsystemKasmina, "")
	var all uint64
	var most leyline.RejectCount
	for _, c := range x.Counts {
		s.metric(leyline.MetricCommandsRejected, float64(c.N), name(keyReason, c.Reason))
		all += c.N
		if c.N > most.N {
			most = c
		}
	}
	in, _ := b.in.(leyline.PeerRejected)
	s.event(leyline.NameCommandsRefused, leyline.LevelCritical, name(keyPeer, x.Peer), text(keyPeerName, x.PeerName),
		boolean(keyOthers, x.Others), name(keyReason, most.Reason), whole(keyCount, all), number(keySpan, millis(in.SpanNs)))
}

// trust reports what changes whom and what the plane trusts: its keys and its clock.
func (b *builder) trust(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ConfigAdopted:
		c := &x.Config.Kasmina
		b.at(leyline.SubsystemKasmina, "").metric(leyline.MetricLedgerTTL, (c.Freshness.Duration() + c.Skew.Duration()).Seconds())
	case leyline.KeyWithdrawn:
		b.at(leyline.SubsystemPlane, "").event(leyline.NameKeyRevoked, leyline.LevelWarning,
			text(keyKey, x.Key), text(keyIssuer, x.Issuer), text(keyNext, x.Next), text(keyReason, x.Reason))
	case leyline.ClockAlarmed:
		level := either(x.AmountNs < 0, leyline.LevelCritical, leyline.LevelWarning)
		b.at(leyline.SubsystemPlane, "").event(leyline.NameClockStepped, level, number(keyAmount, float64(x.AmountNs)/1e6),
			name(keyFrom, x.Old), name(keyTo, x.New), whole(keySteps, x.Steps))
	}
}
