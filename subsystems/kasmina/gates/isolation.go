package gates

// Allowed adds to a verdict whether a breaker lets the attempt through.
func (v Verdict) Allowed(breaker string, ok bool) Verdict {
	v.must(breaker, ok)
	return v
}
