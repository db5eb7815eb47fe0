// Package wire turns records, commands, configurations, keys and projections
// into bytes and back. It is pure: no clock, no files, no goroutines.
//
// # Format
//
// The format is msgpack without maps. A value of a Go type is stored as
//
//	bool             bool
//	integers         the shortest msgpack integer that holds the value
//	enums            their code, as an integer
//	float64          float64, bit for bit, NaN payloads included
//	string           str, bytes as they are
//	[]byte, [n]byte  bin
//	other slices     array; nil and empty are both stored as the empty array
//	structs          array of the fields in the order of their declaration
//
// Maps, pointers, interfaces, float32 and unexported fields have no stored
// form: a type that holds one is refused. A stored struct never changes its
// fields; a changed struct is a new version of its kind.
//
// The payload of a log frame is one array, with the frame holding sequence and
// time:
//
//	[wall, run, input kind, input version, input body,
//	 [[event kind, event version, event body], ...]]
//
// Bodies are nested arrays and not bin, so that a record is read in one pass
// and any msgpack tool can print it.
//
// # Guarantees
//
// Every value has exactly one encoding, and a decoder accepts nothing else:
// accepted bytes encode to themselves again. Refused are integers and lengths
// that are not in their shortest form or out of the field's range, nil, unknown
// kinds, versions and enum codes, structs with another number of fields, and
// trailing bytes. Enum code 0, "not set", is accepted; whether a field may be
// unset is for Validate to say. Empty slices decode to nil.
//
// DecodeRecord asks Validate of every event, so a record in which one lacks a
// mandatory field is refused, as no plane wrote it. Inputs are decoded as they
// came in, valid or not.
//
// What can be encoded can be decoded, provided that its events are valid, which
// projections.Turn sees to: encoders refuse unknown enum codes and whatever
// exceeds the limits of their decoder.
//
// Decoders are safe on hostile bytes. Guard runs first, and nothing is
// allocated for an array before its shortest possible encoding is known to be
// there. Encoding goes through the msgpack library. Decoding does not: the
// library's decoder wraps integers silently, takes nil for any value, allocates
// what a length field asks for and recurses as deep as the input likes. Tests
// read every stored type with it, as an independent reader.
//
// # Versions
//
// Every kind has versions of its own, counted from 1; the newest is written, and
// every one is read. Golden bytes of one populated value of version N of a kind
// are in testdata/wire/vN and are what "still readable" is tested against. Until
// esper's first release a struct may change and its vector be written again;
// from then on a changed struct is a new version, beside a former one (see
// registry.go) that says how the old is read and what it had to hold, and no vector
// changes any more. A record of a former version does not encode to itself: it is
// read, and never written again. Payloads have one version so far, which is part of
// the payload type that is signed; the first change to one brings the next type.
package wire
