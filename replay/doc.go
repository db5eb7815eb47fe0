// Package replay runs a log again and says whether it comes out the same.
//
// # Three strengths
//
//	fold      applies the recorded events and digests every projection. Trusts
//	          the events; finds records that cannot be read or folded.
//	redecide  gives every recorded input to the deciders, on the state they had,
//	          and compares what they decide with what was recorded, byte for
//	          byte in the stored form. Stops at the first difference.
//	whatif    like redecide, but history stays as it was: every record is decided
//	          on the state that the recorded events lead to, under another
//	          configuration if one is given, and all differences are counted.
//
// Nothing is ever written. A record decided by another version of the rules
// (plane.started says which) is folded and counted, never compared.
//
// # What identical means
//
// Records Redecided of the report were decided again and their events equal the
// recorded ones bit for bit, NaN payloads included; the digests are those of
// the state that this leads to. What the inputs say is taken as it is: only
// signatures of commands, configurations and keys are verified again.
//
// # Another configuration
//
// With Options.Config, the given configuration is in force wherever the recorded
// one was adopted, from the next record on. The record that adopts it is not a
// difference, so the first divergence is the first decision that differs. The
// digests still are those of the recorded history.
//
// # Bundles
//
// A bundle is one file that reproduces an incident alone: the state before it
// and the records of it. WriteBundle cuts one out of a log, OpenBundle accepts
// only what WriteBundle makes, and Bundle.Source and Bundle.Start are given to
// Run. See Header for the format.
//
// # Damaged and crafted logs
//
// Errors name the record. A record that no plane can have written, such as one
// that rolls back to a snapshot that was never registered, is an error too and
// never a panic.
package replay
