package trainer

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// steps takes one step, or several in one body.
func (s *Service) steps(r *http.Request, c Call) Reply {
	b, err := s.readSteps(c)
	if err != nil {
		return problem(err, c.accepted())
	}
	if len(b.Steps) == 0 {
		a, err := s.hand(r.Context(), c.Run, c.Peer, b.StepObserved, b.After)()
		if err != nil {
			return problem(err, c.accepted())
		}
		return reply(&a, c.accepted())
	}
	return reply(s.several(r.Context(), c.Peer, b.Steps), c.accepted())
}

func (s *Service) readSteps(c Call) (*protocol.Steps, error) {
	if err := s.admit(c.Run, c.Peer); err != nil {
		return nil, err
	}
	if err := s.affords(c.Run, c.Peer); err != nil {
		return nil, err
	}
	b := &protocol.Steps{}
	if err := protocol.Decode(c.Media, c.Body, b); err != nil {
		return nil, err
	}
	alone := len(b.Steps) == 0
	bare := reflect.ValueOf(b.Step).IsZero()
	switch {
	case alone && bare:
		return nil, server.Mistake(http.StatusBadRequest, leyline.RefusalMissingField.String(), "steps", "the body holds no step", "send one step, or {\"steps\":[...]}")
	case alone:
		return b, ofRun(&b.Run, c.Run, "run")
	case len(b.Steps) > protocol.MaxSteps:
		return nil, &protocol.Error{Kind: protocol.KindInvalid, Field: "steps", Reason: fmt.Sprintf("has %d entries, at most %d are allowed", len(b.Steps), protocol.MaxSteps)}
	case !bare:
		return nil, &protocol.Error{Kind: protocol.KindInvalid, Field: "steps", Reason: "stands beside members of a step; send one or the other"}
	}
	for i := range b.Steps {
		if err := ofRun(&b.Steps[i].Run, c.Run, fmt.Sprintf("steps[%d].run", i)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// several reports steps one after the other, up to the first that is refused. The next is
// handed over when the one before is decided: a refusal must keep it from being reported.
func (s *Service) several(ctx context.Context, peer Peer, steps []protocol.Step) *protocol.Answers {
	out := &protocol.Answers{}
	for i := range steps {
		a, err := s.hand(ctx, steps[i].Run, peer, steps[i].StepObserved, steps[i].After)()
		if err != nil {
			p := problemOf(err)
			out.Answers = append(out.Answers, protocol.Verdict{Problem: &p})
			break
		}
		out.Answers = append(out.Answers, protocol.Verdict{Answer: a})
	}
	return out
}
