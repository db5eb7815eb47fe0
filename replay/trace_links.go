package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// causes follows the web back from the explained record.
func (t *tracer) causes() error {
	var found []Link
	events := map[leyline.Seq]uint16{} // of each cause, the event that is it
	for queue := []leyline.Seq{t.out.Seq}; len(queue) > 0; queue = queue[1:] {
		for _, ref := range t.web.refs[queue[0]] {
			if _, known := events[ref.id.Seq]; known {
				continue
			}
			if len(found) == MaxLinks {
				t.out.MoreCauses = true
				break
			}
			events[ref.id.Seq] = ref.id.Index
			found = append(found, Link{Seq: ref.id.Seq, Of: queue[0], How: ref.back})
			queue = append(queue, ref.id.Seq)
		}
	}
	slices.SortFunc(found, func(a, b Link) int { return cmp.Compare(b.Seq, a.Seq) })
	for i := range found {
		if err := t.read(&found[i], events[found[i].Seq]); err != nil {
			return err
		}
	}
	t.out.Causes = found
	return nil
}

// read completes a link from its record. A bundle does not hold what came
// before it.
func (t *tracer) read(l *Link, index uint16) error {
	for e, err := range t.src.All(l.Seq) {
		if err != nil {
			return fmt.Errorf("cannot read record %d, which led to record %d: %w", l.Seq, l.Of, err)
		}
		if e.Seq != l.Seq {
			break
		}
		r, err := whole(e)
		if err != nil {
			return err
		}
		l.At, l.Kind, l.Words = r.At, r.Input.InputKind(), tell(r, int(index))
		return nil
	}
	l.Words = "the record is not at hand"
	return nil
}

// effects follows the web on from the explained record.
func (t *tracer) effects(ctx context.Context) error {
	chain := map[leyline.Seq]bool{t.out.Seq: true}
	left := Horizon
	for e, err := range t.src.All(t.out.Seq + 1) {
		if err != nil {
			return fmt.Errorf("cannot look for what record %d set in motion, after record %d: %w", t.out.Seq, t.out.Looked, err)
		}
		if left == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped before record %d: %w", e.Seq, err)
		}
		left--
		r, err := whole(e)
		if err != nil {
			return err
		}
		t.web.add(r)
		if l, ok := follows(r, t.web.refs[r.Seq], chain); ok {
			if len(t.out.Effects) == MaxLinks {
				t.out.MoreEffects = true
				return nil
			}
			chain[r.Seq] = true
			t.out.Effects = append(t.out.Effects, l)
		}
		t.out.Looked = e.Seq
	}
	return nil
}

// follows links r to the first of its causes that belongs to the chain.
func follows(r leyline.Record, refs []ref, chain map[leyline.Seq]bool) (Link, bool) {
	for _, ref := range refs {
		if chain[ref.id.Seq] {
			return Link{
				Seq: r.Seq, At: r.At, Kind: r.Input.InputKind(), Of: ref.id.Seq, How: ref.forth, Words: tell(r, ref.by),
			}, true
		}
	}
	return Link{}, false
}

// tell says one event of a record, or the one that answers its input.
func tell(r leyline.Record, index int) string {
	if index < 0 {
		index = slices.IndexFunc(r.Events, answers)
	}
	if index < 0 || index >= len(r.Events) {
		return inWords(r.Input)
	}
	return eventWords(r.Events[index])
}

// answers reports whether an event is the answer to what was asked.
func answers(e leyline.Event) bool {
	switch e.(type) {
	case leyline.CommandVerified, leyline.CommandRejected, leyline.CommandProposed, leyline.ActionNone, leyline.DependencyViolated:
		return true
	}
	return false
}
