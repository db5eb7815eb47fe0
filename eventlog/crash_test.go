package eventlog_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
	"github.com/esper-plane/esper/eventlog/tree"
)

var crashSeeds = flag.Int("crash.seeds", 1, "images in each random mode, of every crash")

// sitting is one opening of a log in a script.
type sitting struct {
	create bool
	opts   eventlog.Options
	groups []int
	leave  bool // end without Close
}

// script is a scenario for faultdisk, and what its last run knows.
type script struct {
	t        testing.TB
	sittings []sitting
	signed   bool   // with checkpoints
	settle   bool   // wait for the goroutines of the log after each step
	from     uint64 // last record that the log begins with
	seeds    int    // images in each random mode, 0: as the flag says

	acked uint64          // last record that is durable for certain
	asked uint64          // last record that may exist
	own   map[uint64]bool // numbers of records that the log made itself
	shut  bool            // the last thing that happened was a Close without error
	fault error           // what came of a fault
	wrong error           // a promise that was broken during the run
}

func (s *script) options(o eventlog.Options) eventlog.Options {
	o.CheckAll = true
	if s.signed {
		o.Checkpoints = eventlog.Checkpoints{Key: logKey, Records: 5}
	}
	return o
}

// run is faultdisk.Scenario.Run.
func (s *script) run(root string, d *faultdisk.Disk) error {
	s.acked, s.asked, s.own, s.shut, s.fault, s.wrong = s.from, s.from, make(map[uint64]bool), false, nil, nil
	for _, sit := range s.sittings {
		err := s.sit(root, d, sit)
		if err == nil {
			continue
		}
		if d.Stopped() {
			return err
		}
		// The process starts again; the page cache is as it was.
		s.fault = err
		sit.create = sit.create && s.acked == 0
		sit.groups, sit.leave = []int{2, 6}, false
		if again := s.sit(root, d, sit); again != nil && s.wrong == nil {
			s.wrong = fmt.Errorf("after %w: starting again: %w", err, again)
		}
		return err
	}
	return nil
}

// clone is for a check, which appends: the run may have other images.
func (s *script) clone() *script {
	c := *s
	c.own = maps.Clone(s.own)
	return &c
}

// sit opens the log, appends and closes.
func (s *script) sit(root string, d *faultdisk.Disk, sit sitting) error {
	s.shut = false
	opts := s.options(sit.opts).OnDisk(d)
	var l *eventlog.Log
	var err error
	if sit.create {
		s.asked = max(s.asked, 1)
		if l, err = eventlog.Create(root, s.origin(), eventlogtest.Start, opts); errors.Is(err, eventlog.ErrExists) {
			l, err = eventlog.Open(root, opts)
		}
	} else {
		l, err = eventlog.Open(root, opts)
	}
	s.wait()
	if err != nil {
		return err
	}
	if n := l.Next() - 1; n < s.acked || s.asked != 0 && n > s.asked {
		s.break_("opened with %d records, %d were acknowledged and %d written", n, s.acked, s.asked)
	}
	s.acked = l.Next() - 1
	s.asked = s.acked
	for _, n := range sit.groups {
		if err := s.append(l, n); err != nil {
			return errors.Join(err, s.poisoned(root, d, l, err))
		}
		s.wait()
	}
	if sit.leave {
		d.Stop()
		_ = l.Close() // nothing reaches the disk any more
		return nil
	}
	s.asked, s.own[l.Next()] = l.Next(), true
	if err := l.Close(); err != nil {
		return err
	}
	s.acked = l.Next() - 1
	s.asked, s.shut = s.acked, true
	return nil
}

func (s *script) origin() eventlog.Origin {
	if s.signed {
		return signedOrigin()
	}
	return eventlogtest.Origin
}

func (s *script) wait() {
	if s.settle {
		synctest.Wait()
	}
}

func (s *script) break_(format string, a ...any) {
	if s.wrong == nil {
		s.wrong = fmt.Errorf(format, a...)
	}
}

// append adds a group of n records, and the log its own.
func (s *script) append(l *eventlog.Log, n int) error {
	next := l.Next()
	if l.Claim(next) {
		s.own[next] = true
		next++
	}
	s.asked = next + uint64(n) - 1
	if err := l.Append(s.t.Context(), next, eventlogtest.Group(next, n)); err != nil {
		return err
	}
	s.acked = s.asked
	return nil
}

