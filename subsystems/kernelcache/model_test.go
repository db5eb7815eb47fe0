package kernelcache_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esper-plane/esper/subsystems/kernelcache"
)

// model is the cache as it is defined, with nothing but lists.
type model struct {
	max  uint64
	ttl  time.Duration
	now  time.Time
	kept []kept // the one used last at the end
	held []held
}

type kept struct {
	key  kernelcache.Key
	read time.Time
}

type held struct {
	kept
	*lease
}

// used is what counts: what is kept, and what is held of what is not.
func (m *model) used() uint64 {
	var n uint64
	counted := slices.Clone(m.kept)
	for _, h := range m.held {
		if !slices.Contains(counted, h.kept) {
			counted = append(counted, h.kept)
		}
	}
	for _, k := range counted {
		n += k.key.Bytes
	}
	return n
}

func (m *model) expire() {
	m.kept = slices.DeleteFunc(m.kept, func(k kept) bool { return m.ttl > 0 && !m.now.Before(k.read.Add(m.ttl)) })
}

func (m *model) isHeld(k kept) bool {
	return slices.ContainsFunc(m.held, func(h held) bool { return h.kept == k })
}

// room gives up the kernels that were used least recently and that nobody holds.
func (m *model) room(more uint64) bool {
	for i := 0; i < len(m.kept) && m.used()+more > m.max; {
		if m.isHeld(m.kept[i]) {
			i++
			continue
		}
		m.kept = slices.Delete(m.kept, i, i+1)
	}
	return m.used()+more <= m.max
}

func (m *model) find(k kernelcache.Key) int {
	return slices.IndexFunc(m.kept, func(x kept) bool { return x.key == k })
}

// get says how a lookup ends: found, read, or blocked.
func (m *model) get(k kernelcache.Key, fails bool) (origin kernelcache.Origin, err error) {
	m.expire()
	if i := m.find(k); i >= 0 {
		x := m.kept[i]
		m.kept = append(slices.Delete(m.kept, i, i+1), x)
		return kernelcache.Found, nil
	}
	switch {
	case k.Bytes > m.max:
		return 0, kernelcache.ErrRoom
	case !m.room(k.Bytes):
		return 0, context.Canceled
	case fails:
		return 0, errFails
	}
	m.kept = append(m.kept, kept{k, m.now})
	return kernelcache.Read, nil
}

var errFails = errors.New("cannot be read")

// TestModel holds the bytes, what is kept and in which order it goes against a model,
// over random histories.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{max: uint64(rapid.IntRange(1, 30).Draw(t, "max")), ttl: time.Duration(rapid.IntRange(0, 5).Draw(t, "ttl")), now: time.Unix(0, 0)}
		c := kernelcache.New[int](m.max, m.ttl, func() time.Time { return m.now })
		cancelled, cancel := context.WithCancel(context.Background())
		cancel() // who has to wait gives up at once
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				k := key(string(rune('a'+rapid.IntRange(0, 4).Draw(t, "name"))), rapid.IntRange(1, 12).Draw(t, "bytes"))
				fails := rapid.IntRange(0, 9).Draw(t, "luck") == 0
				want, wantErr := m.get(k, fails)
				l, err := c.Get(cancelled, k, func(ctx context.Context, k kernelcache.Key) ([]byte, int, error) {
					if fails {
						return nil, 0, errFails
					}
					return load(ctx, k)
				})
				if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
					t.Fatalf("%v: %v, want %v", k, err, wantErr)
				}
				if err != nil {
					return
				}
				if l.Origin != want || uint64(len(l.Bytes)) != k.Bytes {
					t.Fatalf("%v: origin %d, want %d", k, l.Origin, want)
				}
				m.held = append(m.held, held{m.kept[len(m.kept)-1], l})
			},
			"release": func(t *rapid.T) {
				if len(m.held) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(m.held)-1).Draw(t, "which")
				m.held[i].Release()
				m.held = slices.Delete(m.held, i, i+1)
				if m.used() > m.max {
					m.room(0)
				}
			},
			"time": func(t *rapid.T) { m.now = m.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "passes"))) },
			"clear": func(*rapid.T) {
				m.kept = slices.DeleteFunc(m.kept, func(k kept) bool { return !m.isHeld(k) })
				c.Clear()
			},
			"configure": func(t *rapid.T) {
				m.max = uint64(rapid.IntRange(1, 30).Draw(t, "max"))
				m.ttl = time.Duration(rapid.IntRange(0, 5).Draw(t, "ttl"))
				c.Configure(m.max, m.ttl)
				m.room(0)
			},
			"": func(t *rapid.T) {
				m.expire()
				s := c.Stats()
				if s.Bytes != m.used() || s.Kernels != len(m.kept) || s.Held != len(m.held) {
					t.Fatalf("%+v, want %d bytes, %d kernels, %d held", s, m.used(), len(m.kept), len(m.held))
				}
			},
		})
	})
}
