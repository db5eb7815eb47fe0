// Package tree is the Merkle tree over the records of an event log, and what it
// proves: that a record is in the log, and that the log was only ever appended
// to. It holds no records and decides nothing about them; it knows 32 bytes of
// each, and keeps no file open.
//
//	var f tree.Frontier
//	stored = f.Append(stored, tree.LeafHash(leaf)) // for every record
//	...
//	c := tree.Checkpoint{Origin: "plane-7", Size: f.Size(), Root: f.Root()}
//	signed, err := c.Sign(signer)
//	...
//	p, err := tree.ProveRecord(signed, verifier, 17, leaf, storedHashes)
//	text, err := p.MarshalText() // for an auditor, who needs only the verifier key
//
// # Promises
//
//   - A proof that verifies is right: under the signature it names, no other
//     leaf data can be at that place, and no record that the older checkpoint
//     covers can have changed in the newer, unless SHA-256 or Ed25519 is broken
//     or the key was given away.
//   - A proof that is made here verifies. Stored hashes are a cache that nobody
//     vouches for, so ProveRecord and ProveTree verify their own work against
//     the signed root before they return it.
//   - A proof is complete: it carries its signed checkpoints, and is checked
//     without the log and without a network.
//   - No bytes make this package panic, and none make it use more memory than a
//     few times their length. Every text has one form, except for the signature
//     lines of a checkpoint, which others may add to: a parser refuses what
//     would be written differently.
//
// # Not promised
//
//   - That everything that happened was recorded, that a record is true, or when
//     it was written. A checkpoint has no time.
//   - That two people see the same log. Whoever holds the key can sign two
//     histories; it shows when two checkpoints meet, and ProveTree between them
//     fails. Hand checkpoints to someone who keeps them.
//   - Anything about records after the last checkpoint that someone else has.
//   - That a log signs only what it will never lose. The caller signs what is
//     durable and nothing else.
//
// # The tree
//
// It is that of RFC 6962, section 2.1, over SHA-256. In an esper log the data of
// a leaf is the 32-byte SHA-256 of a record's frame. Leaves are numbered from 0,
// as in the RFC, and records from 1: leaf i is record i+1.
//
//	leaf hash    SHA-256(0x00 || leaf data)
//	node hash    SHA-256(0x01 || left || right)
//	empty tree   SHA-256 of nothing
//
// Stored hashes are the roots of all complete subtrees, in the order in which
// appending completes them, without gaps: each leaf hash is followed by the
// roots of the subtrees that it completes, smallest first. Package
// golang.org/x/mod/sumdb/tlog numbers them so (StoredHashIndex), and a
// tlog.HashReader reads them by number. StoredCount says how many there are. A
// tree has at most 2^60 leaves; what claims more is refused.
//
// # Checkpoint
//
// A C2SP tlog-checkpoint, which is a C2SP signed note whose text has three
// lines: the name of the log, the number of leaves, the root in base64.
//
//	plane-7
//	3
//	TND2l4Ehjb8VEUBv85ejeMBpoq2E3z3bZDINjogxROg=
//
//	— plane-7 zAyFzLpfFoaNlQLdUHux7UJKa9/so3YS+EkTteTSYrS3i6bwTGEuCvyBqrgK...
//
// The log signs with Ed25519 under the name of the log. Further signature lines
// are allowed. The specification discourages lines after the third, and here
// they are refused. A note is at most 32 KiB long.
//
// A verifier key, the one line an auditor is given beforehand, is that of the
// signed-note specification: name, the identifier of the key in hexadecimal, and
// base64 of the byte 1 and the public key, with a plus sign between them.
//
// # Proof of a record
//
// A C2SP tlog-proof, to be kept in files named *.tlog-proof:
//
//	c2sp.org/tlog-proof@v1
//	extra       base64 of the leaf data
//	index       the leaf, from 0: the number of the record less one
//	            one line for each hash, in base64, the leaf's sibling first
//	            an empty line
//	            the checkpoint, as it was signed
//
// The specification does not authenticate the extra line. Verify does, since it
// hashes the leaf data to get the leaf hash that the path starts from.
//
// # Proof of growth
//
// There is no specification for the text of a consistency proof. This is ours:
//
//	esper-tree-proof 0
//	            one line for each hash of RFC 6962, section 2.1.2, in base64
//	            an empty line
//	            the older checkpoint
//	            an empty line
//	            the newer checkpoint
//
// # Tiles
//
// WriteTiles exports a log in the layout of C2SP tlog-tiles, for auditors who
// have other software, and for web servers:
//
//	checkpoint                  the checkpoint
//	tile/<L>/<N>[.p/<W>]        256 or W hashes, 32 bytes each: hash i is the root
//	                            of the 256^L leaves from (N*256+i)*256^L on
//	tile/entries/<N>[.p/<W>]    256 or W times the length of leaf data, 32, as two
//	                            bytes, big endian, and the leaf data
//	export.new                  a file that is being written
//
// N is written in groups of three digits with an x before each but the last:
// x001/x234/067. W is there if the tile is not full, which only the last of a
// level can be. Tiles of a width that the tree has outgrown stay, for those who
// have an older checkpoint; no tile ever changes. The verifier key is not among
// the files: it would vouch for itself.
//
// # Sources
//
// RFC 6962; Crosby and Wallach, "Efficient Data Structures for Tamper-Evident
// Logging", 2009, for the order of stored hashes; https://c2sp.org/signed-note,
// https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-proof and
// https://c2sp.org/tlog-tiles. Hashing, proofs and notes are those of
// golang.org/x/mod/sumdb, the text of checkpoints and of record proofs that of
// github.com/transparency-dev/formats. The tests hold all of it against the
// verifier of github.com/transparency-dev/merkle, which shares no code with it.
package tree
