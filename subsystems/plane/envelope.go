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
