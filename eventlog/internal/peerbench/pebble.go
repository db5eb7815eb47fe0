package main

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLog keeps records in a pebble database under their numbers.
type pebbleLog struct {
	db   *pebble.DB
	next uint64
}

func createPebble(dir string) (*pebbleLog, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: silence{}})
	if err != nil {
		return nil, err
	}
	return &pebbleLog{db: db, next: 1}, nil
}

func (l *pebbleLog) AppendGroup(records [][]byte) error {
	batch := l.db.NewBatch()
	var key [8]byte
	for i, r := range records {
		binary.BigEndian.PutUint64(key[:], l.next+uint64(i))
		if err := batch.Set(key[:], r, nil); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return errors.Join(err, batch.Close())
	}
	l.next += uint64(len(records))
	return batch.Close()
}

func (l *pebbleLog) Close() error { return l.db.Close() }

func openPebble(dir string) (*pebbleLog, error) { return createPebble(dir) }

func (l *pebbleLog) Each(visit func(record []byte)) error {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	for valid := it.First(); valid; valid = it.Next() {
		record, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		visit(record)
	}
	return errors.Join(it.Error(), it.Close())
}

// silence is a pebble.Logger that drops everything but what ends the program.
type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Errorf(string, ...any) {}

// Fatalf must not return.
func (silence) Fatalf(format string, args ...any) { pebble.DefaultLogger.Fatalf(format, args...) }
