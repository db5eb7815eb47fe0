package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// appendPlan says what to measure.
type appendPlan struct {
	dir       string // where the fresh directories are made
	sizes     []int
	producers []int
	span      time.Duration // of one run
	rounds    int
	peers     []appendPeer
	progress  io.Writer
}

// appendRun is what one run of one peer gave.
type appendRun struct {
	perSecond float64
	p50, p99  time.Duration
	group     float64 // mean number of records, 0 if not known
}

// appendCell is a size and a number of producers, and all runs of them by peer.
type appendCell struct {
	size, producers int
	runs            map[string][]appendRun
}

// run measures every cell. It stops between two runs when the context ends.
func (p appendPlan) run(ctx context.Context) ([]appendCell, error) {
	var cells []appendCell
	for _, size := range p.sizes {
		for _, producers := range p.producers {
			fmt.Fprintf(p.progress, "append: %d bytes, %d producers\n", size, producers)
			cell := appendCell{size: size, producers: producers, runs: map[string][]appendRun{}}
			if err := p.measure(ctx, cell); err != nil {
				return nil, err
			}
			cells = append(cells, cell)
		}
	}
	return cells, nil
}

// measure fills the runs of a cell, round by round.
func (p appendPlan) measure(ctx context.Context, cell appendCell) error {
	for round := range p.rounds {
		for _, peer := range rotated(p.peers, round) {
			if err := ctx.Err(); err != nil {
				return err
			}
			run, err := p.one(peer, cell)
			if err != nil {
				return fmt.Errorf("%s: %w", peer.name, err)
			}
			cell.runs[peer.name] = append(cell.runs[peer.name], run)
		}
	}
	return nil
}

// one runs one peer for the span, in a fresh directory.
func (p appendPlan) one(peer appendPeer, cell appendCell) (run appendRun, err error) {
	err = inFreshDir(p.dir, func(dir string) error {
		log, err := peer.open(dir)
		if err != nil {
			return err
		}
		if err := settle(dir); err != nil {
			return errors.Join(err, log.Close())
		}
		run, err = drive(log, cell.producers, cell.size, p.span)
		return errors.Join(err, log.Close())
	})
	return run, err
}

// drive lets producers append records of a size, each the next one when the one
// before is durable. When the span is over each waits for its last record, which
// counts, as does the time until then.
func drive(log sink, producers, size int, span time.Duration) (appendRun, error) {
	latencies := make([]histogram, producers)
	errs := make([]error, producers)
	records := make([][]byte, producers)
	for i := range records {
		records[i] = newRecord(size, uint64(i))
	}
	var all sync.WaitGroup
	start := time.Now()
	for i := range producers {
		appendOne := log.producer()
		all.Go(func() { errs[i] = produce(appendOne, records[i], start.Add(span), &latencies[i]) })
	}
	all.Wait()
	elapsed := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return appendRun{}, err
	}
	return summarise(latencies, elapsed, log.groups()), nil
}

// produce appends until the deadline, at least one record.
func produce(appendOne appendFunc, record []byte, deadline time.Time, latencies *histogram) error {
	begun := time.Now()
	for number := uint64(0); ; number++ {
		stamp(record, number)
		if err := appendOne(record); err != nil {
			return err
		}
		now := time.Now()
		latencies.add(now.Sub(begun))
		if now.After(deadline) {
			return nil
		}
		begun = now
	}
}

func summarise(latencies []histogram, elapsed time.Duration, groups int) appendRun {
	var merged histogram
	for i := range latencies {
		merged.merge(&latencies[i])
	}
	run := appendRun{
		perSecond: float64(merged.count()) / elapsed.Seconds(),
		p50:       merged.quantile(0.5),
		p99:       merged.quantile(0.99),
	}
	if groups > 0 {
		run.group = float64(merged.count()) / float64(groups)
	}
	return run
}
