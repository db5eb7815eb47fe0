package admin

import (
	"fmt"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/server"
)

// PoliciesDoc says which policies are known, and which of them decide.
type PoliciesDoc struct {
	Policies []PolicyDoc `json:"policies"` // in the order of their import
	Scopes   []ScopeDoc  `json:"scopes"`   // in which one was ever activated, that of all first
}

// PolicyDoc is a policy that was imported.
type PolicyDoc struct {
	ID           leyline.PolicyID     `json:"id"`
	Version      string               `json:"version"`
	Architecture string               `json:"architecture"`
	Format       leyline.PolicyFormat `json:"format"`
	SHA256       leyline.Digest       `json:"sha256"`
	Bytes        uint64               `json:"bytes"`
	Origin       leyline.PolicyOrigin `json:"origin"`
	Run          leyline.RunID        `json:"run,omitempty"` // that it was trained on
	Created      string               `json:"created"`
	Registries   []PolicyRegistryDoc  `json:"registries"`
	Imported     string               `json:"imported"` // plane time, RFC 3339
	Record       leyline.Seq          `json:"record"`
	By           leyline.KeyID        `json:"by"`
}

// PolicyRegistryDoc is what a policy was made for.
type PolicyRegistryDoc struct {
	Kind   leyline.RegistryKind `json:"kind"`
	Size   uint32               `json:"size"`
	SHA256 leyline.Digest       `json:"sha256"`
}

// ScopeDoc says which policy decides in a run, or in all that have none of their own.
type ScopeDoc struct {
	Run     leyline.RunID       `json:"run,omitempty"`    // empty: all
	Policy  string              `json:"policy"`           // ID@VERSION, or settings
	SHA256  leyline.Digest      `json:"sha256,omitzero"`  // of its file
	Record  leyline.Seq         `json:"record"`           // with which it came into force
	Before  string              `json:"before,omitempty"` // to which a rollback returns
	Loading string              `json:"loading,omitempty"`
	Command leyline.CommandID   `json:"command,omitempty"` // for which a file is being read
	Usable  bool                `json:"usable"`            // else nothing is proposed
	Fault   leyline.PolicyFault `json:"fault"`             // why not; none: it is being verified
	Detail  string              `json:"detail,omitempty"`
}

// PoliciesOf is the document of a state.
func PoliciesOf(s *projections.State) PoliciesDoc {
	d := PoliciesDoc{Policies: []PolicyDoc{}, Scopes: []ScopeDoc{}}
	for i := range s.Tamiyo.Artifacts {
		d.Policies = append(d.Policies, policyDoc(&s.Tamiyo.Artifacts[i]))
	}
	for i := range s.Tamiyo.Installed {
		d.Scopes = append(d.Scopes, scopeDoc(&s.Tamiyo.Installed[i]))
	}
	return d
}

func policyDoc(a *projections.Artifact) PolicyDoc {
	x := &a.Facts
	d := PolicyDoc{
		ID: x.ID, Version: x.Version, Architecture: x.Architecture, Format: x.Format, SHA256: x.Digest, Bytes: x.Bytes, Origin: x.Origin,
		Run: x.Run, Created: x.Created, Imported: a.Imported.String(), Record: a.Seq, By: a.By, Registries: []PolicyRegistryDoc{},
	}
	for _, r := range x.Registries {
		d.Registries = append(d.Registries, PolicyRegistryDoc{r.Kind, r.Size, r.Digest})
	}
	return d
}

func scopeDoc(i *projections.Installed) ScopeDoc {
	d := ScopeDoc{
		Run: i.Run, Policy: i.InForce().String(), SHA256: i.InForce().Digest, Record: i.Since, Usable: i.Usable(), Fault: i.Fault, Detail: i.Detail,
	}
	if !i.InForce().IsZero() {
		d.Before = i.Before().String()
	}
	if l := &i.Loading; !l.Request.IsZero() {
		d.Loading, d.Command = l.Policy.String(), l.Command
	}
	return d
}

func (h handler) policies(w http.ResponseWriter, r *http.Request) error {
	var d PoliciesDoc
	if err := h.Plane().View(r.Context(), func(s *projections.State) { d = PoliciesOf(s) }); err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, d)
	return nil
}

// policy takes the import of a policy. Its file lies in the policy store, or will.
func (h handler) policy(w http.ResponseWriter, r *http.Request) error {
	env, err := envelope(r)
	if err != nil {
		return err
	}
	if env.PayloadType != leyline.PayloadPolicy {
		return server.Mistake(http.StatusUnprocessableEntity, leyline.RefusalInvalidField.String(), "payloadType",
			fmt.Sprintf("the payload is %.100q, this route takes %s", env.PayloadType, leyline.PayloadPolicy), "make it with `esper policy import`")
	}
	seq, err := h.Plane().Vouch(r.Context(), env, from(r))
	if err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, Recorded{seq})
	return nil
}
