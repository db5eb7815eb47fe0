package leyline

// CommandAnswer is what became of a command that was handed in.
type CommandAnswer struct {
	Seq      Seq // of the record that holds the verdict
	At       Instant
	Run      RunID     // as far as it could be read
	Command  CommandID // as far as it could be read
	Accepted bool
	Reason   RejectReason // why not
	Detail   string
	Deadline Instant // the trainer's answer is due by then
	Settled  bool    // the plane has carried it out itself, in this record
}

// AnswerOf reads what became of a command from the record that received it; false for
// another record.
func AnswerOf(r Record) (CommandAnswer, bool) {
	if r.Input.InputKind() != InputCommandReceived {
		return CommandAnswer{}, false
	}
	a := CommandAnswer{Seq: r.Seq, At: r.At}
	for _, e := range r.Events {
		switch x := e.(type) {
		case CommandVerified:
			a.Accepted, a.Run, a.Command, a.Deadline = true, x.Run, x.Command, x.Deadline
		case CommandRejected:
			a.Run, a.Command, a.Reason, a.Detail = x.Run, x.Command, x.Reason, x.Detail
		case CommandSettled:
			a.Settled = x.Command == a.Command
		case PolicyReverted:
			a.Settled = x.Command == a.Command
		}
	}
	return a, a.Accepted || a.Reason != RejectNone
}
