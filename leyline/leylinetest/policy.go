package leylinetest

import "github.com/esper-plane/esper/leyline"

const (
	identity   = " policy.id policy.version policy.digest"
	candidates = "candidates? candidates[0].operation? candidates[0].seed? candidates[0].blueprint? candidates[0].score? candidates[0].terms?" +
		" candidates[0].terms[0].rule candidates[0].terms[0].mode candidates[0].terms[0].value? candidates[0].terms[0].part?"
	answer = "actions blends? schedule? params? seeds? blueprints? risk? value? channels? logits? " + candidates
)

// brief leaves one entry of each list that has to be ascending.
func brief(all []leyline.Candidate) {
	for i := range all {
		all[i].Terms = all[i].Terms[:1]
	}
}

func weighed(x *leyline.PolicyWeighed) {
	x.Open = 3
	x.Acted = x.Acted[:1]
	brief(x.Candidates)
	c := &x.Coverage
	c.Missing, c.Groups, c.Partial = 1, c.Groups[:1], c.Partial[:1]
	c.Partial[0].Present, c.Partial[0].Total = 1, 2
	x.Norms = x.Norms[:1]
}

func weighedEvents() []Case[leyline.Event] {
	const rest = " open masked? seed_index? kind_index? seed_score? kind_score? value? risk.known? risk.score? risk.index? blend? start? end swapped? " +
		candidates + " shadow? differs? acted? coverage.features coverage.mean? coverage.missing? coverage.groups? coverage.groups[0].group" +
		" coverage.groups[0].ratio? coverage.partial? coverage.partial[0].feature coverage.partial[0].present? coverage.partial[0].total degraded?" +
		" norms? norms[0].key norms[0].mean? norms[0].var marks? marks[0].seed marks[0].loss?"
	return []Case[leyline.Event]{
		event("to germinate", "run step"+identity+" operation? seed blueprint reason?"+rest, weighed),
		event("to train", "run step"+identity+" operation? seed blueprint? reason?"+rest, func(x *leyline.PolicyWeighed) {
			weighed(x)
			x.Operation = leyline.OpStartTraining
		}),
		event("to do nothing", "run step"+identity+" operation? seed? blueprint? reason"+rest, func(x *leyline.PolicyWeighed) {
			weighed(x)
			x.Operation = leyline.OpUnknown
		}),
	}
}
