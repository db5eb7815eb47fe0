package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
)

// seedLife is one life of a slot: from the germination of a seed to where it
// stands. What a rollback or a resume has undone stays in it, marked.
type seedLife struct {
	Seed      leyline.SeedID      `json:"seed"`
	Blueprint leyline.BlueprintID `json:"blueprint"`
	Stage     leyline.Stage       `json:"stage"` // where it stands
	Moves     []seedMove          `json:"moves"`
	Probes    []probe             `json:"probes"`
	Verdict   *seedVerdict        `json:"verdict"` // nil while it is on trial
}

// seedMove is a seed's entry into a stage.
type seedMove struct {
	Seq    leyline.Seq   `json:"seq"`
	Step   leyline.Step  `json:"step"`
	To     leyline.Stage `json:"to"`
	Cause  string        `json:"cause"`
	Gates  []gateVerdict `json:"gates"`
	Undone string        `json:"undone_by,omitempty"`
}

// gateVerdict is what a gate said in the record of a move.
type gateVerdict struct {
	Gate   leyline.Gate    `json:"gate"`
	Passed bool            `json:"passed"`
	Reason string          `json:"reason,omitempty"`
	Checks []leyline.Check `json:"checks"`
	seed   leyline.SeedID
}

// probe is one measured contribution. Positive figures speak for the seed.
type probe struct {
	Seq        leyline.Seq  `json:"seq"`
	Step       leyline.Step `json:"step"`
	Points     float64      `json:"points"`      // of accuracy, mean over tasks
	MeanPoints float64      `json:"mean_points"` // over the probes of the stage so far
	Loss       float64      `json:"loss"`
	MeanLoss   float64      `json:"mean_loss"`
	OfStage    uint32       `json:"of_stage"` // probes of the stage so far
	Undone     string       `json:"undone_by,omitempty"`
}

// seedVerdict is why a seed was kept or given up.
type seedVerdict struct {
	Seq       leyline.Seq           `json:"seq"`
	Step      leyline.Step          `json:"step"`
	Operation leyline.SeedOperation `json:"operation"`
	Probes    uint32                `json:"probes"` // it rests on
	Points    float64               `json:"points"` // measured gain, mean over them
	Why       string                `json:"why"`
}

func (s *story) seeds(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandProposed:
		s.propose(r, x)
	case leyline.RiskAssessed:
		s.risk(r, x)
	case leyline.GateEvaluated:
		verdict := "passed"
		if !x.Passed {
			verdict = "FAILED on " + x.Reason
		}
		s.gates = slices.DeleteFunc(s.gates, func(g gateVerdict) bool { return g.seed == x.Seed })
		s.gates = append(s.gates, gateVerdict{x.Gate, x.Passed, x.Reason, x.Checks, x.Seed})
		s.seedBeat(r, x.Seed, "%s gate %s %s", x.Seed, x.Gate, verdict)
	case leyline.SeedMoved:
		if x.From != leyline.StageUnknown { // that a run opens its slots is not worth a line
			s.seedBeat(r, x.Seed, "%s moves %s to %s", x.Seed, x.From, x.To)
		}
		if x.Run == s.run {
			s.moved(r, x)
		}
	case leyline.ContributionMeasured:
		s.measured(r, x)
	case leyline.BlendConfigured:
		s.seedBeat(r, x.Seed, "%s blends %s over %d steps", x.Seed, x.Plan.Mode, x.Plan.TotalSteps)
	case leyline.BlendStepped:
		if x.Complete && x.Alpha < 1 {
			s.seedBeat(r, x.Seed, "%s blend complete at alpha %.4f", x.Seed, x.Alpha)
		}
	case leyline.PrefetchSettled:
		if x.Outcome != leyline.OutcomeOK && x.Outcome != leyline.OutcomeSuperseded {
			s.beat(r, "CRITICAL %s has no kernel: %s", x.Seed, x.Reason)
		}
	default:
		s.faults(r, e)
	}
}

