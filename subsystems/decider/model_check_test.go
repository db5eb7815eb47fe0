package decider_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// plant is what the model knows of one slot, from the events alone.
type plant struct {
	stage     leyline.Stage
	blueprint leyline.BlueprintID
	kernel    bool // a kernel with the registered digest has come in since it germinated
	alpha     float64
	step      uint32 // of the alpha schedule
	total     uint32
	paused    bool
	closed    bool
	cleared   bool // gate G4 has passed for a FOSSILIZE that is not answered
	until     leyline.Instant
	untilStep leyline.Step
}

// model is the naive twin of Kasmina's projection: it follows a run by its events
// and says what no event may do.
type model struct {
	t      *testing.T
	what   string // the history, to find it again
	plants map[leyline.SeedID]*plant
	memos  map[leyline.SnapshotID]map[leyline.SeedID]plant
	digest map[leyline.BlueprintID]leyline.Digest
	pause  leyline.Instant // length of an embargo
	moves  int
}

func newModel(t *testing.T, what string, w *world) *model {
	m := &model{
		t: t, what: what, plants: map[leyline.SeedID]*plant{}, memos: map[leyline.SnapshotID]map[leyline.SeedID]plant{},
		digest: map[leyline.BlueprintID]leyline.Digest{}, pause: leyline.Instant(w.config.Kasmina.Embargo.Duration()),
	}
	for _, b := range w.s.Plane.Blueprints {
		m.digest[b.Blueprint] = b.Digest
	}
	return m
}

func (m *model) fail(r leyline.Record, format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s, record %d (%s): %s", m.what, r.Seq, r.Input.InputKind(), fmt.Sprintf(format, args...))
}

func (m *model) plant(id leyline.SeedID) *plant {
	p := m.plants[id]
	if p == nil {
		p = &plant{}
		m.plants[id] = p
	}
	return p
}

// check follows one record and holds the state after it against what was followed.
func (m *model) check(r leyline.Record, s *projections.State) {
	m.t.Helper()
	for i, e := range r.Events {
		switch x := e.(type) {
		case leyline.SeedMoved:
			m.moved(r, i, x, s)
		case leyline.PrefetchSettled:
			m.kernel(r, x)
		case leyline.BlendConfigured:
			p := m.plant(x.Seed)
			if p.stage != leyline.StageBlending || !p.kernel {
				m.fail(r, "a blend of %s is configured, which is %s, kernel verified: %v", x.Seed, p.stage, p.kernel)
			}
			p.step, p.total, p.alpha = 0, x.Plan.TotalSteps, 0
		case leyline.BlendStepped:
			m.blended(r, x)
		case leyline.IsolationAssessed:
			m.still(r, x.Seed, "is measured")
		case leyline.ContributionMeasured:
			m.still(r, x.Seed, "is measured")
		case leyline.SeedPaused:
			if x.By != leyline.PartyOperator { // who takes a pause of the policy over
				m.still(r, x.Seed, "is paused again")
			}
			m.plant(x.Seed).paused = true
		case leyline.SeedResumed:
			if g := verdict(r.Events[:i], x.Seed, leyline.GateGradientHealth); g == nil || !g.Passed || !m.plant(x.Seed).paused {
				m.fail(r, "%s goes on behind gate %+v, paused: %v", x.Seed, g, m.plant(x.Seed).paused)
			}
			m.plant(x.Seed).paused = false
		case leyline.GateEvaluated:
			m.plant(x.Seed).cleared = x.Passed && x.Gate == leyline.GateSystemImpact && m.plant(x.Seed).stage == leyline.StageProbationary
		case leyline.SnapshotRegistered:
			if !x.Further {
				m.memos[x.Snapshot] = m.saved()
			}
		case leyline.RollbackFinished:
			if x.Outcome == leyline.OutcomeOK {
				m.rewind(x.Snapshot)
			}
		case leyline.RunResumed:
			m.rewind(x.Snapshot)
		}
	}
	m.agree(r, s)
}