// poisoned checks what a log does after a write that failed: nothing.
func (s *script) poisoned(root string, d *faultdisk.Disk, l *eventlog.Log, cause error) error {
	if !errors.Is(cause, eventlog.ErrPoisoned) {
		s.break_("a failed write gives %v", cause)
	}
	s.wait()
	before := len(d.Ops())
	if err := l.Append(s.t.Context(), l.Next(), eventlogtest.Group(l.Next(), 1)); !errors.Is(err, eventlog.ErrPoisoned) {
		s.break_("Append to a poisoned log gives %v", err)
	}
	if s.settle {
		time.Sleep(time.Hour) // whatever is due is done now
	}
	err := l.Close()
	if d.Stopped() {
		return err
	}
	if !errors.Is(err, eventlog.ErrPoisoned) {
		s.break_("Close of a poisoned log gives %v", err)
	}
	if ops := d.Ops(); s.settle && len(ops) > before {
		s.break_("the poisoned log still does %v", ops[before:])
	}
	if _, err := os.Lstat(filepath.Join(root, "CLEAN")); err == nil {
		s.break_("the poisoned log left a clean marker")
	}
	return err
}

// check is faultdisk.Scenario.Check.
func (s *script) check(image string, c faultdisk.Crash, ops []faultdisk.Op) error {
	if s.wrong != nil {
		return s.wrong
	}
	s = s.clone()
	if c.Fail > 0 && c.Fail <= len(ops) {
		if err := s.checkFault(ops[c.Fail-1], c); err != nil {
			return err
		}
	}
	opts := s.options(s.sittings[len(s.sittings)-1].opts)
	opts.AcceptLoss = s.sittings[0].opts.AcceptLoss
	r, err := eventlog.OpenReader(image)
	if err == nil {
		var list []eventlog.Entry
		if list, err = collect(r.All(1)); err == nil {
			err = s.checkRecords(list)
		}
	}
	if err != nil && (s.acked > 0 || !errors.Is(err, eventlog.ErrNotFound)) {
		return fmt.Errorf("reader: %w", err)
	}
	if !opts.AcceptLoss && s.acked > 0 {
		if err := checkVerify(image); err != nil {
			return err
		}
	}
	sealed, err := eventlog.SealedRecords(image)
	if err != nil {
		return err
	}
	l, err := eventlog.Open(image, opts)
	if errors.Is(err, eventlog.ErrNotFound) && s.acked == 0 {
		l, err = eventlog.Create(image, s.origin(), eventlogtest.Start, opts)
	}
	if err != nil {
		return err
	}
	if err := s.checkLog(image, l, sealed); err != nil {
		return errors.Join(err, l.Close())
	}
	if s.shut && c.Stop == 0 && c.Fail == 0 && !l.Recovery().Clean {
		return errors.Join(fmt.Errorf("it was closed, and is found as %+v", l.Recovery()), l.Close())
	}
	return s.checkUse(image, l, opts)
}

// checkFault fails if nobody was told of a fault.
func (s *script) checkFault(op faultdisk.Op, c faultdisk.Crash) error {
	if s.fault != nil {
		return nil
	}
	switch filepath.Dir(op.Name) {
	case "segments":
		if op.Kind == faultdisk.Write {
			return nil // room ahead: the log does without where the disk is full
		}
	case ".":
		if s.sittings[len(s.sittings)-1].leave {
			return nil // a goroutine of the log failed, and nobody came to hear it
		}
	}
	return fmt.Errorf("nobody was told that %v failed", op)
}

// checkRecords compares records with what was appended.
func (s *script) checkRecords(list []eventlog.Entry) error {
	n := uint64(len(list))
	if n < s.acked || n > max(s.asked, 1) {
		return fmt.Errorf("%d records, %d were acknowledged and %d written", n, s.acked, s.asked)
	}
	payload, err := s.origin().MarshalBinary()
	if err != nil {
		return err
	}
	for i, e := range list {
		seq := uint64(i) + 1
		want := eventlogtest.Group(seq, 1)[0]
		switch {
		case seq == 1:
			want = eventlog.Entry{Seq: 1, At: eventlogtest.Start, Kind: eventlog.KindOrigin, Payload: payload}
		case s.own[seq] && e.Kind == eventlog.KindCheckpoint:
			want = eventlog.Entry{Seq: seq, At: e.At, Kind: eventlog.KindCheckpoint, Payload: e.Payload}
		}
		if !sameRecords([]eventlog.Entry{e}, []eventlog.Entry{want}) {
			return fmt.Errorf("record %d is %+v, want %+v", seq, e, want)
		}
	}
	return nil
}

