package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
)

// warned returns the warnings of one check.
func warned(t *testing.T, look func(r *supervise.Report)) string {
	t.Helper()
	ws, err := supervise.Preflight(t.Context(), supervise.Check{Name: "x", Look: func(_ context.Context, r *supervise.Report) { look(r) }})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, w := range ws {
		out = append(out, w.String())
	}
	return strings.Join(out, "\n")
}

// TestClockWarning: only a wall clock that is further behind the log than commands
// may be is worth a warning.
func TestClockWarning(t *testing.T) {
	j := &served{config: leyline.DefaultConfig()}
	last, skew := time.Unix(1_700_000_000, 0), leyline.DefaultConfig().Kasmina.Skew.Duration()
	for _, c := range []struct {
		last time.Time
		now  time.Time
		want string
	}{
		{time.Time{}, last, ""},
		{last, last.Add(time.Hour), ""},
		{last, last.Add(-skew), ""},
		{last, last.Add(-time.Hour), "the wall clock is 1h0m0s behind the last record of the log, of 2023-11-14T22:13:20Z: commands that others sign will look stale; set the clock"},
	} {
		if got := warned(t, func(r *supervise.Report) { j.checkClock(datadir.Examination{Last: c.last}, c.now, r) }); got != c.want {
			t.Errorf("%v: %q, want %q", c.now.Sub(c.last), got, c.want)
		}
	}
}

// TestSpaceWarning: a disk that could not be asked, or is not watched, is no reason.
func TestSpaceWarning(t *testing.T) {
	j := &served{config: leyline.DefaultConfig()}
	for _, c := range []struct {
		at   datadir.Examination
		want string
	}{
		{datadir.Examination{Path: "d"}, ""},
		{datadir.Examination{Path: "d", Free: 256 << 20, Total: 1 << 40}, ""},
		{datadir.Examination{Path: "d", Free: 255 << 20, Total: 1 << 40}, "the disk of d has 255 MiB free, under log.min_free_mib = 256: a new run will be refused; make room"},
	} {
		if got := warned(t, func(r *supervise.Report) { j.checkSpace(c.at, r) }); got != c.want {
			t.Errorf("%d: %q, want %q", c.at.Free, got, c.want)
		}
	}
}

// TestExitOfPreflight: several problems have their common code, or 1; a lock wins.
func TestExitOfPreflight(t *testing.T) {
	problems := func(errs ...error) error {
		pre := &supervise.PreflightError{}
		for _, err := range errs {
			pre.Problems = append(pre.Problems, supervise.Problem{What: err.Error(), Err: err})
		}
		return fmt.Errorf("x: %w", pre)
	}
	usage, locked, keys := usagef("u"), datadir.ErrLocked, datadir.ErrKeys
	for _, c := range []struct {
		err  error
		kind string
		exit int
	}{
		{problems(usage), "usage", exitUsage},
		{problems(locked), "locked", exitLocked},
		{problems(usage, usage), "preflight", exitUsage},
		{problems(keys, keys), "preflight", exitRefused},
		{problems(usage, locked), "preflight", exitLocked},
		{problems(locked, errors.New("odd"), usage), "preflight", exitLocked},
		{problems(usage, keys, usage), "preflight", exitFailed},
		{problems(usageIfBad(server.ErrInUse)), "failed", exitFailed},
		{problems(errors.New("odd"), usage), "preflight", exitFailed},
	} {
		if got := describe(c.err); got.Kind != c.kind || got.Exit != c.exit {
			t.Errorf("%v: %s %d, want %s %d", c.err, got.Kind, got.Exit, c.kind, c.exit)
		}
	}
}

// TestTokenOpensTheDoor: beyond loopback a token is demanded, and with one in a
// private file the probes answer whoever has it.
func TestTokenOpensTheDoor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for text, want := range map[string]string{"": "is empty", "short": "it has 5 bytes", "0123456789abcdef0123456789abcdef\n": ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := webFlags{listen: []string{"0.0.0.0:0"}, tokenFile: file, tls: tlsFlags{behindProxy: true}}
		_, err := supervise.Preflight(t.Context(), supervise.Check{Name: "http", Look: func(_ context.Context, r *supervise.Report) { f.probe(t.TempDir(), r) }})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestLimitOfTheWatchdog: systemd counts in 64 bits; what is no number is a mistake.
func TestLimitOfTheWatchdog(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "20000": 20 * time.Millisecond, "4294967296": 4294967296 * time.Microsecond,
		"18446744073709551615": math.MaxInt64, "9223372036854775": 9223372036854775 * time.Microsecond,
		"18446744073709551616": -1, "20ms": -1, "-1": -1,
	} {
		got, err := watchdogLimit(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

// TestRoomForEverySubscriber: half of the connections of a listener may be streams.
func TestRoomForEverySubscriber(t *testing.T) {
	for subscribers, want := range map[uint32]int{1: server.DefaultMaxConnections, 128: 256, 129: 258, 1024: 2048} {
		if got := connections(subscribers); got != want {
			t.Errorf("%d subscribers: %d connections, want %d", subscribers, got, want)
		}
	}
}
