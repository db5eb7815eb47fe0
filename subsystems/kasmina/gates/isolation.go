package gates

import "github.com/esper-plane/esper/leyline"

// Allowed adds to a verdict whether a breaker lets the attempt through.
func (v Verdict) Allowed(b leyline.BreakerID, ok bool) Verdict {
	v.must(b.String()+"_breaker", ok)
	return v
}
