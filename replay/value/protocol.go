package value

import (
	"crypto/sha256"
	_ "embed" // of the protocol
	"slices"

	"github.com/esper-plane/esper/leyline"
)

//go:embed protocol.md
var protocol string

// Protocol is the text that fixes the experiment.
func Protocol() string { return protocol }

// ProtocolDigest is the SHA-256 of the protocol.
func ProtocolDigest() leyline.Digest { return sha256.Sum256([]byte(protocol)) }

// Study is the part of the experiment on one workload.
type Study struct {
	Workload string       `json:"workload"`
	Steps    leyline.Step `json:"steps"` // of every arm but longer
	First    uint64       `json:"first_seed"`
	Seeds    int          `json:"seeds"` // from the first upwards
}

// The numbers of the protocol.
const (
	judgements = 16   // of the held-out rows over a run, at equal distances
	level      = 0.05 // of the adjusted p-values
	margin     = 1.0  // point of accuracy: what is smaller does not matter
)

var studies = []Study{
	{Workload: "penguins", Steps: 300, First: 201, Seeds: 20},
	{Workload: "multimnist", Steps: 1500, First: 201, Seeds: 10},
}

// Studies returns those of the protocol, in its order.
func Studies() []Study { return slices.Clone(studies) }

// StudyOf returns the study of a workload; false when the protocol has none.
func StudyOf(workload string) (Study, bool) {
	i := slices.IndexFunc(studies, func(s Study) bool { return s.Workload == workload })
	if i < 0 {
		return Study{}, false
	}
	return studies[i], true
}

// Arm is what decides about growth in one run of a pair, or stands in its place.
//
// enum: local because it belongs to an experiment and no plane knows it.
type Arm string

// The arms. The protocol says what each is.
const (
	Rules   Arm = "rules"
	Never   Arm = "never"
	Random  Arm = "random"
	Wider   Arm = "wider"
	Modules Arm = "modules"
	Longer  Arm = "longer"
)

// Arms lists them, the one that all others are compared with first: some are made to
// match its run.
func Arms() []Arm { return []Arm{Rules, Never, Random, Wider, Modules, Longer} }

// primary reports whether the protocol demands the comparison with an arm.
func (a Arm) primary() bool { return a != Rules && a != Longer }

// family is the number of primary comparisons in the whole protocol.
func family() int {
	n := 0
	for _, a := range Arms() {
		if a.primary() {
			n += len(studies)
		}
	}
	return n
}