// faults tells of a seed that fails, and of one whose isolation is violated, as often
// as that is news.
func (s *story) faults(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SeedFailed:
		s.beat(r, "CRITICAL %s failed (%s) and had no part in the step: %s", x.Seed, x.Failure, printable(x.Reason))
	case leyline.IsolationAssessed:
		if x.Violated && x.News {
			s.beat(r, "%s violates its isolation, for the %d. time: leak %.3g, cosine %.3g; it is %s, the isolation breaker %s",
				x.Seed, x.Violations, x.Leak, x.Cosine, x.Health, x.Breaker)
		}
	}
}

// propose tells of a proposal, which may be about a seed or about the learning rates.
func (s *story) propose(r leyline.Record, x leyline.CommandProposed) {
	s.proposed, s.withheld = x, ""
	switch x.Kind {
	case leyline.CommandPause:
		s.beat(r, "tamiyo proposes to %s %s: %s", x.Pause.Action, x.Pause.Seed, x.Why)
	case leyline.CommandOptimizer:
		s.beat(r, "tamiyo proposes to %s the learning rates: %s", x.Optimizer.Action, x.Why)
	default:
		s.seedBeat(r, x.Seed.Seed, "tamiyo proposes %s for %s: %s", x.Seed.Operation, x.Seed.Seed, x.Why)
	}
}

// risk tells of a proposal that was withheld or changed, once for each reason.
func (s *story) risk(r leyline.Record, x leyline.RiskAssessed) {
	if x.Run != s.run || x.Allowed() {
		return
	}
	s.weighed = append(s.weighed, &weighing{Seq: r.Seq, Weighing: replay.WeighingOf(r)})
	s.weighed = s.weighed[max(0, len(s.weighed)-maxReportWeighed):]
	if x.Proposed == leyline.OpUnknown {
		return
	}
	if now := fmt.Sprintf("%s: %s", x.Proposed, x.Reason); now != s.withheld {
		s.withheld = now
		did := "withholds"
		if x.Effect != leyline.EffectHold {
			did = "answers risk by " + x.Effect.String() + " to"
		}
		s.beat(r, "tamiyo %s %s", did, now)
	}
}

// life returns the life that a slot is in, or nil. What was undone never was.
func (s *story) life(id leyline.SeedID) *seedLife {
	for i := len(s.Seeds) - 1; i >= 0; i-- {
		l := &s.Seeds[i]
		if l.Seed == id && l.Moves[0].Undone == "" {
			return l
		}
	}
	return nil
}

func (s *story) moved(r leyline.Record, x leyline.SeedMoved) {
	l := s.life(x.Seed)
	if l == nil && x.To == leyline.StageDormant {
		return // the slot is opened with the run; nothing lives in it
	}
	if l == nil || x.To == leyline.StageGerminated {
		s.Seeds = append(s.Seeds, seedLife{Seed: x.Seed, Blueprint: x.Blueprint})
		l = &s.Seeds[len(s.Seeds)-1]
	}
	m := seedMove{Seq: r.Seq, Step: x.Step, To: x.To, Cause: x.Cause}
	for i := range s.gates {
		if g := &s.gates[i]; g.seed == x.Seed {
			m.Gates = append(m.Gates, *g)
			g.seed = ""
		}
	}
	l.Moves, l.Stage = append(l.Moves, m), x.To
	s.Series.stage(x.Seed, stageChange{Step: x.Step, Stage: x.To, Gates: m.Gates})
	switch x.To {
	case leyline.StageFossilized:
		s.judged(l, m, leyline.OpFossilize)
	case leyline.StageCulled:
		s.judged(l, m, leyline.OpCull)
	}
}