// still refuses what must not happen to a paused seed.
func (m *model) still(r leyline.Record, id leyline.SeedID, what string) {
	m.t.Helper()
	if m.plant(id).paused {
		m.fail(r, "paused seed %s %s", id, what)
	}
}

// kernel notes a kernel that was accepted: only the registered one may be.
func (m *model) kernel(r leyline.Record, x leyline.PrefetchSettled) {
	m.t.Helper()
	p := m.plant(x.Seed)
	if x.Outcome != leyline.OutcomeOK {
		return
	}
	in, ok := r.Input.(leyline.KernelReady)
	if !ok || in.Digest != m.digest[p.blueprint] {
		m.fail(r, "the kernel of %s is accepted with digest %s, registered is %s", x.Seed, in.Digest.Short(), m.digest[p.blueprint].Short())
	}
	p.kernel = true
}

// gateOf is the gate in front of a transition.
func gateOf(from, to leyline.Stage) (leyline.Gate, bool) {
	for _, e := range leyline.Edges() {
		if e.From == from && e.To == to {
			return e.Gate, e.Answered
		}
	}
	return leyline.GateUnknown, false
}

// verdict returns the last verdict of a gate on a seed, or nil.
func verdict(events []leyline.Event, id leyline.SeedID, g leyline.Gate) *leyline.GateEvaluated {
	for i := len(events) - 1; i >= 0; i-- {
		if x, ok := events[i].(leyline.GateEvaluated); ok && x.Seed == id && x.Gate == g {
			return &x
		}
	}
	return nil
}

func (m *model) moved(r leyline.Record, i int, x leyline.SeedMoved, s *projections.State) {
	m.t.Helper()
	m.moves++
	p := m.plant(x.Seed)
	if x.From != p.stage || !slices.Contains(successors(p.stage), x.To) {
		m.fail(r, "%s moves from %s to %s, it was %s", x.Seed, x.From, x.To, p.stage)
	}
	if p.paused && x.To != leyline.StageCulled {
		m.fail(r, "paused seed %s moves to %s", x.Seed, x.To)
	}
	if g, answered := gateOf(x.From, x.To); answered && !p.cleared {
		m.fail(r, "%s becomes %s without having passed %s", x.Seed, x.To, g)
	} else if v := verdict(r.Events[:i], x.Seed, g); g != leyline.GateUnknown && !answered && (v == nil || !v.Passed) {
		m.fail(r, "%s moves to %s behind gate %s: %+v", x.Seed, x.To, g, v)
	}
	if v, ok := r.Events[0].(leyline.CommandVerified); ok && v.Issuer == leyline.IssuerTamiyo && x.To == leyline.StageTerminated {
		m.fail(r, "the policy has closed %s", x.Seed)
	}
	m.enter(r, p, x, s)
}

// successors is the table of transitions as SPEC.md 4.4 has it, and FINE_TUNE.
func successors(s leyline.Stage) []leyline.Stage {
	const culled, training = leyline.StageCulled, leyline.StageTraining
	return map[leyline.Stage][]leyline.Stage{
		leyline.StageUnknown:      {leyline.StageDormant},
		leyline.StageDormant:      {leyline.StageGerminated, leyline.StageTerminated},
		leyline.StageGerminated:   {training, culled},
		leyline.StageTraining:     {leyline.StageBlending, culled},
		leyline.StageBlending:     {leyline.StageShadowing, training, culled},
		leyline.StageShadowing:    {leyline.StageProbationary, training, culled},
		leyline.StageProbationary: {leyline.StageFossilized, training, culled},
		leyline.StageFossilized:   {leyline.StageTerminated},
		culled:                    {leyline.StageEmbargoed},
		leyline.StageEmbargoed:    {leyline.StageResetting},
		leyline.StageResetting:    {leyline.StageDormant},
	}[s]
}

