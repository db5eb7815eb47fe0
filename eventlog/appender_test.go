package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

// TestAppenderNumbersWhatManyProducersBring checks that every producer is told
// the number under which its record is, that groups form, and that a
// checkpoint's record takes nobody's number.
func TestAppenderNumbersWhatManyProducersBring(t *testing.T) {
	const producers, each = 16, 50
	l := createSigned(t, t.TempDir(), eventlog.Options{SegmentSize: 4000, Checkpoints: eventlog.Checkpoints{Records: 20}})
	clock := int64(1 << 40)
	a := eventlog.NewAppender(l, func() int64 { clock -= 5; return clock }) // a clock that runs back
	got := make([]map[uint64]string, producers)
	var wg sync.WaitGroup
	for p := range producers {
		got[p] = map[uint64]string{}
		wg.Go(func() {
			for i := range each {
				text := fmt.Sprintf("producer %d record %d", p, i)
				seq, err := a.Append(t.Context(), []byte(text))
				if err != nil {
					t.Error(err)
					return
				}
				got[p][seq] = text
			}
		})
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	total, grouped, notes := 0, 0, 0
	for e, err := range l.All(2) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Lag > 1 {
			grouped++
		}
		if e.Kind == eventlog.KindCheckpoint {
			notes++
			continue
		}
		found := 0
		for p := range producers {
			if text, ok := got[p][e.Seq]; ok && text == string(e.Payload) {
				found++
			}
		}
		if found != 1 {
			t.Fatalf("record %d, %q, was acknowledged to %d producers", e.Seq, e.Payload, found)
		}
		total++
	}
	if total != producers*each || grouped == 0 || notes == 0 {
		t.Errorf("%d records, %d in groups, %d checkpoints", total, grouped, notes)
	}
}

func TestAppenderPassesErrorsOn(t *testing.T) {
	l := create(t, t.TempDir(), small)
	a := eventlog.NewAppender(l, func() int64 { return 1 << 40 })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Append(ended, []byte("x")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	cause := errors.New("the disk is on fire")
	l.FailNextWrite(cause)
	if seq, err := a.Append(t.Context(), []byte("x")); !errors.Is(err, cause) || seq != 0 {
		t.Errorf("got record %d, error %v", seq, err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.Append(t.Context(), []byte("x")); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
