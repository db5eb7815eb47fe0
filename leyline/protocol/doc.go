// Package protocol is what a trainer and a plane say to each other: the bodies of
// requests and answers, and their two forms, JSON and msgpack. It reads no clock and
// opens nothing. PROTOCOL.md beside it is written for someone with curl, openapi.json
// for programs; both are held against this package by its tests.
//
// # The form
//
// A body is an object with the members of a Go type, by reflection; there is no second
// set of types. The plan of a type is made once.
//
//	structs            objects; a member has the field's name in snake_case, and the
//	                   members of an embedded struct stand among its own
//	bool               true, false
//	up to 32 bits      numbers
//	64 bits            decimal strings; a reader takes a JSON integer up to 2^53 too
//	float64            numbers, or "NaN", "Infinity", "-Infinity"
//	enums, digests,    their text
//	checksums, effects
//	leyline.Instant    RFC 3339, UTC, with nanoseconds
//	[]byte             base64, padded
//	lists              arrays
//	leyline.Envelope   the document of the DSSE specification
//
// msgpack has the same objects as maps with the same names; numbers are its own numbers,
// floats are floats, bytes are bin.
//
// # What is left out
//
// A member that is absent has the zero value. A request may leave out whatever is zero;
// Validate says what is missing. An answer holds every number, text, switch and list,
// and leaves out what is unset: enums, digests, checksums, effects, times, objects that
// hold nothing. Members that only the plane may set are not known in either direction.
//
// # What is refused
//
// A reader refuses null, members that are not known, members that come twice, numbers
// out of range, texts that are not UTF-8, and anything behind the document, each with
// the dotted path of the member ([Error]). Types are not recursive, so neither is the
// reader; a list has at most MaxList entries, and no more is allocated than a small
// multiple of the document's length.
package protocol
