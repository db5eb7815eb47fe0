package sla

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay"
)

// Report is the service level of rollbacks over the records of a log.
type Report struct {
	Records   uint64      `json:"records"`
	First     leyline.Seq `json:"first"`
	Last      leyline.Seq `json:"last"`
	Rollbacks []Rollback  `json:"rollbacks"`
	Tiers     []Level     `json:"tiers"`    // fast and full, of what was restored or was to be
	Recovery  []Part      `json:"recovery"` // the four parts, over all rollbacks
	Unjudged  int         `json:"unjudged"` // their clock stood still: no service level applies
	Wrong     int         `json:"wrong"`    // records whose own verdict differs from what they add up to
	Met       bool        `json:"met"`      // every judged rollback was within its level, and no record is wrong
}

// Level is how the rollbacks of one tier lie within its budget.
type Level struct {
	Tier     leyline.Tier `json:"tier"`
	BudgetMs float64      `json:"budget_ms"` // of the newest rollback; 0: there was none
	Met      int          `json:"met"`
	Missed   int          `json:"missed"`
	Spent    Distribution `json:"spent_ms"`
}

// Part is the distribution of one of the four parts of a recovery.
type Part struct {
	Name string       `json:"name"`
	Ms   Distribution `json:"ms"`
}

// Distribution describes numbers: milliseconds. A percentile is interpolated
// linearly at rank p(n-1). Without numbers everything is 0.
type Distribution struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Distribute describes numbers, which it sorts.
func Distribute(ms []float64) Distribution {
	slices.Sort(ms)
	if len(ms) == 0 {
		return Distribution{}
	}
	at := func(p float64) float64 {
		rank := p * float64(len(ms)-1)
		low := int(rank)
		high := min(low+1, len(ms)-1)
		return ms[low] + (rank-math.Floor(rank))*(ms[high]-ms[low])
	}
	return Distribution{Count: len(ms), P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: ms[len(ms)-1]}
}

// Of reads the records of a log from and up to positions; to 0 means its end. start
// is the state before the first record of src, of a source that begins in the middle
// of a log, else nil; records before from are folded and not reported on. A log
// without rollbacks gives a report without any, which is met.
func Of(ctx context.Context, src replay.Source, start *projections.State, from, to leyline.Seq) (Report, error) {
	var c Collector
	var r Report
	begin := c.Begin(start)
	for e, err := range src.All(begin) {
		if err != nil {
			return Report{}, fmt.Errorf("cannot read the log: %w", err)
		}
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if to != 0 && e.Seq > to {
			break
		}
		rec, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return Report{}, fmt.Errorf("cannot decode record %d: %w", e.Seq, err)
		}
		c.Add(rec)
		if rec.Seq >= from {
			r.count(rec.Seq)
		}
	}
	for _, b := range c.Rollbacks {
		if b.Records.Started >= from {
			r.Rollbacks = append(r.Rollbacks, b)
		}
	}
	r.judge()
	return r, nil
}

// count notes a record that is reported on.
func (r *Report) count(seq leyline.Seq) {
	if r.Records == 0 {
		r.First = seq
	}
	r.Records++
	r.Last = seq
}

// judge holds every rollback against its level.
func (r *Report) judge() {
	for _, t := range []leyline.Tier{leyline.TierFast, leyline.TierFull} {
		r.Tiers = append(r.Tiers, r.level(t))
	}
	r.Met = true
	for i := range r.Rollbacks {
		b := &r.Rollbacks[i]
		switch {
		case !b.Judged():
			r.Unjudged++
		case !b.WithinSLA:
			r.Met = false
		}
		if b.Outcome != leyline.OutcomeUnspecified && b.WithinSLA != b.Recorded {
			r.Wrong++
			r.Met = false
		}
	}
	for _, p := range []struct {
		name string
		of   func(*Rollback) *float64
	}{
		{"detect", func(b *Rollback) *float64 { return b.DetectMs }},
		{PartDecide, func(b *Rollback) *float64 { return b.DecideMs }},
		{PartRestore, func(b *Rollback) *float64 { return b.RestoreMs }},
		{"first good step", func(b *Rollback) *float64 { return b.GoodMs }},
	} {
		r.Recovery = append(r.Recovery, Part{p.name, Distribute(r.collect(p.of))})
	}
}

func (r *Report) collect(of func(*Rollback) *float64) []float64 {
	var out []float64
	for i := range r.Rollbacks {
		if ms := of(&r.Rollbacks[i]); ms != nil {
			out = append(out, *ms)
		}
	}
	return out
}

func (r *Report) level(t leyline.Tier) Level {
	l := Level{Tier: t}
	var spent []float64
	for i := range r.Rollbacks {
		b := &r.Rollbacks[i]
		if b.Tier != t || !b.Judged() {
			continue
		}
		l.BudgetMs = *b.BudgetMs
		if b.WithinSLA {
			l.Met++
		} else {
			l.Missed++
		}
		if b.SpentMs != nil {
			spent = append(spent, *b.SpentMs)
		}
	}
	l.Spent = Distribute(spent)
	return l
}
