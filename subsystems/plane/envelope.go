package plane

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
)

// signed puts what the issuer of a command has signed into the directive that hands the
// command to a trainer. in is the input of the record that accepted it.
func signed(f effect.Effect, in leyline.Input) effect.Effect {
	if x, ok := in.(leyline.CommandReceived); ok && f.Kind == leyline.EffectCommand {
		f.Order.Command.Envelope = x.Envelope
	}
	return f
}

// handAgain hands out what a trainer that has outlived the last process may not have
// heard. A command whose record cannot be read is not handed out: nobody could verify it.
func (l *loop) handAgain() {
	for _, f := range effect.Unheard(l.state) {
		if f.Kind == leyline.EffectCommand {
			r, err := l.plane.recall(&repeat{seq: f.ID.Seq})
			if err != nil {
				l.log.Error("a command is not handed out again", "command", f.Order.Command.ID, "err", err)
				continue
			}
			f = signed(f, r.Input)
		}
		l.act(f)
	}
}

// covered reports whether a signature is the newest one that was found good.
func (l *loop) covered(public []byte, env leyline.Envelope) bool { return l.proof.Covers(public, env) }
