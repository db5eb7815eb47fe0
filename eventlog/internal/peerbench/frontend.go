package main

import "runtime"

// Limits of one group.
const (
	maxGroupRecords = 1024
	maxGroupBytes   = 4 << 20
)

// idleYields is the number of times in a row that the front end lets other
// goroutines run without hearing of a new record before it closes a group.
const idleYields = 3

// groupLog is what a peer must be able to do. It is called by one goroutine at
// a time.
type groupLog interface {
	// AppendGroup appends the records and returns when all of them are
	// durable. The records are the caller's again as soon as it returns.
	AppendGroup(records [][]byte) error
	// Close closes the log. Nothing is called after it.
	Close() error
}

// appendFunc appends one record and returns when it is durable. The record is
// the caller's again as soon as it returns.
type appendFunc func(record []byte) error

// sink is a log that takes single records from concurrent producers.
type sink interface {
	// producer returns the function for one more producer. The functions of
	// several producers may be called at the same time.
	producer() appendFunc
	// groups returns the number of groups that were written, or 0 where that
	// is not known. It is called when no producer waits.
	groups() int
	// Close closes the log behind the sink, when no producer waits.
	Close() error
}

// frontEnd is the sink that all groupLogs share: one goroutine takes the
// records that wait, appends them as one group, and wakes the producers.
//
// A group that is closed as soon as nothing waits would hold half of the
// producers, because those whose records have just become durable come back
// while the others are being written. So before it closes a group the front end
// yields to the scheduler, until idleYields yields in a row bring nothing new
// or a limit is reached. There is no timer: a single producer waits for three
// empty yields, far less than a sync.
type frontEnd struct {
	log      groupLog
	requests chan *request
	stopped  chan struct{} // closed when run has returned
	written  int           // groups; owned by run until stopped is closed or no producer waits

	// The group that is being gathered; owned by run.
	records [][]byte
	waiting []*request
	bytes   int
}

// request is one record that waits, and the place where its producer does.
type request struct {
	record []byte
	done   chan error
}

// newFrontEnd starts the goroutine, which Close ends.
func newFrontEnd(log groupLog) *frontEnd {
	f := &frontEnd{log: log, requests: make(chan *request, maxGroupRecords), stopped: make(chan struct{})}
	go f.run()
	return f
}

// grouped returns how to open a sink that puts a frontEnd before what create
// returns.
func grouped[L groupLog](create func(dir string) (L, error)) func(dir string) (sink, error) {
	return func(dir string) (sink, error) {
		log, err := create(dir)
		if err != nil {
			return nil, err
		}
		return newFrontEnd(log), nil
	}
}

func (f *frontEnd) producer() appendFunc {
	r := &request{done: make(chan error, 1)}
	return func(record []byte) error {
		r.record = record
		f.requests <- r
		return <-r.done
	}
}

func (f *frontEnd) groups() int { return f.written }

func (f *frontEnd) Close() error {
	close(f.requests)
	<-f.stopped
	return f.log.Close()
}

func (f *frontEnd) run() {
	defer close(f.stopped)
	for r := range f.requests {
		f.add(r)
		f.gather()
		f.written++
		err := f.log.AppendGroup(f.records)
		for _, w := range f.waiting {
			w.done <- err
		}
		f.records, f.waiting, f.bytes = f.records[:0], f.waiting[:0], 0
	}
}

// gather completes the group that the first record has begun.
func (f *frontEnd) gather() {
	f.drain()
	for idle := 0; idle < idleYields && !f.full(); {
		runtime.Gosched()
		if f.drain() {
			idle = 0
		} else {
			idle++
		}
	}
}

// drain adds all records that wait now, as far as the limits allow, and tells
// whether there were any.
func (f *frontEnd) drain() (found bool) {
	for !f.full() {
		select {
		case r, open := <-f.requests:
			if !open {
				return found
			}
			f.add(r)
			found = true
		default:
			return found
		}
	}
	return found
}

func (f *frontEnd) add(r *request) {
	f.records = append(f.records, r.record)
	f.waiting = append(f.waiting, r)
	f.bytes += len(r.record)
}

func (f *frontEnd) full() bool {
	return len(f.records) >= maxGroupRecords || f.bytes >= maxGroupBytes
}
