package telemetry

import l "github.com/esper-plane/esper/leyline"

// reportStory is what is said of field reports.
var reportStory = []scene{
	{"a command of the policy is in force", "r1", l.CommandAcked{Run: "r1", Command: "c1"}, []l.Event{
		l.CommandSettled{Run: "r1", Command: "c1", Outcome: l.OutcomeOK}, l.FieldReportOpened{Run: "r1", Report: "fr-1", Command: "c1"},
	}},
	{"a step within its window tells how long finalising took", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.FieldReportMeasured{Run: "r1", Steps: 1, FinalizeMs: 2.5},
	}},
	{"its window is over", "r1", l.EpochObserved{Run: "r1"}, []l.Event{
		l.FieldReportFiled{Run: "r1", Report: l.FieldReport{Report: "fr-1", Command: "c1", Outcome: l.ReportSuccess, Closure: l.ReportByEpochs}, Deliver: true, Fill: l.ReportFill{Pending: 1}},
	}},
	{"nobody takes the report", "r1", l.ReportFailed{Run: "r1"}, []l.Event{
		l.FieldReportDeferred{Run: "r1", Report: "fr-1", Attempts: 1, Outcome: l.OutcomeFailed, Reason: "no room", Fill: l.ReportFill{Pending: 1, Backlog: 1}},
	}},
	{"it is sent again", "r1", l.TimerFired{Timer: l.TimerReport, Run: "r1", Subject: "fr-1"}, []l.Event{
		l.FieldReportRetried{Run: "r1", Report: "fr-1", Attempts: 2, Fill: l.ReportFill{Pending: 1}},
	}},
	{"and arrives", "r1", l.ReportDelivered{Run: "r1"}, []l.Event{l.FieldReportDelivered{Run: "r1", Report: "fr-1", Attempts: 2}}},
	{"another is given up", "r1", l.ReportFailed{Run: "r1"}, []l.Event{
		l.FieldReportDropped{Run: "r1", Report: "fr-2", Attempts: 4, Reason: "no room"},
	}},
	{"a command of the policy is declined", "r1", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.CommandRejected{Run: "r1", Command: "c3", Issuer: l.IssuerTamiyo, Kind: l.CommandSeed, Operation: l.OpStartGrafting, Seed: "s1", Reason: l.RejectGateFailed, Detail: "G2_STABILITY: too young"},
	}},
}
