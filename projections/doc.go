// Package projections derives all state of a plane from its records.
//
// State is four projections (Tolaria, Tamiyo, Kasmina, Audit) and the plane's
// own facts. Apply assigns one event's results to them; it never decides,
// measures or reads a clock, and it never fails: an event that is in the log
// has happened. ApplyRecord folds a whole record. The same code runs in the
// plane, which applies each event as it is decided, and in replay.
//
// Digest is canonical: equal states have equal digests on every machine, and
// any difference in any field shows. Tables are slices sorted by their key;
// there are no maps.
//
// # Rewinding
//
// A rollback or a resume returns the parts of state that mirror the trainer's
// network to what they were when a snapshot was registered: step, running
// means, seeds, alphas, blends. Each projection keeps a memo of those parts
// with every registered snapshot and restores it on run.resumed and on a
// rollback.finished with outcome OK. Everything else is never rewound: keys,
// the replay ledger, pending commands, the emergency level, counters, and, by a
// rollback, conservative mode (a resume does rewind it, see Caution).
package projections
