package projections

import "github.com/esper-plane/esper/leyline"

// maxTold bounds the reports of a run that are known by their places in the log: all
// that a pipelined trainer may have on its way, and as many others.
const maxTold = 2 * leyline.MaxLag

// Told is a report of a trainer that was admitted, and where it is. A trainer that
// has lost an answer sends its report again, and gets the answer out of the log.
type Told struct {
	Kind        leyline.InputKind
	Incarnation leyline.Incarnation // of the report
	Key         uint64              // what the report is about; two of the same key may still differ
	Seq         leyline.Seq
}

// Tellings are the newest reports of a run, those of the trainers before a resume
// left out. List is full before it is written over.
type Tellings struct {
	List []Told
	Next uint32 // the place that is written next
}

func (t *Tellings) add(x Told) {
	if len(t.List) < maxTold {
		t.List = append(t.List, x)
		return
	}
	t.List[t.Next] = x
	t.Next = (t.Next + 1) % maxTold
}

// Find returns the record of the newest report of the same kind, incarnation and key;
// 0 when there is none.
func (t *Tellings) Find(x Told) (at leyline.Seq) {
	for i := range t.List {
		if o := &t.List[i]; o.Key == x.Key && o.Kind == x.Kind && o.Incarnation == x.Incarnation {
			at = max(at, o.Seq)
		}
	}
	return at
}

// ToldOf says what a report is about; false of an input that is no report of a
// trainer. To open a run is none: it is not repeated, but resumed.
func ToldOf(in leyline.Input) (Told, bool) {
	switch x := in.(type) {
	case leyline.StepObserved:
		return Told{Incarnation: x.Incarnation, Key: uint64(x.Step), Kind: leyline.InputStepObserved}, true
	case leyline.EpochObserved:
		return Told{Incarnation: x.Incarnation, Key: uint64(x.Epoch), Kind: leyline.InputEpochObserved}, true
	case leyline.SnapshotTaken:
		return Told{Incarnation: x.Incarnation, Key: keyed(string(x.Snapshot), uint64(x.Tier)), Kind: leyline.InputSnapshotTaken}, true
	case leyline.SeedProbed:
		return Told{Incarnation: x.Incarnation, Key: keyed(string(x.Seed), uint64(x.Step)), Kind: leyline.InputSeedProbed}, true
	case leyline.CommandAcked:
		return Told{Incarnation: x.Incarnation, Key: keyed(string(x.Command), 0), Kind: leyline.InputCommandAcked}, true
	case leyline.RollbackReported:
		return Told{Incarnation: x.Incarnation, Key: keyed(string(x.Rollback), uint64(x.Phase)<<8|uint64(x.Tier)), Kind: leyline.InputRollbackReported}, true
	case leyline.ProfileReported:
		return Told{Incarnation: x.Incarnation, Key: uint64(x.First), Kind: leyline.InputProfileReported}, true
	case leyline.CompileFallback:
		return Told{Incarnation: x.Incarnation, Key: keyed(string(x.Seed), uint64(x.Step)), Kind: leyline.InputCompileFallback}, true
	case leyline.RunClosed:
		return Told{Incarnation: x.Incarnation, Key: uint64(x.Step), Kind: leyline.InputRunClosed}, true
	}
	return Told{}, false
}

// keyed is the 64-bit FNV-1a hash of a text and a number.
func keyed(s string, n uint64) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	for range 8 {
		h = (h ^ n&0xff) * prime
		n >>= 8
	}
	return h
}

// Repeats returns the record of a report that an input may be the repetition of; 0
// when it is none. A report of an incarnation that has passed is none, but the one
// that ended it, and the steps that a pipelined trainer had on their way by then.
func (r *Run) Repeats(in leyline.Input) leyline.Seq {
	told, ok := ToldOf(in)
	if !ok {
		return 0
	}
	step := told.Kind == leyline.InputStepObserved
	switch {
	case told.Incarnation == r.Incarnation:
		if step && told.Key == uint64(r.Track.Step)+1 && !r.Rollback.Active() && r.Status == leyline.RunStatusOpen {
			return 0 // the step that comes next: nearly every report
		}
	case told.Kind == leyline.InputRollbackReported, step && r.Plan.Lag > 0:
	default:
		return 0
	}
	return r.Told.Find(told)
}

// End closes a record whose input was admitted, after its last event.
func (s *State) End(in leyline.Input) {
	if told, ok := ToldOf(in); ok {
		s.told(leyline.RunOf(in), told)
	}
	s.show()
}

func (s *State) told(run leyline.RunID, x Told) {
	r := s.Tolaria.Run(run)
	if r == nil {
		return
	}
	if x.Kind == leyline.InputRunClosed {
		r.Told = Tellings{} // nothing else is repeated
	}
	x.Seq = s.Seq
	r.Told.add(x)
}
