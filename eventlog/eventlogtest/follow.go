package eventlogtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
)

// follower reads in a goroutine and tells what it saw when asked.
type follower struct {
	seen []uint64
	err  error
	done bool
}

// follow must be called in a synctest bubble; synctest.Wait then means that the
// follower has seen all there is.
func follow(ctx context.Context, l Log, from uint64) *follower {
	f := new(follower)
	go func() {
		for e, err := range l.Follow(ctx, from) {
			if err != nil {
				f.err = err
				continue
			}
			f.seen = append(f.seen, e.Seq)
		}
		f.done = true
	}()
	return f
}

func (f *follower) want(t *testing.T, from, last uint64) {
	t.Helper()
	synctest.Wait()
	var want []uint64
	for seq := from; seq <= last; seq++ {
		want = append(want, seq)
	}
	if diff := cmp.Diff(want, f.seen); diff != "" {
		t.Fatalf("followed records (-want +got):\n%s", diff)
	}
}

func testFollow(t *testing.T, open func(*testing.T) Log, _ Hooks) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		mustAppend(t, l, 3)
		first, late, future := follow(ctx, l, 0), follow(ctx, l, 4), follow(ctx, l, 20)
		for last := uint64(4); last < 64; last += 4 {
			first.want(t, 1, last)
			late.want(t, 4, last)
			future.want(t, 20, last)
			mustAppend(t, l, 4)
		}
		cancel()
		synctest.Wait()
	})
}

func testFollowCancel(t *testing.T, open func(*testing.T) Log, _ Hooks) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := follow(ctx, l, 1)
		waiting.want(t, 1, 1)
		cancel()
		synctest.Wait()
		if !waiting.done || !errors.Is(waiting.err, context.Canceled) {
			t.Errorf("after cancel: done=%v err=%v", waiting.done, waiting.err)
		}
		mustAppend(t, l, 1)
		waiting.want(t, 1, 1)
		if err := lastError(l.Follow(ctx, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("Follow with an ended context: %v", err)
		}
	})
}

func testFollowClose(t *testing.T, open func(*testing.T) Log, _ Hooks) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		f := follow(t.Context(), l, 1)
		f.want(t, 1, 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !f.done || !errors.Is(f.err, eventlog.ErrClosed) {
			t.Errorf("after Close: done=%v err=%v", f.done, f.err)
		}
	})
}
