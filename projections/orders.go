package projections

import "github.com/esper-plane/esper/leyline"

// Barred says why an optimizer must not be made anew now, its breaker left aside: an
// order is not acknowledged yet, or the last one is fewer than least healthy steps
// ago.
func (r *Run) Barred(least uint32) leyline.RebuildReason {
	b := &r.Rebuild
	switch {
	case !b.Order.IsZero():
		return leyline.RebuildPending
	case b.Asked && r.Steps-b.Last < uint64(least):
		return leyline.RebuildTooSoon
	}
	return leyline.RebuildFine
}

// Named returns the snapshot that a ROLLBACK command names, if a later healthy step
// has proven it good, or nil.
func (r *Run) Named(c leyline.RollbackCommand) *Snapshot {
	if c.Snapshot == "" {
		return r.Good(c.Step)
	}
	if s := r.Snapshot(c.Snapshot); s != nil && s.Confirmed {
		return s
	}
	return nil
}

func (r *Run) applyOrders(e leyline.Event) {
	if x, ok := e.(leyline.RatesScaled); ok {
		r.RateScale, r.RateBy = x.Factor, x.By
	}
}
