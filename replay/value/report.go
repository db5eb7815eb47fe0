package value

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Report is what rows say, as the protocol wants it.
type Report struct {
	Protocol leyline.Digest `json:"protocol"`
	Complete bool           `json:"complete"` // every run of the protocol, and none beside
	Studies  []StudyReport  `json:"studies"`
}

// StudyReport is of one workload.
type StudyReport struct {
	Study
	Arms        []ArmReport  `json:"arms"`
	Comparisons []Comparison `json:"comparisons"` // of rules with every other arm
	Failed      []Row        `json:"failed"`      // runs that count as guessing
}

// ArmReport describes the runs of an arm: means, and standard deviations over seeds.
type ArmReport struct {
	Arm        Arm     `json:"arm"`
	Runs       int     `json:"runs"`
	Failed     int     `json:"failed"`
	Accuracy   Spread  `json:"accuracy"` // in points
	Loss       Spread  `json:"loss"`
	Area       Spread  `json:"area"`
	Germinated float64 `json:"germinated"`
	Kept       float64 `json:"kept"`
	Culled     float64 `json:"culled"`
	Refused    float64 `json:"commands_refused"`
	Withheld   float64 `json:"proposals_withheld"`
	Missed     float64 `json:"policy_missed"`
	Parameters float64 `json:"parameters"`
	Steps      float64 `json:"steps"`
	Work       float64 `json:"multiply_adds"`
	Seconds    float64 `json:"seconds"`
}

// Spread is mean and standard deviation.
type Spread struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

// Outcome is what runs are compared by.
//
// enum: local because it belongs to an experiment and no plane knows it.
type Outcome string

// The outcomes. A higher accuracy is better, and a lower loss.
const (
	Accuracy Outcome = "accuracy" // points
	Loss     Outcome = "loss"     // nats
	Area     Outcome = "area"     // nats, mean over the run
)

// of is the figure of a row in the unit of the outcome.
func (o Outcome) of(r *Row) float64 {
	switch o {
	case Accuracy:
		return 100 * r.Accuracy
	case Loss:
		return r.Loss
	}
	return r.Area
}

// Comparison is of rules, less another arm, by one outcome.
type Comparison struct {
	With    Arm     `json:"with"`
	Outcome Outcome `json:"outcome"`
	Primary bool    `json:"primary"`
	Paired
	Holm    *float64 `json:"holm_p,omitempty"` // of primary comparisons
	Verdict Verdict  `json:"verdict,omitempty"`
}

// Verdict is what the protocol lets one say of a primary comparison.
//
// enum: local because it belongs to an experiment and no plane knows it.
type Verdict string

// The verdicts.
const (
	Better    Verdict = "better"    // rules are, and that is shown
	Worse     Verdict = "worse"     // rules are, and that is shown
	Small     Verdict = "small"     // a difference is shown to be less than one point
	Undecided Verdict = "not shown" // the data are too few to say
)

// Analyse makes a report of the rows of studies. Every study must have at least two
// seeds, and every arm of theirs a row.
func Analyse(list []Study, rows []Row) (Report, error) {
	report := Report{Protocol: ProtocolDigest(), Complete: len(list) == len(studies)}
	for _, s := range list {
		planned, known := StudyOf(s.Workload)
		report.Complete = report.Complete && known && planned == s
		r, err := s.analyse(rows)
		if err != nil {
			return report, fmt.Errorf("%s: %w", s.Workload, err)
		}
		report.Studies = append(report.Studies, r)
	}
	report.judge()
	return report, nil
}

// analyse describes and compares the arms of one study.
func (s Study) analyse(rows []Row) (StudyReport, error) {
	out := StudyReport{Study: s, Failed: []Row{}}
	var base []*Row
	for _, a := range Arms() {
		own, err := s.rows(a, rows)
		if err != nil {
			return out, err
		}
		for _, r := range own {
			if r.Failed != "" {
				out.Failed = append(out.Failed, *r)
			}
		}
		out.Arms = append(out.Arms, describe(a, own))
		if a == Rules {
			base = own
			continue
		}
		all, err := a.compare(base, own)
		if err != nil {
			return out, err
		}
		out.Comparisons = append(out.Comparisons, all...)
	}
	return out, nil
}

