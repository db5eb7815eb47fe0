package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

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
	// That record may be under way still. The next one comes after it.
	if _, err := a.Append(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
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

// TestAppenderOutlivesARefusedRecord sends a record that no log may hold while a
// checkpoint waits for its number.
func TestAppenderOutlivesARefusedRecord(t *testing.T) {
	l := createSigned(t, t.TempDir(), eventlog.Options{Checkpoints: eventlog.Checkpoints{Records: 1}})
	a := eventlog.NewAppender(l, func() int64 { return 1 << 40 })
	for i := range 30 {
		if _, err := a.Append(t.Context(), []byte("x")); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if _, err := a.Append(t.Context(), make([]byte, eventlog.MaxPayload+1)); !errors.Is(err, eventlog.ErrInvalid) {
			t.Fatalf("a huge record: %v", err)
		}
	}
	if err := errors.Join(a.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestPayloadsMayChangeOnceAppendHasReturned changes a buffer as soon as its
// context has ended, while the record is being written, and opens the log again.
func TestPayloadsMayChangeOnceAppendHasReturned(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, small)
	ctx, cancel := context.WithCancel(t.Context())
	buf := []byte("what was written")
	l.BeforeSync(func() {
		cancel()
		time.Sleep(5 * time.Millisecond) // Append returns and the caller goes on
	})
	a := eventlog.NewAppender(l, func() int64 { return 1 << 40 })
	if _, err := a.Append(ctx, buf); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	copy(buf, "something else..")
	if err := errors.Join(a.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	got := open(t, dir, small)
	if got.damage != nil || len(got.records) != 2 || string(got.records[1].Payload) != "what was written" {
		t.Errorf("%v, records %v", got.damage, got.records)
	}
}
