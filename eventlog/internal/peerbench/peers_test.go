package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAppendPeers drives each peer for a moment and closes it.
func TestAppendPeers(t *testing.T) {
	for _, peer := range appendPeers {
		t.Run(peer.name, func(t *testing.T) {
			log, err := peer.open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			run, err := drive(log, 8, minRecord, 20*time.Millisecond)
			if err := errors.Join(err, log.Close()); err != nil {
				t.Fatal(err)
			}
			if run.perSecond <= 0 || run.p50 <= 0 || run.p99 < run.p50 {
				t.Errorf("implausible: %+v", run)
			}
		})
	}
}

// TestReadPeers writes a log with each peer and reads the same records back,
// twice, with every byte compared.
func TestReadPeers(t *testing.T) {
	const records, size = 3*fillGroup/2 + 1, 100
	for _, peer := range readPeers {
		t.Run(peer.name, func(t *testing.T) {
			dir := t.TempDir()
			log, err := peer.create(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(fill(log, records, size), log.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				checkRecords(t, peer, dir, records, size)
			}
		})
	}
}

// checkRecords reads a log and compares it with what fill writes.
func checkRecords(t *testing.T, peer readPeer, dir string, records, size int) {
	t.Helper()
	log, err := peer.open(dir)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = log.Each(func(got []byte) {
		want := newRecord(size, uint64(count%fillGroup))
		stamp(want, uint64(count))
		if peer.name == "esper" {
			want = esperPayload(want)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("record %d is %x, not %x", count, got, want)
		}
		count++
	})
	if err := errors.Join(err, log.Close()); err != nil {
		t.Fatal(err)
	}
	if count != records {
		t.Errorf("read %d records, not %d", count, records)
	}
}

// TestRun runs both commands as the command line does, and reads their JSON.
func TestRun(t *testing.T) {
	for _, test := range []struct {
		name, args string
		lines      func(report) int
		want       int
	}{
		{"append", "append -json -sizes 64,256 -producers 2 -seconds 0.002 -rounds 2 -peers raw,tidwall,raw-zerofilled",
			func(r report) int { return len(r.Append) }, 6},
		{"read", "read -json -records 100 -rounds 2 -peers raw,tidwall", func(r report) int { return len(r.Read) }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"-dir", t.TempDir()}, strings.Fields(test.args)...)
			if err := run(t.Context(), args, &stdout, &stderr); err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			var r report
			if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if got := test.lines(r); got != test.want {
				t.Errorf("%d lines, not %d, in %s", got, test.want, stdout.String())
			}
			if !strings.Contains(stderr.String(), "| tidwall |") {
				t.Errorf("no line for tidwall in the table: %s", stderr.String())
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range []string{
		"", "append", "-dir . fly", "-dir . append 3", "-dir . append -sizes 8", "-dir . append -producers 0",
		"-dir . append -peers nobody", "-dir . read -rounds 0", "-dir . read -records 0", "-dir . append -sizes x",
	} {
		var sink bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), &sink, &sink); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

// memoryLog keeps the groups that it is given.
type memoryLog struct {
	groups [][]string
	err    error
}

func (l *memoryLog) AppendGroup(records [][]byte) error {
	var group []string
	for _, r := range records {
		group = append(group, string(r))
	}
	l.groups = append(l.groups, group)
	return l.err
}

func (l *memoryLog) Close() error { return nil }

// TestFrontEnd checks that each record is appended once, in groups within the
// limits.
func TestFrontEnd(t *testing.T) {
	log := &memoryLog{}
	f := newFrontEnd(log)
	const producers, each = 2*maxGroupRecords + 1, 3
	var all sync.WaitGroup
	for range producers {
		appendOne := f.producer()
		all.Go(func() {
			for range each {
				if err := appendOne([]byte("r")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, group := range log.groups {
		total += len(group)
		if len(group) > maxGroupRecords {
			t.Errorf("a group of %d", len(group))
		}
	}
	if total != producers*each || f.groups() != len(log.groups) {
		t.Errorf("%d records in %d groups, %d of them counted", total, len(log.groups), f.groups())
	}
}

// TestFrontEndBytes checks that a group ends at the limit of bytes.
func TestFrontEndBytes(t *testing.T) {
	log := &memoryLog{}
	f := newFrontEnd(log)
	var all sync.WaitGroup
	for range 5 {
		appendOne := f.producer()
		all.Go(func() {
			if err := appendOne(make([]byte, maxGroupBytes/2)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(log.groups, func(g []string) bool { return len(g) > 2 }) {
		t.Error("a group of more than two halves")
	}
}

// TestFrontEndError checks that an error reaches the producer.
func TestFrontEndError(t *testing.T) {
	broken := errors.New("broken")
	f := newFrontEnd(&memoryLog{err: broken})
	if _, err := drive(f, 4, minRecord, time.Hour); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