// checkLog compares a log that was opened, its checkpoints, and what is stored
// of its tree, with what was appended.
func (s *script) checkLog(image string, l *eventlog.Log, sealed uint64) error {
	list, err := collect(l.All(1))
	if err != nil {
		return err
	}
	if err := s.checkRecords(list); err != nil {
		return err
	}
	verifier, err := tree.NewVerifier(s.origin().Name, logKey.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	var f tree.Frontier
	var hashes []byte
	roots := []tree.Hash{f.Root()}
	check := func(what string, b []byte) error {
		c, err := tree.OpenCheckpoint(b, verifier)
		if err == nil && (c.Size >= int64(len(roots)) || c.Root != roots[c.Size]) {
			err = fmt.Errorf("not the root of the first %d records", c.Size)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	for _, e := range list {
		if e.Kind == eventlog.KindCheckpoint {
			if err := check(fmt.Sprintf("record %d", e.Seq), e.Payload); err != nil {
				return err
			}
		}
		for _, h := range f.Append(nil, tree.LeafHash(eventlog.LeafHash(eventlog.AppendFrame(nil, e)))) {
			hashes = append(hashes, h[:]...)
		}
		roots = append(roots, f.Root())
	}
	note, err := os.ReadFile(filepath.Join(image, "checkpoint"))
	if err == nil {
		err = check("checkpoint", note)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	stored, err := os.ReadFile(filepath.Join(image, "hashes"))
	if err != nil {
		return err
	}
	if n := int(tree.StoredCount(int64(sealed))) * len(tree.Hash{}); len(stored) < n || len(hashes) < n || !bytes.Equal(stored[:n], hashes[:n]) {
		return fmt.Errorf("the hashes of %d sealed records are not stored as they should be", sealed)
	}
	return nil
}

// checkVerify fails if Verify takes what a crash left for damage. The files that
// an opening makes again are another matter: of a write to them that was not
// finished some parts may be there, which Verify cannot tell from damage.
func checkVerify(image string) error {
	v, err := eventlog.Verify(image, eventlog.VerifyOptions{})
	if err != nil {
		return err
	}
	for _, f := range v.Findings {
		made := f.Segment == "durable" || f.Segment == "seals" || f.Segment == "hashes"
		if f.Severity != eventlog.SeverityNote && (!made || v.Clean) {
			return fmt.Errorf("Verify finds %v", f)
		}
	}
	return nil
}

// checkUse appends to what was recovered, and opens it again.
func (s *script) checkUse(image string, l *eventlog.Log, opts eventlog.Options) error {
	for _, n := range []int{1, 9, 2} {
		if err := s.append(l, n); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	s.own[l.Next()] = true
	if err := l.Close(); err != nil {
		return err
	}
	again, err := eventlog.Open(image, opts)
	if err != nil {
		return fmt.Errorf("opening once more: %w", err)
	}
	defer again.Close()
	list, err := collect(again.All(1))
	if err != nil || !again.Recovery().Clean || uint64(len(list)) != l.Next()-1 {
		return fmt.Errorf("opening once more: %d records, want %d, report %+v, %w", len(list), l.Next()-1, again.Recovery(), err)
	}
	s.acked, s.asked = l.Next()-1, l.Next()-1
	return s.checkRecords(list)
}

// crashFaults are tried at every operation, as many of them as explore is told.
var crashFaults = []faultdisk.Fault{
	{}, // EIO
	{Stored: true},
	{Err: syscall.ENOSPC, Short: 0.5},
}

func explore(t *testing.T, s *script, start string, faults int, only *faultdisk.Crash) {
	if *crashSeeds > 1 {
		faults = len(crashFaults)
	} else if testing.Short() {
		faults = 0
	}
	begin := time.Now()
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		faultdisk.Explore(t, faultdisk.Scenario{Start: start, Run: s.run, Check: s.check, Faults: crashFaults[:faults], Leave: []string{"LOCK"}, Seeds: max(*crashSeeds, s.seeds), Only: only})
	})
	t.Logf("%.1f s", time.Since(begin).Seconds())
}

// TestCrashAnywhere explores each script. What it prints for a failure goes into
// the last argument of explore.
func TestCrashAnywhere(t *testing.T) {
	inMemory(t)
	for name, s := range map[string]*script{
		"created, used, opened, left": {settle: true, sittings: []sitting{
			{create: true, opts: small, groups: []int{1, 3, 9, 2}},
			{opts: small, groups: []int{5, 1}},
			{opts: small, groups: []int{8}, leave: true},
		}},
		// A power failure leaves any of the sectors of a large group.
		"large groups": {settle: true, seeds: 12, sittings: []sitting{
			{create: true, opts: eventlog.Options{SegmentSize: 6000}, groups: []int{30, 60, 40}, leave: true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explore(t, s, "", 3, nil)
		})
	}
}

// TestCrashWithCheckpoints explores logs that sign, which they do in a goroutine
// of their own: with it at rest between two groups, and without.
func TestCrashWithCheckpoints(t *testing.T) {
	inMemory(t)
	for _, settle := range []bool{true, false} {
		t.Run(fmt.Sprintf("settle=%v", settle), func(t *testing.T) {
			t.Parallel()
			explore(t, &script{settle: settle, signed: true, sittings: []sitting{
				{create: true, opts: small, groups: []int{1, 6, 1, 2}},
				{opts: small, groups: []int{5, 1, 1}, leave: true},
			}}, "", 1, nil)
		})
	}
}

// TestCrashWhileRecovering crashes openings that have something to mend.
func TestCrashWhileRecovering(t *testing.T) {
	inMemory(t)
	files := killedLog(t)
	list := files.segments()
	tail := list[len(list)-1]
	again := []sitting{{opts: small, groups: []int{2}}, {opts: small, groups: []int{7}}}
	loss := small
	loss.AcceptLoss = true
	for name, c := range map[string]struct {
		files    dirTree
		from     uint64
		sittings []sitting
	}{
		"zeros behind the tail": {files.with(func(c dirTree) { c[tail] += string(make([]byte, 90)) }), last, again},
		"a torn tail":           {files.with(func(c dirTree) { c[tail] += "half a record" }), last, again},
		"no seals":              {files.without("seals", "hashes"), last, again},
		"smaller segments":      {closedLog(t), last, []sitting{{opts: eventlog.Options{SegmentSize: 60}, groups: []int{2}}}},
		"smaller, not closed":   {files, last, []sitting{{opts: eventlog.Options{SegmentSize: 60}, groups: []int{2}}}},
		"acknowledged and lost": {files.with(func(c dirTree) { c[tail] = c[tail][:len(c[tail])-5] }), last - 1, []sitting{{opts: loss, groups: []int{2}}, {opts: loss, groups: []int{7}}}},
		"an empty last segment": {files.with(func(c dirTree) { c[fmt.Sprintf("segments/%020d", last+1)] = "" }), last, again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explore(t, &script{settle: true, from: c.from, sittings: c.sittings}, c.files.write(t), 1, nil)
		})
	}
}

// TestAcceptanceOnAFailingDisk runs what the acceptance suite has about failures
// with each fault that a disk can have, and with each kind of crash.
func TestAcceptanceOnAFailingDisk(t *testing.T) {
	inMemory(t)
	isA := func(kind faultdisk.Kind, dir string) func(faultdisk.Op) bool {
		return func(op faultdisk.Op) bool { return op.Kind == kind && (op.Name == dir || filepath.Dir(op.Name) == dir) }
	}
	large := []failure{
		{"write", isA(faultdisk.Foreign, "segments"), faultdisk.Fault{}},
		{"short write", isA(faultdisk.Foreign, "segments"), faultdisk.Fault{Short: 0.5}},
		{"write, but stored", isA(faultdisk.Foreign, "segments"), faultdisk.Fault{Stored: true}},
		{"sync", isA(faultdisk.Sync, "segments"), faultdisk.Fault{}},
		{"sync, but stored", isA(faultdisk.Sync, "segments"), faultdisk.Fault{Stored: true}},
		{"watermark", isA(faultdisk.Write, "durable"), faultdisk.Fault{}},
	}
	rolling := append(large,
		failure{"sync of the directory", isA(faultdisk.SyncDir, "segments"), faultdisk.Fault{}},
		failure{"sync of the directory, but stored", isA(faultdisk.SyncDir, "segments"), faultdisk.Fault{Stored: true}},
	)
	for _, mode := range faultdisk.Modes {
		t.Run(mode.String()+"/large", func(t *testing.T) { failingDisk(t, eventlog.Options{SegmentSize: 100 << 10}, mode, large) })
		t.Run(mode.String()+"/one-record", func(t *testing.T) { failingDisk(t, eventlog.Options{SegmentSize: 1}, mode, rolling) })
	}
}

type failure struct {
	name  string
	match func(faultdisk.Op) bool
	fault faultdisk.Fault
}

func failingDisk(t *testing.T, opts eventlog.Options, mode faultdisk.Mode, failures []failure) {
	disks := make(map[eventlogtest.Log]*faultdisk.Disk)
	reopen := func(t *testing.T, dir string) eventlogtest.Log {
		d := faultdisk.New(dir)
		l, err := eventlog.Open(dir, opts.OnDisk(d))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		disks[l] = d
		return l
	}
	hooks := eventlogtest.Hooks{
		Fail: make(map[string]func(*testing.T, eventlogtest.Log, error)),
		Crash: func(t *testing.T, l eventlogtest.Log) eventlogtest.Log {
			image := filepath.Join(t.TempDir(), "image")
			if err := disks[l].Image(image, mode, 7); err != nil {
				t.Fatal(err)
			}
			return reopen(t, image)
		},
	}
	for _, f := range failures {
		hooks.Fail[f.name] = func(_ *testing.T, l eventlogtest.Log, cause error) {
			f.fault.Err = cause
			disks[l].FailOn(f.match, f.fault)
		}
	}
	eventlogtest.TestFailures(t, func(t *testing.T) eventlogtest.Log {
		dir := t.TempDir()
		d := faultdisk.New(dir)
		l := create(t, dir, opts.OnDisk(d))
		disks[l] = d
		return l
	}, hooks)
}

// TestTailUnderTwoNames leaves what a crash leaves between the syncs of the two
// directories of a rename, on file systems where such a rename has two halves.
func TestTailUnderTwoNames(t *testing.T) {
	files := killedLog(t)
	dir := files.write(t)
	if err := os.Link(filepath.Join(dir, slices.Max(files.segments())), filepath.Join(dir, "tail.new")); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, small); !sameRecords(got.records, history(last)) {
		t.Errorf("%d records, %v", len(got.records), got.damage)
	}
}

// TestPruneTrustsNoPageCache lets the sync of a seal fail, which leaves the seal
// in the page cache alone, prunes, and cuts the power: of what was pruned only
// the seals tell.
func TestPruneTrustsNoPageCache(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		dir := t.TempDir()
		d := faultdisk.New(dir)
		l := create(t, dir, small.OnDisk(d))
		d.FailOn(func(op faultdisk.Op) bool { return op.Kind == faultdisk.Sync && op.Name == "seals" }, faultdisk.Fault{})
		var err error
		for err == nil {
			err = l.Append(t.Context(), l.Next(), eventlogtest.Group(l.Next(), 9))
		}
		if !errors.Is(l.Close(), eventlog.ErrPoisoned) {
			t.Fatal(err)
		}
		if reopen {
			if l, err = eventlog.Open(dir, small.OnDisk(d)); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := eventlog.PruneOn(d, dir, eventlog.PruneOptions{Before: 1 << 40})
		if err != nil {
			t.Logf("reopen=%v: %v", reopen, err)
			continue // nothing was pruned
		}
		for _, mode := range faultdisk.Modes {
			image := filepath.Join(t.TempDir(), "image")
			if err := d.Image(image, mode, 1); err != nil {
				t.Fatal(err)
			}
			if _, err := eventlog.Open(image, small); err != nil {
				t.Errorf("reopen=%v, %v, pruned up to %d: %v", reopen, mode, r.First, err)
			}
		}
	}
}
