package trainer

import (
	"context"
	"fmt"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// admit refuses whoever is not the principal that has opened a run. A run that there is
// not is the plane's to refuse, which records it.
func (s *Service) admit(ctx context.Context, run leyline.RunID, peer Peer) error {
	if err := speaks(peer); err != nil {
		return err
	}
	if err := leyline.CheckID(run); err != nil {
		return bad(http.StatusBadRequest, leyline.RefusalInvalidField.String(), "run", fmt.Sprintf("run %.64q %v", run, err), "use 1 to 128 letters, digits and ._:-")
	}
	owner, known, err := s.owner(ctx, run)
	if err != nil || !known || owner == peer.Name {
		return err
	}
	s.opts.Logger.Warn("a peer spoke for the run of another", "run", run, "peer", peer.Name, "principal", owner)
	return bad(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "run",
		fmt.Sprintf("run %s was opened by another principal than %s", run, peer.Name), "report as the principal that has opened the run")
}

// speaks refuses a peer of which nothing was proved.
func speaks(peer Peer) error {
	if peer.Name != "" {
		return nil
	}
	return bad(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "", "nobody speaks for a trainer at a TCP address without a token or a certificate",
		"use the unix socket, or start the plane with a token file or a client CA")
}

// owner is the principal of a run; known is false where there is no such run. What was
// looked up once is remembered: it does not change.
func (s *Service) owner(ctx context.Context, run leyline.RunID) (name string, known bool, err error) {
	s.mu.RLock()
	name, known = s.owners[run]
	s.mu.RUnlock()
	if known {
		return name, true, nil
	}
	err = s.opts.Plane().View(ctx, func(st *projections.State) {
		if r := st.Tolaria.Run(run); r != nil {
			name, known = r.Plan.Principal, true
		}
	})
	if err == nil && known {
		s.mu.Lock()
		s.owners[run] = name
		s.mu.Unlock()
	}
	return name, known, err
}
