// Package frame is the byte format of the framed lane, by which a trainer on the same
// machine reports its steps with less ceremony than HTTP: one write and one read on a
// unix socket for each.
//
// # Frames
//
//	u32   length of what follows, little-endian, 1 to MaxFrame
//	...   the payload
//
// The first frame of each side is JSON: in a [Hello] the trainer names the version of the
// protocol, its run and the media type of all bodies to come; the plane answers with a
// [Welcome], or with a problem document, and then closes.
//
//	request   u8 op, then the body in the media type of the hello
//	answer    u16 status, little-endian, then the body: the answer, or a problem document
//
// Status, bodies and problems are those of the HTTP routes. Answers come in the order of
// the requests, of which several may be on their way.
//
// A frame is written whole or the connection is of no use any more: there is nothing by
// which a reader could find the next one.
//
// # Bounds
//
// A length is a claim: a [Reader] holds at most twice the bytes that have come, and 64
// KiB. A length of 0 or above the bound is refused before anything behind it is read.
package frame
