package projections

import "github.com/esper-plane/esper/leyline"

// Timers are not stored: every deadline is a field of some state, so timers are
// armed from state alone, after a restart as well.

// NextTimer returns the earliest deadline in the state; false when there is
// none. Among equal deadlines the first in the order broadcast, rollback,
// silence, rates, rebuild, command, report, prefetch, embargo is returned.
func (s *State) NextTimer() (leyline.TimerFired, bool) {
	var best leyline.TimerFired
	consider := func(t leyline.TimerFired) {
		if t.Due != 0 && (best.Due == 0 || t.Due < best.Due) {
			best = t
		}
	}
	s.Tolaria.timers(consider)
	s.Kasmina.pendingTimers(consider)
	s.Tamiyo.Reports.timers(consider)
	for i := range s.Kasmina.Runs {
		r := &s.Kasmina.Runs[i]
		if t := s.Tolaria.Run(r.Run); t == nil || t.Status != leyline.RunStatusOpen {
			continue
		}
		for j := range r.Seeds {
			r.Seeds[j].timers(r.Run, consider)
		}
	}
	return best, best.Due != 0
}

func (t *Tolaria) timers(consider func(leyline.TimerFired)) {
	for i := range t.Runs {
		r := &t.Runs[i]
		if r.Broadcast.Queued { // also of a run that was halted
			consider(leyline.TimerFired{Timer: leyline.TimerBroadcast, Run: r.ID, Subject: string(r.ID), Due: r.Broadcast.Due})
		}
		if r.Status != leyline.RunStatusOpen {
			continue
		}
		if r.Rollback.Active() {
			consider(leyline.TimerFired{
				Timer: leyline.TimerRollback, Run: r.ID, Subject: string(r.Rollback.ID), Due: r.Rollback.PhaseBy,
			})
		}
		consider(leyline.TimerFired{Timer: leyline.TimerSilence, Run: r.ID, Subject: string(r.ID), Due: r.QuietBy})
		if id := r.Rates.Order; !id.IsZero() {
			consider(leyline.TimerFired{Timer: leyline.TimerRates, Run: r.ID, Subject: id.String(), Due: r.Rates.Due})
		}
		if id := r.Rebuild.Order; !id.IsZero() {
			consider(leyline.TimerFired{Timer: leyline.TimerRebuild, Run: r.ID, Subject: id.String(), Due: r.Rebuild.Due})
		}
	}
}

// pendingTimers leaves out commands whose fate is unknown: they expire when
// their run is resumed.
func (k *Kasmina) pendingTimers(consider func(leyline.TimerFired)) {
	for i := range k.Pending {
		if p := &k.Pending[i]; !p.Unknown {
			consider(leyline.TimerFired{
				Timer: leyline.TimerCommand, Run: p.Run, Subject: string(p.Command), Due: p.Deadline,
			})
		}
	}
}

func (s *Seed) timers(run leyline.RunID, consider func(leyline.TimerFired)) {
	if !s.Kernel.Request.IsZero() {
		consider(leyline.TimerFired{
			Timer: leyline.TimerPrefetch, Run: run, Subject: string(s.ID), Due: s.Kernel.Deadline,
		})
	}
	if s.Stage == leyline.StageEmbargoed {
		consider(leyline.TimerFired{Timer: leyline.TimerEmbargo, Run: run, Subject: string(s.ID), Due: s.Until})
	}
}
