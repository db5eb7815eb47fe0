// Package snapstore keeps the files of snapshots: the one place that writes, reads
// and deletes them, for the plane and for a trainer in the same process.
//
// # A tier
//
// A Store is one tier: a directory with one directory per run. The full tier lies
// on disk, the fast one in shared memory. Names have the syntax of an id, and
// nothing outside the run's directory can be opened through them.
//
// # If the power fails
//
// A file of a durable store is there as a whole or not at all: it is written to a
// temporary name, synced, renamed, and the directory is synced. After Write has
// returned it stays. What a crash leaves under a temporary name is no file of the
// store: List names it, so that it is swept. A store in shared memory does the same
// without the syncs, since nothing of it outlives the machine.
//
// # Stopping
//
// Sum and Load work in chunks of 256 KiB and look at their context between two of
// them, so they stop within the time that one chunk takes: a millisecond from
// memory, some from a disk. A read that the operating system itself does not
// finish cannot be stopped; the worker gives such a job up at its deadline.
package snapstore