// enter brings a plant into a stage.
func (m *model) enter(r leyline.Record, p *plant, x leyline.SeedMoved, s *projections.State) {
	m.t.Helper()
	switch x.To {
	case leyline.StageGerminated:
		*p = plant{blueprint: x.Blueprint, closed: p.closed}
		if p.closed {
			m.fail(r, "%s germinates in a closed slot", x.Seed)
		}
	case leyline.StageTraining, leyline.StageBlending:
		if !p.kernel {
			m.fail(r, "%s moves to %s without a verified kernel", x.Seed, x.To)
		}
		p.alpha, p.step, p.total = 0, 0, 0
	case leyline.StageShadowing:
		if p.step < p.total || p.total == 0 {
			m.fail(r, "%s leaves BLENDING at step %d of %d", x.Seed, p.step, p.total)
		}
	case leyline.StageCulled:
		*p = plant{blueprint: p.blueprint, closed: p.closed}
	case leyline.StageEmbargoed:
		p.until, p.untilStep = x.Until, x.UntilStep
		if x.UntilStep == 0 && x.Until != r.At+m.pause {
			m.fail(r, "%s is closed until %s, at %s", x.Seed, x.Until, r.At)
		}
	case leyline.StageResetting:
		if r.At < p.until || s.Tolaria.Run(x.Run).Track.Step < p.untilStep {
			m.fail(r, "the embargo of %s ends at %s, step %d; it lasts until %s or step %d", x.Seed, r.At, x.Step, p.until, p.untilStep)
		}
	case leyline.StageDormant:
		*p = plant{closed: p.closed}
	case leyline.StageTerminated:
		p.closed = true
	}
	p.stage, p.cleared = x.To, false
}

// blended follows alpha: it never falls within a blend, and rises by one step.
func (m *model) blended(r leyline.Record, x leyline.BlendStepped) {
	m.t.Helper()
	m.still(r, x.Seed, "blends")
	p := m.plant(x.Seed)
	last := p.stage == leyline.StageShadowing && x.AlphaStep == p.step && x.Alpha == 1
	first := x.AlphaStep == 0 && p.step == 0 && p.alpha == 0
	next := x.AlphaStep == p.step+1 && p.step < p.total
	if p.stage != leyline.StageBlending && !last || !first && !next && !last || x.Alpha < p.alpha || x.Alpha > 1 || !p.kernel {
		m.fail(r, "%s in %s goes from alpha %v at step %d of %d to %v at %d", x.Seed, p.stage, p.alpha, p.step, p.total, x.Alpha, x.AlphaStep)
	}
	p.alpha, p.step = x.Alpha, x.AlphaStep
}

func (m *model) saved() map[leyline.SeedID]plant {
	out := map[leyline.SeedID]plant{}
	for id, p := range m.plants {
		out[id] = *p
	}
	return out
}

// rewind returns to a snapshot, or to empty slots. What an operator has closed,
// paused or resumed stays so.
func (m *model) rewind(to leyline.SnapshotID) {
	now := m.saved()
	for id, p := range m.plants {
		*p = plant{stage: leyline.StageDormant}
		if memo, ok := m.memos[to][id]; ok {
			*p = memo
		}
		was := now[id]
		p.closed, p.cleared = p.closed || was.closed, false
		if p.blueprint != "" && p.blueprint == was.blueprint && (leyline.OnTrial(was.stage) || leyline.Grafted(was.stage)) {
			p.paused = was.paused && leyline.OnTrial(p.stage)
		}
	}
}

// agree holds what was followed against the state.
func (m *model) agree(r leyline.Record, s *projections.State) {
	m.t.Helper()
	for _, seed := range s.Kasmina.Run("run-1").Seeds {
		p := m.plant(seed.ID)
		if p.stage != seed.Stage || p.alpha != seed.Alpha || p.paused != seed.Paused || p.closed != seed.Closed {
			m.fail(r, "the state has %+v, what happened is %+v", seed, *p)
		}
	}
	if n := len(m.plants); n != len(s.Kasmina.Run("run-1").Seeds) {
		m.fail(r, "%d slots, followed were %v", len(s.Kasmina.Run("run-1").Seeds), slices.Collect(maps.Keys(m.plants)))
	}
}
