package policy

import "github.com/esper-plane/esper/projections"

// install puts the weights of the artifact that decides in the place of those of the
// settings; nil: the settings do. Whether it may decide at all was asked before.
func (q *Question) install(i *projections.Installed) {
	if i != nil {
		q.Artifact, q.Config.Rules = i.InForce(), i.Rules
	}
}
