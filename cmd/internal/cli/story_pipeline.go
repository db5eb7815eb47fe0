package cli

import "github.com/esper-plane/esper/leyline"

// pipelined tells where a trainer that does not wait for answers and the plane disagree.
func (s *story) pipelined(r leyline.Record, e leyline.Event) {
	if x, ok := e.(leyline.WeightsMismatched); ok {
		s.beat(r, "CRITICAL the trainer has applied other weights in step %d than the plane derives", x.Step)
	}
}
