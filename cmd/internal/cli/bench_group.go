package cli

import "runtime"

// Limits of a group, and how often in a row others are let run without bringing
// a record before a group is closed: those of eventlog.Appender, so that a
// comparison is one of what writes the groups and not of how they are made.
const (
	groupRecords = 4096
	groupBytes   = 4 << 20
	groupYields  = 3
)

// groupFile is a bare file that takes groups, from one goroutine at a time.
type groupFile interface {
	// appendGroup returns when all records are durable.
	appendGroup(records [][]byte) error
	close() error
}

// groupFront is the front of a bare file for many producers. It does what
// eventlog.Appender does for a log.
type groupFront struct {
	file groupFile
	in   chan *groupRequest
	done chan struct{}

	// The group that is being gathered; owned by run.
	records [][]byte
	waiting []*groupRequest
	bytes   int
}

// groupRequest is a record that waits, and where its producer does.
type groupRequest struct {
	record []byte
	done   chan error
}

// newGroupFront starts the goroutine, which close ends.
func newGroupFront(file groupFile) *groupFront {
	g := &groupFront{file: file, in: make(chan *groupRequest, groupRecords), done: make(chan struct{})}
	go g.run()
	return g
}

// producer returns the append function of one more producer.
func (g *groupFront) producer() func(record []byte) error {
	r := &groupRequest{done: make(chan error, 1)}
	return func(record []byte) error {
		r.record = record
		g.in <- r
		return <-r.done
	}
}

// close must not be called while a producer appends.
func (g *groupFront) close() error {
	close(g.in)
	<-g.done
	return g.file.close()
}

func (g *groupFront) run() {
	defer close(g.done)
	for r := range g.in {
		g.add(r)
		g.gather()
		err := g.file.appendGroup(g.records)
		for _, w := range g.waiting {
			w.done <- err
		}
		g.records, g.waiting, g.bytes = g.records[:0], g.waiting[:0], 0
	}
}

// gather completes the group that the first record has begun.
func (g *groupFront) gather() {
	for idle := 0; idle < groupYields && len(g.records) < groupRecords && g.bytes < groupBytes; {
		select {
		case r, open := <-g.in:
			if !open {
				return
			}
			g.add(r)
			idle = 0
		default:
			idle++
			runtime.Gosched()
		}
	}
}

func (g *groupFront) add(r *groupRequest) {
	g.records, g.waiting, g.bytes = append(g.records, r.record), append(g.waiting, r), g.bytes+len(r.record)
}
