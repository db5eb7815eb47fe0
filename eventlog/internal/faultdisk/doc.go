// Package faultdisk is a disk.FS for tests. It works on real files below a root
// directory, and while it does it
//
//   - counts the operations that change something,
//   - makes chosen ones fail, wholly or in part,
//   - ends the simulated process at a chosen one, and
//   - knows at every moment what a crash would leave, and can write that out as
//     a new directory, to be opened as after a restart.
//
// Explore does all of this for every operation of a scenario. Its many small
// directories are the quicker for being in memory, so let TMPDIR point there.
//
// # The model
//
// What programs see is in the real files. What the disk holds is kept in
// memory, separately for content and names, as POSIX has it:
//
// Content belongs to a file, whatever its names and also after it lost them.
// Sync on any handle makes the content and length durable that the file has at
// that moment, and no name. Names belong to a directory. SyncDir makes the
// entries that the directory has at that moment durable, and no content. So a
// new file needs a Sync, and a SyncDir of its directory, and so on upwards for
// each directory made on the way. A rename within one directory is there or
// not there; one from a directory to another can last on one side only, once
// only that side is synced. What a rename replaced and what a removal removed
// comes back, with its durable content, if the directory is not synced.
//
// After a failed Sync the pages that were to be stored count as clean although
// they are not stored, as on Linux: the next Sync says nil and does not store
// them, and only sectors written anew are stored again. The unit is the sector
// of 512 bytes, the smallest in which file systems keep this, and so the unit
// that shows the most mistakes. A failed SyncDir has no such memory: the next
// one stores all names.
//
// The four modes of Image say what survives: Killed everything, since the page
// cache outlives a process; Strict only what was synced; Torn an arbitrary
// part of the rest; Prefix all that came before some moment. In Torn each
// sector shows the file at a moment of its own since the last Sync, the length
// shows another moment, so bytes may read as zeros, and each create, rename
// and removal is there or not. The chances themselves vary with the seed, so
// that the likely disasters (all names, no content) come often. The same
// operations and the same seed give the same image.
//
// # Code that uses package os
//
// Disk.Foreign wraps calls into a library that changes files by itself, and
// makes each of them one operation; Disk.ForeignSync does it for its syncs,
// which cannot be seen from outside. What changed is found by reading all
// files, so this is for trees of a few MiB. Changes that nobody wraps are
// found too, at the latest when an image is made, a file or its directory is
// synced, or the process stops; they count as unsynced, and cannot fail.
//
// # What is not simulated
//
// Reads do not fail and do not lie. A sector is old or new, never a mixture
// (except at the end of what Prefix tears), and synced sectors do not decay.
// A process is killed between operations only; Fault.Short together with
// StopAt at the same operation gives a kill inside a write. RemoveAll counts
// one operation for every name that it removes, so a crash can come in the
// middle. Modes, owners and times of files are not tracked, except for the
// permissions that a file or directory had when it was first seen. Symbolic
// links and special files are refused. Nothing is really synced, so Sync costs
// no time. Names outside the root go to package disk's OS, uncounted.
//
// One mutex serializes everything, and a function given to Foreign runs under
// it, so it must not use the Disk. Operations from several goroutines are
// counted in the order in which they come.
package faultdisk
