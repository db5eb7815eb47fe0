package reports

import (
	"encoding/json"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Document is a field report as JSON; the package comment says what its members
// mean.
type Document struct {
	Report       string   `json:"report"`
	Command      string   `json:"command"`
	Run          string   `json:"run"`
	Kind         string   `json:"kind"`
	Operation    string   `json:"operation,omitempty"`
	Seed         string   `json:"seed,omitempty"`
	Blueprint    string   `json:"blueprint,omitempty"`
	Policy       string   `json:"policy,omitempty"`
	IssuedAt     string   `json:"issued_at"`
	Outcome      string   `json:"outcome"`
	Closure      string   `json:"closure"`
	WindowEpochs uint32   `json:"window_epochs"`
	Epochs       uint32   `json:"epochs"`
	FromStep     uint64   `json:"from_step"`
	ToStep       uint64   `json:"to_step"`
	HeldOut      bool     `json:"held_out"`
	Delta        Delta    `json:"delta"`
	Extra        []Extra  `json:"extra,omitempty"`
	FollowUps    []Follow `json:"follow_ups,omitempty"`
	Notes        string   `json:"notes,omitempty"`
}

// Delta are the eight figures of a report, in the order in which they are stacked.
type Delta struct {
	Loss           float64 `json:"loss"`
	Parameters     float64 `json:"parameters"`
	RiskIndex      float64 `json:"risk_index"`
	RiskScore      float64 `json:"risk_score"`
	PolicyMs       float64 `json:"policy_ms"`
	HookMs         float64 `json:"hook_ms"`
	KasminaApplyMs float64 `json:"kasmina_apply_ms"`
	KasminaEndMs   float64 `json:"kasmina_end_ms"`
}

// Extra is a further figure.
type Extra struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Follow is something that happened to the run within the window.
type Follow struct {
	Kind   string `json:"kind"`   // of the event
	Record uint64 `json:"record"` // that holds it
	Why    string `json:"why,omitempty"`
}

// Of renders a report.
func Of(r *leyline.FieldReport) Document {
	d := Document{
		Report: string(r.Report), Command: string(r.Command), Run: string(r.Run), Kind: r.Kind.String(), Seed: string(r.Seed),
		Blueprint: string(r.Blueprint), Policy: r.Policy, IssuedAt: r.IssuedAt.String(), Outcome: r.Outcome.String(), Closure: r.Closure.String(),
		WindowEpochs: r.WindowEpochs, Epochs: r.Epochs, FromStep: uint64(r.From), ToStep: uint64(r.To), HeldOut: r.HeldOut, Notes: r.Notes,
		Delta: Delta{
			Loss: r.Delta.Loss, Parameters: r.Delta.Parameters, RiskIndex: r.Delta.RiskIndex, RiskScore: r.Delta.RiskScore,
			PolicyMs: r.Delta.PolicyMs, HookMs: r.Delta.HookMs, KasminaApplyMs: r.Delta.KasminaApplyMs, KasminaEndMs: r.Delta.KasminaEndMs,
		},
	}
	if r.Operation != leyline.OpUnknown {
		d.Operation = r.Operation.String()
	}
	for _, x := range r.Delta.Extra {
		d.Extra = append(d.Extra, Extra(x))
	}
	for _, m := range r.FollowUps {
		d.FollowUps = append(d.FollowUps, Follow{m.Kind.String(), uint64(m.Record), m.Why})
	}
	return d
}

// Encode writes a report as JSON. A report that is not whole, for example because
// it does not say when its command was issued, is refused: nobody could tell when
// it may be forgotten.
func Encode(r *leyline.FieldReport) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("cannot write field report %q: %w", r.Report, err)
	}
	b, err := json.MarshalIndent(Of(r), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write field report %q: %w", r.Report, err)
	}
	return append(b, '\n'), nil
}
