package signal_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
)

// envRole makes a process of this test binary another one: "ROLE FILE N".
const envRole = "ESPERTEST_SIGNAL"

func TestMain(m *testing.M) {
	role := strings.Fields(os.Getenv(envRole))
	if len(role) == 0 {
		os.Exit(m.Run())
	}
	if err := map[string]func(path, n string) error{"write": hammerWriter, "read": hammerReader}[role[0]](role[1], role[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The two publications of the hammer. Every level has its reason, both of which
// fill the page; the last one has another.
var (
	reasonOf = map[leyline.EmergencyLevel]string{
		leyline.EmergencyElevated: strings.Repeat("a", signal.MaxReason),
		leyline.EmergencyHalt:     strings.Repeat("é", signal.MaxReason/2),
	}
	hammered = [2]leyline.EmergencyLevel{leyline.EmergencyElevated, leyline.EmergencyHalt}
)

// enough is how often a reader has to have seen each.
const enough = 100

// hammerWriter alternates the two at least n times, and until stdin ends. Half of
// the publications follow each other at once; before the others it pauses for up
// to some ten microseconds, or a slow reader would never find the page at rest.
func hammerWriter(path, n string) error {
	least, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	w, err := signal.OpenWriter(path)
	if err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	random := rand.New(rand.NewPCG(1, 2))
	count := 0
	for ; (count < least || !stop.Load()) && err == nil; count++ {
		level := hammered[count%2]
		err = w.Set(level, reasonOf[level])
		for range random.IntN(2) * random.IntN(100) {
			if _, err := signal.Now(); err != nil { // takes a while
				return err
			}
		}
	}
	fmt.Println(count)
	return errors.Join(err, w.Set(leyline.EmergencyConservative, "done"), w.Close())
}

// hammerReader checks that it sees one of the two, and in order, until the end.
func hammerReader(path, _ string) error {
	r, err := signal.Open(path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	seen := map[leyline.EmergencyLevel]int{}
	half, told, last := 0, false, time.Duration(0)
	for {
		s, err := r.Load()
		if errors.Is(err, signal.ErrHalfWritten) {
			half++
			continue
		}
		reason, known := reasonOf[s.Level]
		switch {
		case err != nil:
			return err
		case s.At < last:
			return fmt.Errorf("published at %v after %v", s.At, last)
		case s.Level == leyline.EmergencyConservative:
			fmt.Println(seen[leyline.EmergencyElevated], seen[leyline.EmergencyHalt], half)
			return r.Close()
		case s.Level != leyline.EmergencyUnspecified && (!known || !s.Flag || s.Reason != reason):
			return fmt.Errorf("a mixture: %+v", s)
		}
		seen[s.Level]++
		last = s.At
		if !told && min(seen[leyline.EmergencyElevated], seen[leyline.EmergencyHalt]) >= enough {
			told = true
			fmt.Println("enough")
		}
	}
}

// self is this test binary in another role.
func self(t *testing.T, role, path string, n int) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), binary)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", envRole, role, path, n))
	return c
}

// TestNoMixtureInGo and TestNoMixtureInPython let a process publish as fast as it
// can while another one reads, and look for a level with the reason of the other.
func TestNoMixtureInGo(t *testing.T) {
	hammer(t, func(path string) *exec.Cmd { return self(t, "read", path, 0) })
}

func TestNoMixtureInPython(t *testing.T) {
	hammer(t, func(path string) *exec.Cmd { return python(t, "testdata/reader.py", "hammer", path) })
}

// hammer ends when there were enough publications and the reader has seen enough
// of them, however slow the machine is.
func hammer(t *testing.T, reader func(path string) *exec.Cmd) {
	publications := 200_000
	if testing.Short() {
		publications = 10_000
	}
	w, _, path := pair(t)
	check(t, w.Close()) // the other process is the writer
	r := reader(path)
	_, said := talk(t, r)
	if line := hear(t, r, said); line != "ready" {
		t.Fatalf("the reader says %q", line)
	}
	writes := self(t, "write", path, publications)
	stop, counted := talk(t, writes)
	if line := hear(t, r, said); line != "enough" {
		t.Fatalf("the reader says %q", line)
	}
	check(t, stop.Close())
	count := hear(t, writes, counted)
	check(t, writes.Wait())
	t.Logf("%s publications; seen of the one, of the other, half-written: %s", count, hear(t, r, said))
	check(t, r.Wait())
}
