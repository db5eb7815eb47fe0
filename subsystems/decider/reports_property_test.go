package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
)

// TestEveryCommandInForceIsReportedOnce drives random histories, with epochs and
// with sinks that fail, to the end of their run: every command of Tamiyo that was
// put in force has one report, ids never repeat, every delivery is settled as the
// events say, and the log folds to the state that decided it.
func TestEveryCommandInForceIsReportedOnce(t *testing.T) {
	histories := uint64(60)
	if testing.Short() || raced {
		histories = 10
	}
	seen := map[leyline.ReportClosure]int{}
	for seed := range histories {
		g := newReporter(t, seed)
		for range 600 {
			if g.run().Status != leyline.RunStatusOpen {
				break
			}
			g.next()
			g.sinks()
		}
		g.finish()
		g.judge(seen)
	}
	for _, c := range []leyline.ReportClosure{leyline.ReportByEpochs, leyline.ReportByEnd, leyline.ReportByRewind} {
		if seen[c] == 0 {
			t.Errorf("no window was ever closed by %s: %v", c, seen)
		}
	}
	t.Logf("closed by %v", seen)
}

// reporter is a gardener whose run has epochs and whose reports are delivered.
type reporter struct {
	*gardener
	seed uint64
}

func newReporter(t *testing.T, seed uint64) *reporter {
	t.Helper()
	g := &reporter{newGardener(t, seed), seed}
	g.configure(func(c *leyline.ExecutionConfig) {
		c.Tamiyo.ReportEpochs, c.Tamiyo.ReportRetries = uint32(1+g.pick(3)), uint32(g.pick(3))
		if !g.one(4) {
			c.Tamiyo.ReportDir = "reports"
		}
	})
	g.begin()
	return g
}

// next is what the gardener does, and now and then the end of an epoch.
func (g *reporter) next() {
	if g.one(25) && !g.run().Rollback.Active() && g.run().Track.Step > 0 {
		g.inc = g.run().Incarnation
		in := g.evaluated()
		in.Losses = []float64{float64(1+g.pick(3)) / 2, 1}
		g.must(in)
		return
	}
	g.gardener.next()
}

// sinks answers the attempts that are under way, most of them well, and lets the
// time of the next one come.
func (g *reporter) sinks() {
	for _, e := range effect.Outstanding(g.s) {
		if e.Kind != leyline.EffectReport || g.one(3) {
			continue
		}
		if g.one(2) {
			g.must(leyline.ReportDelivered{Request: e.ID, Run: e.Run, Report: e.Report.Report})
		} else {
			g.must(leyline.ReportFailed{Request: e.ID, Run: e.Run, Report: e.Report.Report, Outcome: leyline.OutcomeDeadline, Reason: "late"})
		}
	}
	if due, ok := g.s.NextTimer(); ok && due.Timer == leyline.TimerReport && g.one(3) {
		g.at = max(g.at, due.Due)
		g.must(due)
	}
}

// finish ends the run and every delivery.
func (g *reporter) finish() {
	g.inc = g.run().Incarnation
	for g.run().Rollback.Active() {
		g.feed(g.restored())
		g.inc = g.run().Incarnation
	}
	if g.run().Status == leyline.RunStatusOpen {
		g.must(leyline.RunClosed{Run: "run-1", Incarnation: g.inc, Step: g.run().Track.Step, Outcome: leyline.OutcomeOK, Digest: digest("end")})
	}
	for g.s.Tamiyo.Reports.Fill().Pending > 0 {
		g.sinks()
		if due, ok := g.s.NextTimer(); ok {
			g.at = max(g.at, due.Due)
			g.must(due)
		}
	}
}

// judge holds the whole history against the promise.
func (g *reporter) judge(seen map[leyline.ReportClosure]int) {
	g.t.Helper()
	inForce, opened, filed := g.told()
	ids := map[leyline.CommandID]bool{}
	for _, c := range inForce {
		o, ok := opened[c]
		if !ok {
			g.t.Fatalf("history %d: command %s was put in force and is not observed", g.seed, c)
		}
		if ids[o.Report] {
			g.t.Fatalf("history %d: the id %s repeats", g.seed, o.Report)
		}
		ids[o.Report] = true
		r := filed[o.Report]
		if len(r) != 1 || r[0].Command != c {
			g.t.Fatalf("history %d: command %s has %d reports", g.seed, c, len(r))
		}
		seen[r[0].Closure]++
	}
	if len(opened) != len(inForce) || len(filed) != len(inForce) {
		g.t.Fatalf("history %d: %d commands were in force, %d are observed, %d are reported", g.seed, len(inForce), len(opened), len(filed))
	}
	folded := &projections.State{}
	for _, r := range g.log {
		folded.ApplyRecord(r)
	}
	if projections.DigestOf(*folded) != projections.DigestOf(*g.s) {
		g.t.Fatalf("history %d: the log folds to another state than decided it", g.seed)
	}
	book := &g.s.Tamiyo.Reports
	if g.s.Plane.Config.Tamiyo.DeliversReports() && book.Published+book.Dropped != uint64(len(filed)) {
		g.t.Fatalf("history %d: of %d reports %d were delivered and %d given up", g.seed, len(filed), book.Published, book.Dropped)
	}
}

// told reads from the log which commands of Tamiyo's were put in force, in order,
// and what was opened and filed.
func (g *reporter) told() (inForce []leyline.CommandID, opened map[leyline.CommandID]leyline.FieldReportOpened, filed map[leyline.CommandID][]leyline.FieldReport) {
	mine := map[leyline.CommandID]bool{}
	opened, filed = map[leyline.CommandID]leyline.FieldReportOpened{}, map[leyline.CommandID][]leyline.FieldReport{}
	for _, r := range g.log {
		for _, e := range r.Events {
			switch x := e.(type) {
			case leyline.CommandVerified:
				mine[x.Command] = x.Issuer == leyline.IssuerTamiyo
			case leyline.CommandSettled:
				if mine[x.Command] && x.Outcome == leyline.OutcomeOK {
					inForce = append(inForce, x.Command)
				}
			case leyline.FieldReportOpened:
				opened[x.Command] = x
			case leyline.FieldReportFiled:
				filed[x.Report.Report] = append(filed[x.Report.Report], x.Report)
			}
		}
	}
	return inForce, opened, filed
}
