package telemetry

import l "github.com/esper-plane/esper/leyline"

var verifierStory = []scene{
	{"a configuration says how long a nonce is kept", "", l.ConfigApplied{}, []l.Event{
		l.ConfigAdopted{Config: l.ExecutionConfig{Kasmina: l.KasminaConfig{Freshness: 60_000, Skew: 5_000}}},
	}},
	{"a command that the door checked in half a millisecond lets go of two nonces", "r1", l.CommandReceived{VerifyNs: 500_000}, []l.Event{
		l.CommandVerified{Run: "r1", Command: "c1", Ledger: l.LedgerFill{Live: 7, OfKey: 3, Expired: 2}},
	}},
	{"a replay changes the ledger of nobody", "", l.CommandReceived{}, []l.Event{
		l.CommandRejected{Run: "r1", Command: "c1", Reason: l.RejectNonceReplayed, Ledger: l.LedgerFill{Live: 7, OfKey: 3}},
	}},
	{"a flood is one piece of news", "", l.PeerRejected{SpanNs: 900_000_000}, []l.Event{
		l.CommandsRefused{Peer: l.PeerOperator, PeerName: "uid:1000", Counts: []l.RejectCount{
			{Reason: l.RejectUnknownKey, N: 12}, {Reason: l.RejectInvalidSignature, N: 100_000},
		}},
	}},
	{"a key is replaced", "", l.KeyRevoked{}, []l.Event{
		l.KeyWithdrawn{Key: "aa", Issuer: "ada", Reason: "the laptop is lost", By: "bb", Next: "cc"}, l.KeyEnrolled{},
	}},
	{"the clock is set forward", "", l.ClockStepped{}, []l.Event{
		l.ClockAlarmed{AmountNs: 600e9, Old: 1e9, New: 601e9, Steps: 1},
	}},
	{"and back again", "", l.ClockStepped{}, []l.Event{
		l.ClockAlarmed{AmountNs: -600e9, Old: 601e9, New: 1e9, Steps: 2},
	}},
}
