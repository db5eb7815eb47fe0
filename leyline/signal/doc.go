// Package signal is the emergency signal: the level and the reason of an
// emergency in a file of 64 bytes that is mapped into memory, so that a trainer
// asks before every step, at the price of one load, whether it must stop. A plane
// holds the [Writer]; every process of the same user on the same machine may hold
// a [Reader]. The Python reader is esper_plane.signal in leyline/python.
//
// # The page
//
// All numbers are little-endian. The file is 64 bytes long.
//
//	 0  u32      sequence: odd while the page is being written
//	 4  u8       flag: 1 when the level is above L1, else 0
//	 5  u8       level: the code of a leyline.EmergencyLevel, 1 to 4
//	 6  u8       length of the reason in bytes, 0 to 48
//	 7  u8       version of this layout: 1
//	 8  u64      milliseconds of CLOCK_MONOTONIC when it was published
//	16  48 bytes reason: UTF-8, cut at the end of a rune, the rest zero
//
// A page of zeros means that nothing was ever published. At L1 nothing is wrong,
// so there is no reason and the length is 0; the time is that of the clearing. A
// page that breaks any of this is refused as a whole.
//
// The time is that of the machine, not of a process: whoever reads the page can
// tell its age, unless it lives in another time namespace. The clock begins anew
// with the machine, and stands still while the machine sleeps.
//
// # Writing
//
// The page is eight words of 64 bits, and every access in Go is an atomic load or
// store of a whole word. The first word holds the sequence and all that is short,
// so a publication is
//
//	store word 0       sequence odd; the flag is raised here if it will be
//	store words 1..7   time and reason
//	store word 0       sequence even; the flag is lowered here if it will be
//
// Therefore a flag is raised by the first store of a halt and lowered by the last
// store of its end. A writer that dies in between leaves the flag raised: what is
// lost is a reason, never a halt. The next writer finds an odd sequence, leaves it
// odd while it writes, and ends with the next even number: nothing is to be
// repaired and nobody waits for the dead.
//
// There is one writer at a time. The lock of the data directory sees to that for
// planes; beside it a writer holds a lock (flock) on the file itself, which ends
// with its process, and a second one is refused with [ErrInUse].
//
// # Reading
//
// A reader loads word 0, the other words, and word 0 again, and takes what it has
// only if the sequence is even and word 0 is the same as before. Go's atomics are
// sequentially consistent: all loads and stores have one order that keeps each
// program's own. If word 0 is the same, then no store of a publication lies
// between the two loads of it, and so none of the words between is of another
// publication. (The sequence comes round after 2^31 publications: a reader would
// have to be stopped during exactly so many.) That the two are different processes
// changes nothing: their pages are the same memory, and the instructions of the
// atomics order it for every processor that sees it.
//
// A reader in another language is right if it does the same, and may assume less
// than it would like:
//
//   - One word is never torn if it is read by one aligned load of 64 bits, on
//     x86-64 and on arm64. Copies of more than a word are torn at any byte: first
//     copying the page and then looking at the sequence in the copy proves nothing.
//   - x86-64 keeps loads in order, so three reads that the program really does one
//     after the other are enough. arm64 does not: the second load of word 0 may be
//     done before those of the reason, and then it proves nothing. There must be
//     something that orders loads before words 1..7 and again before the second
//     load of word 0. Interpreting a program slowly is no such thing.
//   - On both the writer's stores become visible to all in their order: on x86-64
//     they always do, on arm64 the atomics store with release.
//
// The Python reader takes and gives back a lock of its own in those two places,
// which orders memory by the rules of POSIX. The flag alone needs none of this: it
// is one byte.
//
// # What readers may rely on
//
// The mapping stays that of the file that was opened: a file that was deleted and
// made anew has another page. No plane does that; who restores or removes a data
// directory stops its trainers first. A file that is cut short while it is mapped
// makes loads fail: [Reader.Load] and [Writer.Set] return [ErrFault], and
// [Reader.Raised], which has no time for such things, ends the process.
//
// The package needs a machine whose 64-bit loads and stores are atomic between
// processes, which those of 64 bits are.
package signal
