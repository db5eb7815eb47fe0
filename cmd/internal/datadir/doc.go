// Package datadir opens a data directory as a whole.
//
//	LOCK            held by the process that writes
//	keys/           0700; PEM files, 0600
//	    log.key     signs checkpoints of the log
//	    admin.key   vouches for keys and configurations: the trust root
//	    tamiyo.key  signs Tamiyo's commands
//	log/            package eventlog
//	projections.db  package boltstore; a cache
//	snapshots/RUN/  files that trainers wrote, one directory per run
//	signal          package signal: the emergency signal, 64 bytes
//	kernels/        the kernel store; every fetch checks the digest
//	telemetry/      emergency.jsonl, computed from the log; deletable
//	controls/RUN/   data directories of runs that a run was compared with
//
// # Creation
//
// Open makes a data directory where there is nothing yet: in a missing or empty
// directory. Each step is durable before the next one begins, in this order:
//
//	LOCK, keys      a crash here: the next Open finds nothing but these and goes on
//	log             the commit point is eventlog's; its origin names the keys
//	all else
//
// Therefore whatever lies in a data directory beside LOCK and keys without a
// log means that the log was lost, and Open refuses instead of starting anew.
// A directory that holds anything else is not ours and is never touched.
//
// # Before it is opened
//
// Examine tells everything that stands in the way of an Open, at once and without
// changing anything that lasts. A start that is refused on its word leaves no trace.
//
// # What is trusted
//
// The log. Its origin record names the public halves of log.key and admin.key;
// Open refuses keys that are others, and never replaces a key that is missing.
// projections.db is moved aside with a warning when it is damaged, because it is
// derived; that it holds more than the log is for package plane to notice, and
// nothing here helps around that.
package datadir
