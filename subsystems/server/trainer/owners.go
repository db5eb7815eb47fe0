package trainer

import (
	"fmt"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
)

// admit refuses whoever is not the principal that has opened a run. A run that there is
// not is the plane's to refuse, which records it.
func (s *Service) admit(run leyline.RunID, peer Peer) error {
	if err := speaks(peer); err != nil {
		return err
	}
	if err := leyline.CheckID(run); err != nil {
		return server.Mistake(http.StatusBadRequest, leyline.RefusalInvalidField.String(), "run", fmt.Sprintf("run %.64q %v", run, err), "use 1 to 128 letters, digits and ._:-")
	}
	owner, known := s.opts.Plane().Principal(run)
	if !known || owner == peer.Name {
		return nil
	}
	s.opts.Logger.Warn("a peer spoke for the run of another", "run", run, "peer", peer.Name, "principal", owner)
	return server.Mistake(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "run",
		fmt.Sprintf("run %s was opened by another principal than %s", run, peer.Name), "report as the principal that has opened the run")
}

// speaks refuses a peer of which nothing was proved.
func speaks(peer Peer) error {
	if peer.Name != "" {
		return nil
	}
	return server.Mistake(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "", "nobody speaks for a trainer at a TCP address without a token or a certificate",
		"use the unix socket, or start the plane with a token file or a client CA")
}
