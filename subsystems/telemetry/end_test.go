package telemetry

import (
	"errors"
	"slices"
	"testing"
)

// TestEnd: why a hub ends is told to those who read, to one that reads the log
// and to one that comes too late, and only the first reason.
func TestEnd(t *testing.T) {
	log := &recorded{}
	h := newHub(t, HubOptions{})
	live := subscribe(t, h, Filter{})
	h.Publish(log.halt())
	back, err := h.SubscribeFrom(log, After(0), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	h.End(errors.New("no space"))
	h.End(errors.New("no reason"))
	h.Close()
	_, late := h.Subscribe(Filter{})
	for _, s := range []*Subscription{live, back} {
		got, err := waiting(t, s)
		if !slices.Equal(words(got), []string{"2"}) || !errors.Is(err, ErrClosed) || err.Error() != late.Error() {
			t.Errorf("got %q and %v", words(got), err)
		}
	}
	if late.Error() != "the stream has ended: no space" {
		t.Errorf("who comes late is told %q", late)
	}
}
