package eventlog_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

var (
	killRounds = flag.Int("kill.rounds", 50, "how often TestKilledWriter kills a writer")
	killSeed   = flag.Uint64("kill.seed", 1, "seed of the moments at which TestKilledWriter kills")
)

// TestKilledWriter kills a writing process at arbitrary moments, again and
// again on the same log, and looks for every record that it acknowledged.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	if err := createSigned(t, dir, eventlog.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	rounds := *killRounds
	if testing.Short() {
		rounds = min(rounds, 5)
	}
	begin, moment := time.Now(), rand.New(rand.NewPCG(*killSeed, 0))
	k := killed{t: t, dir: dir, last: 1, acked: map[uint64]string{}}
	for round := range rounds {
		acked := startWriter(t, dir, round).killAfter(moment)
		for seq, payload := range acked {
			k.acked[seq] = payload
		}
		k.total += len(acked)
		k.check(round)
	}
	k.checkAll()
	t.Logf("%d rounds, %d of %d records acknowledged, %d checkpoints, %v a round", rounds, k.total, k.last, k.notes, time.Since(begin)/time.Duration(rounds))
}

// killed is a log whose writers are killed.
type killed struct {
	t     *testing.T
	dir   string
	last  uint64            // record up to which it was checked
	acked map[uint64]string // payloads of later ones that were acknowledged
	total int
	notes int
}

// check reads the records that came since the last call.
func (k *killed) check(round int) {
	k.t.Helper()
	r, err := eventlog.OpenReader(k.dir)
	if err != nil {
		k.t.Fatalf("round %d: %v", round, err)
	}
	defer r.Close()
	if report := r.Report(); report.Lost > 0 || report.LastSeq < k.last {
		k.t.Fatalf("round %d: report %+v after record %d", round, report, k.last)
	}
	for e, err := range r.All(k.last + 1) {
		if err != nil {
			k.t.Fatalf("round %d: %v", round, err)
		}
		payload, ok := k.acked[e.Seq]
		if ok && payload != strings.TrimRight(string(e.Payload), " ") {
			k.t.Fatalf("round %d: record %d is %q, %q was acknowledged", round, e.Seq, e.Payload, payload)
		}
		if e.Kind == eventlog.KindCheckpoint {
			k.notes++
		}
		delete(k.acked, e.Seq)
		k.last = e.Seq
	}
	if len(k.acked) > 0 {
		k.t.Fatalf("round %d: acknowledged records are missing behind %d: %v", round, k.last, k.acked)
	}
}

// checkAll reads everything, and opens the log.
func (k *killed) checkAll() {
	k.t.Helper()
	if v := verify(k.t, k.dir, eventlog.VerifyOptions{}); !v.Whole() || v.Last < k.last {
		k.t.Errorf("Verify: %d records, %v", v.Last, v.Findings)
	}
	if _, err := os.Stat(filepath.Join(k.dir, "checkpoint")); err == nil { // else none was due
		checkNotes(k.t, k.dir)
	}
	if got := open(k.t, k.dir, eventlog.Options{CheckAll: true}); got.damage != nil || uint64(len(got.records)) < k.last {
		k.t.Errorf("%d records, want %d, %v", len(got.records), k.last, got.damage)
	}
}

// writer is a process that writes to a log.
type writer struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *bufio.Reader
	text  strings.Builder // what it said on its error output
	other strings.Builder // what it said beside acknowledgements
}

func startWriter(t *testing.T, dir string, round int, env ...string) *writer {
	t.Helper()
	w := &writer{t: t, cmd: exec.Command(os.Args[0], "-test.run=^TestChildWriter$")}
	w.cmd.Env = append(os.Environ(), "EVENTLOG_CHILD_DIR="+dir, "EVENTLOG_CHILD_ROUND="+strconv.Itoa(round))
	w.cmd.Env = append(w.cmd.Env, env...)
	w.cmd.Stderr = &w.text
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// killAfter kills the process some time after its first acknowledgement, or some
// time after its start, and returns what it acknowledged.
func (w *writer) killAfter(moment *rand.Rand) (acked map[uint64]string) {
	w.t.Helper()
	acked = w.endAfter(moment, func() { w.cmd.Process.Kill() })
	if !w.cmd.ProcessState.Sys().(interface{ Signaled() bool }).Signaled() {
		w.t.Fatalf("the writer ended by itself: %v\n%s", w.cmd.ProcessState, w.said())
	}
	return acked
}

// endAfter calls end at some moment, and returns what the process has
// acknowledged when it has ended.
func (w *writer) endAfter(moment *rand.Rand, end func()) (acked map[uint64]string) {
	w.t.Helper()
	delay := time.Duration(moment.IntN(25_000)) * time.Microsecond
	var ending sync.WaitGroup
	defer ending.Wait()
	early := moment.IntN(4) == 0
	later := func() { ending.Go(func() { time.Sleep(delay); end() }) }
	if early {
		later()
	}
	acked = make(map[uint64]string)
	for {
		line, err := w.out.ReadString('\n')
		if err == io.EOF {
			break // half a line was not said
		}
		if err != nil {
			w.t.Fatal(err)
		}
		number, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			w.other.WriteString(line)
			continue
		}
		if len(acked) == 0 && !early {
			later()
		}
		acked[seq] = payload
	}
	w.cmd.Wait() // an error says how it ended, which the caller looks at
	return acked
}

// said returns what the process said beside acknowledgements.
func (w *writer) said() string { return w.other.String() + w.text.String() }

// TestChildWriter is the process that TestKilledWriter and TestPowerCut kill.
// Several producers append and say what was acknowledged. Every second writer
// begins many segments.
func TestChildWriter(t *testing.T) {
	dir, round := os.Getenv("EVENTLOG_CHILD_DIR"), 0
	if dir == "" {
		t.Skip("this is the other process of TestKilledWriter")
	}
	fmt.Sscan(os.Getenv("EVENTLOG_CHILD_ROUND"), &round)
	opts := eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: logKey, Records: 40}}
	if round%2 == 1 {
		opts.SegmentSize = 4000
	}
	l, err := eventlog.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	a := eventlog.NewAppender(l, func() int64 { return eventlogtest.Start })
	producers, pad := 5, 0
	if os.Getenv("EVENTLOG_CHILD_LOAD") == "large" {
		producers, pad = 64, 20_000
	}
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for n := 0; ; n++ {
				text := fmt.Sprintf("round %d producer %d record %d", round, p, n)
				seq, err := a.Append(context.Background(), []byte(text+strings.Repeat(" ", pad+n%200)))
				if err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				fmt.Println(seq, text)
			}
		})
	}
	all.Wait()
}
