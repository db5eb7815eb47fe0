package kernelcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/subsystems/kernelcache"
)

type (
	cache = kernelcache.Cache[int]
	lease = kernelcache.Lease[int]
)

func key(name string, size int) kernelcache.Key {
	return kernelcache.Key{Name: name, Digest: [32]byte{1}, Bytes: uint64(size)}
}

// content is what lies in the store under a key.
func content(k kernelcache.Key) []byte { return bytes.Repeat([]byte(k.Name[:1]), int(k.Bytes)) }

func load(_ context.Context, k kernelcache.Key) ([]byte, int, error) {
	return content(k), int(k.Bytes), nil
}

func get(t *testing.T, c *cache, k kernelcache.Key, want kernelcache.Origin) *lease {
	t.Helper()
	l, err := c.Get(t.Context(), k, load)
	if err != nil {
		t.Fatalf("%s: %v", k.Name, err)
	}
	if l.Origin != want || !bytes.Equal(l.Bytes, content(k)) || l.Facts != int(k.Bytes) {
		t.Fatalf("%s: origin %d, want %d, %d bytes, facts %d", k.Name, l.Origin, want, len(l.Bytes), l.Facts)
	}
	return l
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	c := kernelcache.New[int](10, 0, nil)
	for _, name := range []string{"a", "b"} {
		get(t, c, key(name, 4), kernelcache.Read).Release()
	}
	get(t, c, key("a", 4), kernelcache.Found).Release()
	get(t, c, key("c", 4), kernelcache.Read).Release() // b goes
	get(t, c, key("a", 4), kernelcache.Found).Release()
	get(t, c, key("b", 4), kernelcache.Read).Release() // c goes
	want := kernelcache.Stats{Kernels: 2, Bytes: 8, Max: 10, Found: 2, Read: 4, Evicted: 2}
	if d := cmp.Diff(want, c.Stats()); d != "" {
		t.Error(d)
	}
	if got := c.Stats().Served(); got != 1.0/3 {
		t.Errorf("served %v", got)
	}
}

func TestAgeIsCountedFromTheRead(t *testing.T) {
	now := time.Unix(0, 0)
	c := kernelcache.New[int](10, time.Minute, func() time.Time { return now })
	get(t, c, key("a", 1), kernelcache.Read).Release()
	now = now.Add(time.Minute - 1)
	get(t, c, key("a", 1), kernelcache.Found).Release() // does not make it younger
	now = now.Add(1)
	held := get(t, c, key("a", 1), kernelcache.Read)
	now = now.Add(time.Minute)
	if s := c.Stats(); s.Kernels != 0 || s.Bytes != 1 || s.Expired != 2 {
		t.Errorf("what is held and too old: %+v", s)
	}
	get(t, c, key("a", 1), kernelcache.Read).Release() // beside the one that is held
	held.Release()
	held.Release()
	if s := c.Stats(); s.Bytes != 1 || s.Held != 0 {
		t.Errorf("%+v", s)
	}
	c.Configure(10, 0)
	now = now.Add(time.Hour)
	get(t, c, key("a", 1), kernelcache.Found).Release()
}

// TestWhatIsHeldStays: the room of a kernel that is being read is nobody else's, and
// who needs it waits until it is free.
func TestWhatIsHeldStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kernelcache.New[int](4, 0, nil)
		held := get(t, c, key("a", 3), kernelcache.Read)
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("no room in time"))
		defer cancel()
		if _, err := c.Get(impatient, key("b", 2), load); err == nil || err.Error() != "no room in time" {
			t.Errorf("%v", err)
		}
		got := make(chan *lease)
		go func() {
			l, err := c.Get(t.Context(), key("b", 2), load)
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		time.Sleep(3 * time.Second)
		held.Release()
		if l := <-got; l.Waited != 3*time.Second || l.Origin != kernelcache.Read {
			t.Errorf("waited %v, origin %d", l.Waited, l.Origin)
		}
	})
}

