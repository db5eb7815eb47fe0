package leylinetest

import "github.com/esper-plane/esper/leyline"

const about = "run report attempts "

func reportEvents() []Case[leyline.Event] {
	fill := within("fill", "pending? backlog?")
	delta := within("delta", "loss? parameters? risk_index? risk_score? policy_ms? hook_ms? kasmina_apply_ms? kasmina_end_ms? extra? extra[0].name extra[0].value?")
	return []Case[leyline.Event]{
		event[leyline.FieldReportOpened]("", "run report command kind operation? seed? blueprint? policy? reason? issued_at step? epoch? window_epochs loss?"+
			" measured? held_out? accuracy? parameters? risk_score? risk_index? policy_ns? apply_ns?", nil),
		event("", "run"+within("report", "report command run seed? blueprint? outcome window_epochs issued_at policy? follow_ups? follow_ups[0].kind"+
			" follow_ups[0].record follow_ups[0].why? notes? kind operation? closure epochs? held_out? from? to?"+delta)+" deliver? expired? expired[0]"+fill,
			func(x *leyline.FieldReportFiled) {
				x.Report.Run, x.Report.Delta.Extra = x.Run, x.Report.Delta.Extra[:1] // two would not be ascending
			}),
		event[leyline.FieldReportDelivered]("", about+"took_ns?"+fill, nil),
		event("", about+"outcome reason due"+fill, func(x *leyline.FieldReportDeferred) { x.Outcome = leyline.OutcomeFailed }),
		event[leyline.FieldReportRetried]("", about+fill, nil),
		event[leyline.FieldReportMeasured]("", "run steps finalize_ms?", nil),
		event[leyline.FieldReportDropped]("", "run report attempts? reason"+fill, nil),
	}
}

// signed are the fields of a verdict that say how the command came about, which a
// person's command need not.
const signed = " metadata.policy? metadata.reason? metadata.conservative? metadata.asked? metadata.scores? metadata.scores[0].kind" +
	" metadata.scores[0].value? metadata.coverage? metadata.coverage[0].group metadata.coverage[0].ratio? metadata.version? metadata.digest? metadata.blend? metadata.risk_index? blueprint? grown?"

func verdict(what, fields string, change func(*leyline.CommandVerified)) Case[leyline.Event] {
	return event(what, fields, func(x *leyline.CommandVerified) {
		x.Metadata.Scores, x.Metadata.Coverage = x.Metadata.Scores[:1], x.Metadata.Coverage[:1] // two would not be ascending
		change(x)
	})
}

func reportInputs() []Case[leyline.Input] {
	return []Case[leyline.Input]{
		input[leyline.ReportDelivered]("", "request run report took_ns?", nil),
		input("", "request run report outcome reason took_ns?", func(x *leyline.ReportFailed) { x.Outcome = leyline.OutcomeFailed }),
	}
}
