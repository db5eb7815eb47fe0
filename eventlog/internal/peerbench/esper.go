package main

import (
	"context"
	"errors"

	"github.com/esper-plane/esper/eventlog"
)

// benchTime is the plane time of every record.
const benchTime = 1 << 60

// esperLog appends to an event log. A record gives up as many bytes as the
// header of a frame has, so that the frame is as long as the record.
type esperLog struct {
	log   *eventlog.Log
	group []eventlog.Entry
}

func createEsper(dir string) (*esperLog, error) {
	log, err := eventlog.Create(dir, eventlog.Origin{Name: "bench"}, benchTime, eventlog.Options{})
	if err != nil {
		return nil, err
	}
	return &esperLog{log: log}, nil
}

func (l *esperLog) AppendGroup(records [][]byte) error {
	next := l.log.Next()
	l.group = l.group[:0]
	for i, r := range records {
		l.group = append(l.group, eventlog.Entry{
			Seq: next + uint64(i), At: benchTime, Kind: eventlog.KindTransition, Payload: esperPayload(r),
		})
	}
	return l.log.Append(context.Background(), next, l.group)
}

func (l *esperLog) Close() error { return l.log.Close() }

// esperPayload returns the part of a record that is the payload of its frame.
func esperPayload(record []byte) []byte { return record[eventlog.HeaderSize:] }

// esperProducers is an event log behind its own front end.
type esperProducers struct {
	log      *eventlog.Log
	appender *eventlog.Appender
}

func openEsperProducers(dir string) (sink, error) {
	log, err := eventlog.Create(dir, eventlog.Origin{Name: "bench"}, benchTime, eventlog.Options{})
	if err != nil {
		return nil, err
	}
	appender := eventlog.NewAppender(log, func() int64 { return benchTime })
	return &esperProducers{log: log, appender: appender}, nil
}

func (s *esperProducers) producer() appendFunc {
	return func(record []byte) error {
		_, err := s.appender.Append(context.Background(), esperPayload(record))
		return err
	}
}

func (s *esperProducers) groups() int { return 0 }

func (s *esperProducers) Close() error {
	return errors.Join(s.appender.Close(), s.log.Close())
}

// esperReader reads the records that were appended, and not those that the log
// has added.
type esperReader struct {
	log *eventlog.Log
}

func openEsper(dir string) (*esperReader, error) {
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return nil, err
	}
	return &esperReader{log: log}, nil
}

func (r *esperReader) Each(visit func(record []byte)) error {
	for e, err := range r.log.All(1) {
		if err != nil {
			return err
		}
		if e.Kind == eventlog.KindTransition {
			visit(e.Payload)
		}
	}
	return nil
}

func (r *esperReader) Close() error { return r.log.Close() }
