package eventlog_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

// TestKilledWriter kills a writing process at arbitrary moments, again and
// again on the same log, and looks for every record that it acknowledged.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	if err := create(t, dir, small).Close(); err != nil {
		t.Fatal(err)
	}
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		acked := killWriter(t, dir, time.Duration(round*7%20)*time.Millisecond)
		got := openReader(t, dir)
		n := len(got.records)
		if got.damage != nil || n < acked || !sameRecords(got.records, history(n)) {
			t.Fatalf("round %d: %d records after %d were acknowledged, report %+v, %v", round, n, acked, got.report, got.damage)
		}
	}
	if got := open(t, dir, small); got.damage != nil || got.report.Clean {
		t.Errorf("report %+v, %v", got.report, got.damage)
	}
}

// killWriter lets a child write until some time after its first
// acknowledgement, and returns the last one.
func killWriter(t *testing.T, dir string, after time.Duration) (acked int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildWriter$")
	cmd.Env = append(os.Environ(), "EVENTLOG_CHILD_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil {
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		if acked, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
	}
	cmd.Wait() // it was killed, so it has no exit status of its own
	if timer == nil {
		t.Fatal("the child wrote nothing")
	}
	return acked
}

// TestChildWriter is the process that TestKilledWriter kills.
func TestChildWriter(t *testing.T) {
	dir := os.Getenv("EVENTLOG_CHILD_DIR")
	if dir == "" {
		t.Skip("this is the other process of TestKilledWriter")
	}
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n = n%9 + 1 {
		if err := l.Append(t.Context(), l.Next(), eventlogtest.Group(l.Next(), n)); err != nil {
			t.Fatal(err)
		}
		fmt.Println(l.Next() - 1)
	}
}
