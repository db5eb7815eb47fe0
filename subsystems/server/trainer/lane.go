package trainer

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// Admit says whether a peer may report for a run; else no is the problem, as JSON. A run
// that there is not is refused with its first report, which the plane records.
func (s *Service) Admit(run leyline.RunID, peer Peer) (no Reply, ok bool) {
	if err := s.admit(run, peer); err != nil {
		return problem(err, protocol.MediaJSON), false
	}
	return Reply{}, true
}

// ProblemReply is a problem of the server as the reply to a call.
func ProblemReply(p server.Problem, media string) Reply { return problem(p.Err(), media) }