// rows returns those of an arm in the order of their seeds, so that the rows of two arms
// are paired by their place.
func (s Study) rows(a Arm, rows []Row) ([]*Row, error) {
	var out []*Row
	for i := range s.Seeds {
		r := find(rows, Key{s.Workload, a, s.First + uint64(i)})
		if r == nil {
			return nil, fmt.Errorf("there is no run of %s with seed %d", a, s.First+uint64(i))
		}
		out = append(out, r)
	}
	return out, nil
}

// compare holds the rows of rules against those of an arm by every outcome.
func (a Arm) compare(rules, own []*Row) ([]Comparison, error) {
	var out []Comparison
	for _, o := range []Outcome{Accuracy, Loss, Area} {
		if a == Longer && o == Area {
			continue // its steps are others
		}
		p, err := Compare(differences(o, rules, own))
		if err != nil {
			return nil, err
		}
		out = append(out, Comparison{With: a, Outcome: o, Primary: o == Accuracy && a.primary(), Paired: p})
	}
	return out, nil
}

func find(rows []Row, k Key) *Row {
	for i := range rows {
		if rows[i].Key == k {
			return &rows[i]
		}
	}
	return nil
}

// differences pairs rows by their place, which is that of their seed.
func differences(o Outcome, with, minus []*Row) []float64 {
	out := make([]float64, len(with))
	for i := range with {
		out[i] = o.of(with[i]) - o.of(minus[i])
	}
	return out
}

// describe takes the means of an arm's rows.
func describe(a Arm, rows []*Row) ArmReport {
	of := func(figure func(*Row) float64) Spread {
		xs := make([]float64, len(rows))
		for i, r := range rows {
			xs[i] = figure(r)
		}
		m, sd := moments(xs)
		return Spread{m, sd}
	}
	out := ArmReport{
		Arm: a, Runs: len(rows), Accuracy: of(Accuracy.of), Loss: of(Loss.of), Area: of(Area.of),
		Germinated: of(func(r *Row) float64 { return float64(r.Germinated) }).Mean,
		Kept:       of(func(r *Row) float64 { return float64(r.Kept) }).Mean,
		Culled:     of(func(r *Row) float64 { return float64(r.Culled) }).Mean,
		Refused:    of(func(r *Row) float64 { return float64(r.Refused) }).Mean,
		Withheld:   of(func(r *Row) float64 { return float64(r.Withheld) }).Mean,
		Missed:     of(func(r *Row) float64 { return float64(r.Missed) }).Mean,
		Parameters: of(func(r *Row) float64 { return float64(r.Parameters) }).Mean,
		Steps:      of(func(r *Row) float64 { return float64(r.Steps) }).Mean,
		Work:       of(func(r *Row) float64 { return float64(r.Work) }).Mean,
		Seconds:    of(func(r *Row) float64 { return r.Seconds }).Mean,
	}
	for _, r := range rows {
		if r.Failed != "" {
			out.Failed++
		}
	}
	return out
}

// judge adjusts the p-values of all primary comparisons together and says what they
// come to.
func (r *Report) judge() {
	var all []*Comparison
	var ps []float64
	for i := range r.Studies {
		for j := range r.Studies[i].Comparisons {
			if c := &r.Studies[i].Comparisons[j]; c.Primary {
				all, ps = append(all, c), append(ps, c.P)
			}
		}
	}
	for i, p := range Holm(ps, max(family(), len(ps))) {
		all[i].Holm = &p
		all[i].Verdict = all[i].verdict(p)
	}
}

func (c *Comparison) verdict(holm float64) Verdict {
	switch {
	case holm < level && c.Mean > 0:
		return Better
	case holm < level:
		return Worse
	case c.T.Within(margin):
		return Small
	}
	return Undecided
}
