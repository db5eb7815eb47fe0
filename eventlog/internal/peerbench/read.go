package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// fillGroup is the number of records in a group when a log is filled to be
// read.
const fillGroup = 1024

// readPlan says what to measure.
type readPlan struct {
	dir      string // where the fresh directory is made
	records  int
	size     int
	rounds   int
	peers    []readPeer
	progress io.Writer
}

// readRun is what one read of one log gave.
type readRun struct {
	open   time.Duration // until the first record can be asked for
	read   time.Duration // all records
	allocs float64       // allocations per record, while reading
}

// run fills the log of every peer and reads each once per round. It stops
// between two of these when the context ends.
func (p readPlan) run(ctx context.Context) (runs map[string][]readRun, err error) {
	err = inFreshDir(p.dir, func(dir string) error {
		for _, peer := range p.peers {
			if err := ctx.Err(); err != nil {
				return err
			}
			fmt.Fprintf(p.progress, "read: filling %s\n", peer.name)
			if err := p.fill(peer, filepath.Join(dir, peer.name)); err != nil {
				return fmt.Errorf("cannot fill %s: %w", peer.name, err)
			}
		}
		runs, err = p.measure(ctx, dir)
		return err
	})
	return runs, err
}

// fill writes the records of one peer.
func (p readPlan) fill(peer readPeer, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	log, err := peer.create(dir)
	if err != nil {
		return err
	}
	return errors.Join(fill(log, p.records, p.size), log.Close())
}

// fill appends stamped records in groups.
func fill(log groupLog, records, size int) error {
	group := make([][]byte, fillGroup)
	for i := range group {
		group[i] = newRecord(size, uint64(i))
	}
	for first := 0; first < records; first += fillGroup {
		part := group[:min(fillGroup, records-first)]
		for i, r := range part {
			stamp(r, uint64(first+i))
		}
		if err := log.AppendGroup(part); err != nil {
			return err
		}
	}
	return nil
}

// measure reads the logs under dir, round by round.
func (p readPlan) measure(ctx context.Context, dir string) (map[string][]readRun, error) {
	runs := map[string][]readRun{}
	for round := range p.rounds {
		fmt.Fprintf(p.progress, "read: round %d\n", round+1)
		for _, peer := range rotated(p.peers, round) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			run, err := p.one(peer, filepath.Join(dir, peer.name))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", peer.name, err)
			}
			runs[peer.name] = append(runs[peer.name], run)
		}
	}
	return runs, nil
}

// one reads one log from the page cache.
func (p readPlan) one(peer readPeer, dir string) (run readRun, err error) {
	if err := warm(dir); err != nil {
		return run, err
	}
	if err := settle(dir); err != nil {
		return run, err
	}
	begun := time.Now()
	log, err := peer.open(dir)
	if err != nil {
		return run, err
	}
	run.open = time.Since(begun)
	defer func() { err = errors.Join(err, log.Close()) }()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun = time.Now()
	count, err := countInOrder(log)
	run.read = time.Since(begun)
	runtime.ReadMemStats(&after)
	run.allocs = float64(after.Mallocs-before.Mallocs) / float64(p.records)
	if err == nil && count != p.records {
		err = fmt.Errorf("read %d records, not %d", count, p.records)
	}
	return run, err
}

// countInOrder reads a log that fill has written and returns the number of
// records.
func countInOrder(log logReader) (count int, err error) {
	misplaced := 0
	err = log.Each(func(record []byte) {
		if stampOf(record) != uint64(count) {
			misplaced++
		}
		count++
	})
	if err == nil && misplaced > 0 {
		err = fmt.Errorf("%d of %d records are not where they were written", misplaced, count)
	}
	return count, err
}
