package main

import (
	"errors"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// raftWAL appends to and reads a log of hashicorp/raft-wal.
type raftWAL struct {
	log  *raftwal.WAL
	meta *metadb.BoltMetaDB // raft-wal v0.4.0 never closes the one that it makes itself
	next uint64
	logs []raft.Log
	refs []*raft.Log
}

func createRaftWAL(dir string) (*raftWAL, error) {
	meta := &metadb.BoltMetaDB{}
	log, err := raftwal.Open(dir, raftwal.WithMetaStore(meta), raftwal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	return &raftWAL{log: log, meta: meta, next: 1}, nil
}

func (l *raftWAL) AppendGroup(records [][]byte) error {
	l.logs, l.refs = l.logs[:0], l.refs[:0]
	for i, r := range records {
		l.logs = append(l.logs, raft.Log{Index: l.next + uint64(i), Term: 1, Type: raft.LogCommand, Data: r})
	}
	for i := range l.logs {
		l.refs = append(l.refs, &l.logs[i])
	}
	if err := l.log.StoreLogs(l.refs); err != nil {
		return err
	}
	l.next += uint64(len(records))
	return nil
}

func (l *raftWAL) Close() error { return errors.Join(l.log.Close(), l.meta.Close()) }

func openRaftWAL(dir string) (*raftWAL, error) { return createRaftWAL(dir) }

func (l *raftWAL) Each(visit func(record []byte)) error {
	last, err := l.log.LastIndex()
	if err != nil {
		return err
	}
	var entry raft.Log
	for index := uint64(1); index <= last; index++ {
		if err := l.log.GetLog(index, &entry); err != nil {
			return err
		}
		visit(entry.Data)
	}
	return nil
}
