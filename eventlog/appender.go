package eventlog

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// Appender is the front of a log for many producers: each appends one record at
// a time and waits for it, and all records that wait share one sync. It numbers
// the records and gives them their time. While an Appender is in use nobody
// else may append to the log.
type Appender struct {
	log  *Log
	now  func() int64
	in   chan *waiting
	stop chan struct{}
	gone chan struct{} // closed when no record will be taken any more
	once sync.Once

	// entries is the memory of the group that is being written.
	entries []Entry
}

// waiting is a record and who waits for it.
type waiting struct {
	payload []byte
	seq     uint64
	err     error
	done    chan struct{} // takes one token when seq and err are set
}

// waiters keeps those that nobody refers to any more.
var waiters = sync.Pool{New: func() any { return &waiting{done: make(chan struct{}, 1)} }}

// Limits of a group: what waits beyond them is in the next one.
const (
	maxGroup      = 4096
	maxGroupBytes = 4 << 20
	// yields is how often the appender lets others run, without a record
	// coming, before it closes a group. Producers that the last group has woken
	// come into this one that way; with one producer it costs nothing that can
	// be measured (about 1 us).
	yields = 3
)

// NewAppender starts an appender. now is called once for each group and gives
// its time, in nanoseconds since the Unix epoch; a time before that of the last
// record is raised to it.
func NewAppender(l *Log, now func() int64) *Appender {
	a := &Appender{log: l, now: now, in: make(chan *waiting, maxGroup), stop: make(chan struct{}), gone: make(chan struct{})}
	go a.run()
	return a
}

// Append copies the payload and returns the number of the record when it is
// durable. An error is that of the group which held it, as Log.Append describes
// it, ErrInvalid for a payload that no record may have, or ErrClosed; if the
// context ends first its error is returned and the record may become durable all
// the same.
func (a *Appender) Append(ctx context.Context, payload []byte) (uint64, error) {
	if len(payload) > MaxPayload {
		return 0, fmt.Errorf("%w: the record has %d bytes, more than %d", ErrInvalid, len(payload), MaxPayload)
	}
	w := waiters.Get().(*waiting)
	w.payload, w.seq, w.err = append(w.payload[:0], payload...), 0, nil
	select {
	case a.in <- w:
	case <-a.gone:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-w.done:
		return w.release()
	case <-ctx.Done():
		return 0, ctx.Err() // w is still in use
	case <-a.gone:
	}
	select {
	case <-w.done:
		return w.release()
	default:
		return 0, ErrClosed
	}
}

// maxKeptPayload is the longest payload whose memory is kept for another record.
const maxKeptPayload = 64 << 10

// release returns the outcome and gives w back.
func (w *waiting) release() (uint64, error) {
	seq, err := w.seq, w.err
	if cap(w.payload) > maxKeptPayload {
		w.payload = nil
	}
	waiters.Put(w)
	return seq, err
}

// Close waits for the records that were accepted and stops the appender; it
// does not close the log. An Append that comes later, or at the same moment and
// is not accepted, returns ErrClosed. Close is idempotent.
func (a *Appender) Close() error {
	a.once.Do(func() { close(a.stop) })
	<-a.gone
	return nil
}

func (a *Appender) run() {
	defer close(a.gone)
	for {
		select {
		case w := <-a.in:
			a.commit(a.gather(w))
		case <-a.stop:
			for len(a.in) > 0 {
				a.commit(a.gather(<-a.in))
			}
			return
		}
	}
}

// gather collects what waits, and gives producers that are about to run the
// chance to come with it.
func (a *Appender) gather(first *waiting) []*waiting {
	group, bytes := []*waiting{first}, len(first.payload)
	for idle := 0; idle < yields && len(group) < maxGroup && bytes < maxGroupBytes; {
		select {
		case w := <-a.in:
			group, bytes, idle = append(group, w), bytes+len(w.payload), 0
		default:
			idle++
			runtime.Gosched()
		}
	}
	return group
}

func (a *Appender) commit(group []*waiting) {
	next, at := a.log.Next(), max(a.now(), a.log.last())
	if a.log.Claim(next) {
		next++
	}
	a.entries = a.entries[:0]
	for i, w := range group {
		w.seq = next + uint64(i)
		a.entries = append(a.entries, Entry{Seq: w.seq, At: at, Kind: KindTransition, Payload: w.payload})
	}
	err := a.log.Append(context.Background(), next, a.entries)
	clear(a.entries)
	for _, w := range group {
		if w.err = err; err != nil {
			w.seq = 0
		}
		w.done <- struct{}{}
	}
}

// last returns the time of the last durable record.
func (l *Log) last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastAt
}