func TestTooLargeIsAnError(t *testing.T) {
	c := kernelcache.New[int](4, 0, nil)
	if _, err := c.Get(t.Context(), key("a", 5), load); !errors.Is(err, kernelcache.ErrRoom) {
		t.Errorf("%v", err)
	}
	short := func(context.Context, kernelcache.Key) ([]byte, int, error) { return nil, 0, nil }
	if _, err := c.Get(t.Context(), key("a", 4), short); !errors.Is(err, kernelcache.ErrSize) {
		t.Errorf("%v", err)
	}
	if s := c.Stats(); s.Bytes != 0 || s.Failed != 1 || s.Kernels != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOneReadForAll: everyone who asks while a kernel is read gets that very read.
func TestOneReadForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kernelcache.New[int](100, 0, nil)
		reads := 0
		slow := func(ctx context.Context, k kernelcache.Key) ([]byte, int, error) {
			reads++
			time.Sleep(time.Second)
			return load(ctx, k)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		origins := map[kernelcache.Origin]int{}
		for range 6 {
			all.Go(func() {
				l, err := c.Get(t.Context(), key("a", 10), slow)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				origins[l.Origin]++
				if l.Origin == kernelcache.Joined && l.Waited != time.Second {
					t.Errorf("waited %v", l.Waited)
				}
				mu.Unlock()
				l.Release()
			})
		}
		all.Wait()
		if reads != 1 || origins[kernelcache.Read] != 1 || origins[kernelcache.Joined] != 5 {
			t.Errorf("%d reads, %v", reads, origins)
		}
	})
}

// TestOneFailsOneGoesOn: a read that fails has failed for all who wait for it; one
// that is cancelled, or that panics, is begun anew by the next one.
func TestOneFailsOneGoesOn(t *testing.T) {
	boom := errors.New("disk on fire")
	for _, c := range []struct {
		name   string
		first  func(ctx context.Context) error
		second error
	}{
		{"fails", func(context.Context) error { return boom }, boom},
		{"is cancelled", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil},
		{"panics", func(context.Context) error { panic("loader") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := kernelcache.New[int](100, 0, nil)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					defer func() { _ = recover() }()
					_, err := x.Get(ctx, key("a", 1), func(ctx context.Context, _ kernelcache.Key) ([]byte, int, error) {
						time.Sleep(time.Second)
						return nil, 0, c.first(ctx)
					})
					if err == nil {
						t.Error("the first one was served")
					}
				}()
				synctest.Wait()
				time.AfterFunc(1500*time.Millisecond, cancel)
				l, err := x.Get(t.Context(), key("a", 1), load)
				time.Sleep(time.Second)
				if !errors.Is(err, c.second) || (l == nil) != (c.second != nil) {
					t.Errorf("the second one gets %v, %v", l, err)
				}
				synctest.Wait()
			})
		})
	}
}

func TestClearSparesWhatIsHeld(t *testing.T) {
	c := kernelcache.New[int](100, 0, nil)
	get(t, c, key("a", 1), kernelcache.Read).Release()
	held := get(t, c, key("b", 2), kernelcache.Read)
	if d := cmp.Diff(kernelcache.Cleared{Kernels: 1, Bytes: 1, Kept: 1}, c.Clear()); d != "" {
		t.Error(d)
	}
	get(t, c, key("b", 2), kernelcache.Found).Release()
	held.Release()
	if got := c.Clear(); got.Kernels != 1 || got.Kept != 0 || c.Stats().Bytes != 0 {
		t.Errorf("%+v, %+v", got, c.Stats())
	}
}

func TestNamedIsTheNewest(t *testing.T) {
	now := time.Unix(0, 0)
	c := kernelcache.New[int](100, 0, func() time.Time { return now })
	if _, ok := c.Named("a"); ok {
		t.Error("an empty cache has a kernel")
	}
	get(t, c, key("a", 1), kernelcache.Read).Release()
	now = now.Add(1)
	newer := key("a", 2)
	newer.Digest[0] = 2
	get(t, c, newer, kernelcache.Read).Release()
	get(t, c, key("a", 1), kernelcache.Found).Release()
	if l, ok := c.Named("a"); !ok || len(l.Bytes) != 2 {
		t.Errorf("%v", l)
	}
}

// TestConcurrentUse is for the race detector, and for the books at the end.
func TestConcurrentUse(t *testing.T) {
	c := kernelcache.New[int](20, time.Millisecond, nil)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 300 {
				size := 1 + (g*7+i)%9
				l, err := c.Get(t.Context(), key(fmt.Sprint((g+i)%5), size), load)
				if err != nil {
					t.Error(err)
					return
				}
				if s := c.Stats(); s.Bytes > s.Max {
					t.Errorf("%d of %d bytes", s.Bytes, s.Max)
				}
				l.Release()
				if i%50 == 0 {
					c.Clear()
				}
			}
		})
	}
	all.Wait()
	c.Clear()
	s := c.Stats()
	if s.Bytes != 0 || s.Held != 0 || s.Kernels != 0 || s.Found+s.Joined+s.Read != 8*300 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkFound(b *testing.B) {
	c := kernelcache.New[int](1<<20, time.Hour, nil)
	k := key("a", 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		l, err := c.Get(b.Context(), k, load)
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
}
