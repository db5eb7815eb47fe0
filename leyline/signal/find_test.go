package signal_test

import (
	"errors"
	"os"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
)

// TestNobodyFinds: the page is there, and nobody can open it.
func TestNobodyFinds(t *testing.T) {
	w, _, path := pair(t)
	check(t, w.Set(leyline.EmergencyElevated, "x"))
	for _, size := range []int64{10, 128} {
		check(t, os.Truncate(path, size))
		if _, _, err := w.Get(); !errors.Is(err, signal.ErrFault) {
			t.Errorf("with %d bytes: %v", size, err)
		}
	}
	check(t, os.Truncate(path, signal.Size))
	_, _, err := w.Get()
	check(t, err)
	check(t, os.Remove(path))
	if _, _, err := w.Get(); !errors.Is(err, signal.ErrFault) {
		t.Errorf("removed: %v", err)
	}
}
