package main

import (
	"fmt"
	"strings"
)

// The peers that the others are compared with.
const (
	rawName        = "raw"
	zerofilledName = "raw-zerofilled"
)

// appendPeer is one log in the comparison of appends.
type appendPeer struct {
	name string
	what string // what is measured, for the report
	open func(dir string) (sink, error)
}

// readPeer is one log in the comparison of reads.
type readPeer struct {
	name   string
	what   string
	create func(dir string) (groupLog, error)
	open   func(dir string) (logReader, error)
}

// logReader reads a log from its first record to its last.
type logReader interface {
	// Each calls visit with every record in order. The record is visit's
	// only until it returns.
	Each(visit func(record []byte)) error
	// Close closes the log. Nothing is called after it.
	Close() error
}

// appendPeers is the order of the first round.
var appendPeers = []appendPeer{
	{rawName, "one write(2) of length-prefixed records, one fdatasync", grouped(createRaw)},
	{zerofilledName, "the same into a file that was zero-filled and synced before: what the disk can do", grouped(createZerofilled)},
	{"esper", "eventlog.Log.Append: checksums, leaf hashes and Merkle tree included", grouped(createEsper)},
	{"esper-producers", "eventlog.Appender, the event log's own front end", openEsperProducers},
	{"tidwall", "tidwall/wal WriteBatch", grouped(createTidwall)},
	{"etcd", "etcd wal Save", grouped(createEtcd)},
	{"raft-wal", "hashicorp/raft-wal StoreLogs", grouped(createRaftWAL)},
	{"pebble", "pebble batch of Sets, committed with Sync", grouped(createPebble)},
}

// readPeers is the order of the first round.
var readPeers = []readPeer{
	{rawName, "bufio of 1 MiB, length prefix, CRC-32C compared", logOf(createChecked), readerOf(openRaw)},
	{"esper", "eventlog.Log.All", logOf(createEsper), readerOf(openEsper)},
	{"tidwall", "tidwall/wal Read of each index", logOf(createTidwall), readerOf(openTidwall)},
	{"etcd", "etcd wal ReadAll, everything in memory", logOf(createEtcd), readerOf(openEtcd)},
	{"raft-wal", "hashicorp/raft-wal GetLog of each index", logOf(createRaftWAL), readerOf(openRaftWAL)},
	{"pebble", "pebble iterator", logOf(createPebble), readerOf(openPebble)},
}

func (p appendPeer) Name() string { return p.name }
func (p readPeer) Name() string   { return p.name }

// logOf hides the type that create returns.
func logOf[L groupLog](create func(dir string) (L, error)) func(dir string) (groupLog, error) {
	return func(dir string) (groupLog, error) {
		log, err := create(dir)
		if err != nil {
			return nil, err
		}
		return log, nil
	}
}

// readerOf hides the type that open returns.
func readerOf[R logReader](open func(dir string) (R, error)) func(dir string) (logReader, error) {
	return func(dir string) (logReader, error) {
		r, err := open(dir)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

// named is something that has the name of a peer.
type named interface{ Name() string }

// choose returns the peers that a comma-separated list names, in the order of
// all. The empty list names every peer.
func choose[P named](all []P, list string) ([]P, error) {
	if list == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []P
	for _, p := range all {
		if wanted[p.Name()] {
			chosen = append(chosen, p)
			delete(wanted, p.Name())
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no peer %q", name)
	}
	return chosen, nil
}

// rotated returns the peers in the order of round n, which begins with peer n.
func rotated[P any](peers []P, n int) []P {
	n %= len(peers)
	return append(append([]P{}, peers[n:]...), peers[:n]...)
}
