package main

import "github.com/tidwall/wal"

// tidwallLog appends to and reads a log of tidwall/wal, on which the event log
// is built.
type tidwallLog struct {
	log   *wal.Log
	next  uint64
	batch wal.Batch
}

func createTidwall(dir string) (*tidwallLog, error) {
	log, err := wal.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	return &tidwallLog{log: log, next: 1}, nil
}

func (l *tidwallLog) AppendGroup(records [][]byte) error {
	l.batch.Clear()
	for i, r := range records {
		l.batch.Write(l.next+uint64(i), r)
	}
	if err := l.log.WriteBatch(&l.batch); err != nil {
		return err
	}
	l.next += uint64(len(records))
	return nil
}

func (l *tidwallLog) Close() error { return l.log.Close() }

func openTidwall(dir string) (*tidwallLog, error) { return createTidwall(dir) }

func (l *tidwallLog) Each(visit func(record []byte)) error {
	last, err := l.log.LastIndex()
	if err != nil {
		return err
	}
	for index := uint64(1); index <= last; index++ {
		record, err := l.log.Read(index)
		if err != nil {
			return err
		}
		visit(record)
	}
	return nil
}
