package main

import (
	"errors"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// etcdTerm is the term of every entry.
const etcdTerm = 1

// etcdLog appends normal entries to the log of etcd.
type etcdLog struct {
	log     *wal.WAL
	next    uint64
	entries []*raftpb.Entry // as many as the longest group so far
}

// etcdDir returns where the log is: it insists on making its directory.
func etcdDir(dir string) string { return filepath.Join(dir, "wal") }

func createEtcd(dir string) (*etcdLog, error) {
	log, err := wal.Create(zap.NewNop(), etcdDir(dir), nil)
	if err != nil {
		return nil, err
	}
	return &etcdLog{log: log, next: 1}, nil
}

func (l *etcdLog) AppendGroup(records [][]byte) error {
	for len(l.entries) < len(records) {
		l.entries = append(l.entries, &raftpb.Entry{
			Type: raftpb.EntryNormal.Enum(), Term: new(uint64(etcdTerm)), Index: new(uint64),
		})
	}
	for i, r := range records {
		*l.entries[i].Index = l.next + uint64(i)
		l.entries[i].Data = r
	}
	// The entries alone make Save sync.
	if err := l.log.Save(&raftpb.HardState{}, l.entries[:len(records)]); err != nil {
		return err
	}
	l.next += uint64(len(records))
	return nil
}

func (l *etcdLog) Close() error { return l.log.Close() }

// etcdReader reads a log of etcd from its beginning.
type etcdReader struct {
	log *wal.WAL
}

func openEtcd(dir string) (*etcdReader, error) {
	log, err := wal.OpenForRead(zap.NewNop(), etcdDir(dir), &walpb.Snapshot{})
	if err != nil {
		return nil, err
	}
	return &etcdReader{log: log}, nil
}

func (r *etcdReader) Each(visit func(record []byte)) error {
	_, _, entries, err := r.log.ReadAll()
	if err != nil {
		return err
	}
	for _, e := range entries {
		visit(e.GetData())
	}
	return nil
}

// Close passes over an error that etcd v3.7 gives whenever a log was opened for
// reading: it closes a directory that it never opened. The files are closed by
// ReadAll.
func (r *etcdReader) Close() error {
	if err := r.log.Close(); !errors.Is(err, os.ErrInvalid) {
		return err
	}
	return nil
}