// judged notes a verdict and what was measured before it.
func (s *story) judged(l *seedLife, m seedMove, op leyline.SeedOperation) {
	v := &seedVerdict{Seq: m.Seq, Step: m.Step, Operation: op, Why: m.Cause}
	for _, g := range m.Gates {
		if !g.Passed {
			v.Why = fmt.Sprintf("gate %s failed on %s", g.Gate, g.Reason)
		}
	}
	if p := s.proposed; v.Why == m.Cause && p.Seed.Seed == l.Seed && p.Seed.Operation == op {
		v.Why = p.Why
	}
	if p := l.newest(); p != nil {
		v.Probes, v.Points = p.OfStage, p.MeanPoints
	}
	l.Verdict = v
}

// newest is the newest probe that stands, or nil.
func (l *seedLife) newest() *probe {
	for i := len(l.Probes) - 1; i >= 0; i-- {
		if l.Probes[i].Undone == "" {
			return &l.Probes[i]
		}
	}
	return nil
}

func (s *story) measured(r leyline.Record, x leyline.ContributionMeasured) {
	if x.Run != s.run {
		return
	}
	s.seedBeat(r, x.Seed, "%s probe %d: %+.2f points of accuracy, %+.2f on average", x.Seed, x.Probes, 100*x.Accuracy, 100*x.MeanAccuracy)
	if l := s.life(x.Seed); l != nil {
		l.Probes = append(l.Probes, probe{
			Seq: r.Seq, Step: x.Step, Points: 100 * x.Accuracy, MeanPoints: 100 * x.MeanAccuracy,
			Loss: x.Loss, MeanLoss: x.MeanLoss, OfStage: x.Probes,
		})
	}
}

// undo marks what a return to a snapshot has made undone: all that the record
// of the snapshot, or of the opening when there is none, did not know yet.
func (s *story) undo(to leyline.SnapshotID, by string) {
	seq := s.saved[to].seq
	for i := range s.Seeds {
		s.Seeds[i].undo(seq, by)
	}
	for _, id := range s.Series.slots {
		stage := leyline.StageDormant
		if l := s.life(id); l != nil {
			stage = l.Stage
		}
		s.Series.stage(id, stageChange{Stage: stage, Undo: by})
	}
}

func (l *seedLife) undo(after leyline.Seq, by string) {
	stage := leyline.StageDormant
	for i := range l.Moves {
		switch m := &l.Moves[i]; {
		case m.Undone != "":
		case m.Seq > after:
			m.Undone = by
		default:
			stage = m.To
		}
	}
	for i := range l.Probes {
		if p := &l.Probes[i]; p.Seq > after && p.Undone == "" {
			p.Undone = by
		}
	}
	l.Stage = stage
	if l.Verdict != nil && l.Verdict.Seq > after {
		l.Verdict = nil
	}
}

// words says a verdict and what it rests on.
func (v *seedVerdict) words() string {
	if v.Probes == 0 {
		return fmt.Sprintf("not measured -> %s: %s", v.Operation, v.Why)
	}
	return fmt.Sprintf("%s: %+.2f points -> %s", probes(v.Probes), v.Points, v.Operation)
}

func probes(n uint32) string {
	if n == 1 {
		return "1 probe"
	}
	return fmt.Sprintf("%d probes", n)
}

// standing is where a life stands, in a few words.
func (l *seedLife) standing() string {
	switch {
	case l.Moves[0].Undone != "":
		return "undone by " + l.Moves[0].Undone
	case l.Verdict != nil:
		return l.Stage.String() + "  " + l.Verdict.words()
	}
	if p := l.newest(); p != nil {
		return fmt.Sprintf("%s  %s so far: %+.2f points", l.Stage, probes(p.OfStage), p.MeanPoints)
	}
	return l.Stage.String()
}

// words says a move: germinated@200 G0.
func (m *seedMove) words() string {
	w := fmt.Sprintf("%s@%d", strings.ToLower(m.To.String()), m.Step)
	for _, g := range m.Gates {
		name, _, _ := strings.Cut(g.Gate.String(), "_")
		w += " " + name
		if !g.Passed {
			w += " FAILED(" + g.Reason + ")"
		}
	}
	return w
}
