// Package leyline holds the contracts that every part of esper shares: typed
// ids, enums, the inputs a plane accepts, the events its deciders emit,
// commands, answers, configuration and the kinds of refusal. It imports the
// standard library only and contains no behaviour beyond validation.
//
// # The record
//
// Everything a plane ever knew or did is a sequence of records. A record is a
// transition: one input and every event that the deciders derived from it.
//
//	Record{Seq, At, Run, Input, Events}
//
// Seq counts from 1 without gaps; record 1 is the log's origin and carries no
// transition. At is plane time, stamped once at the door; nothing after the
// door reads a clock. A record becomes durable as a whole or not at all.
//
// # Inputs and events
//
// An input says what was seen; an event says what was decided. State is a
// fold over events alone: an input changes nothing by itself, so an input
// that was refused leaves exactly one event, dependency.violated, and no other
// trace in any projection but the count of refusals. Events carry results (the
// new mean, the weights, the alpha), so a reducer only assigns them and an old
// log still folds after a rule has changed.
//
// Both can be validated, and to different ends: an invalid input is refused and
// recorded, an invalid event is neither decided nor read.
//
// Persisted types contain no Go map, no pointer, no interface and no any;
// floats keep their exact bits. Every enum's zero value means "not set" and is
// refused wherever a value is required. Codes and names are appended to and
// never reused. Stored types are version 1; package wire says how they may
// change, and testdata holds golden bytes.
//
// # What was not measured
//
// A figure that may be absent is an entry of a list that is ascending by an
// enum (TrainingMetrics, DecisionMetadata): what was not measured is not there,
// and nothing stands in for it. Figures that no contract knows are in a bounded
// list ascending by name (Extra). There is one form for the same content.
//
// # Posture
//
// A trainer says how it runs its framework when it opens a run (Posture). A
// switch that was not declared is missing, not off. The configuration holds the
// baseline; package guard compares, and refuses. Compiled code that is given up
// later is an input of its own (CompileFallback).
//
// # Who talks to whom
//
// A trainer sends inputs (RunOpened, StepObserved, SnapshotTaken, ...) and
// receives an Answer. An Answer holds what the record decided and the
// directives that became durable since the trainer's cursor. Directives are
// the only way a plane asks for anything: run a verified command, restore a
// snapshot, set learning rates, rebuild the optimizer, halt. What the trainer made
// of an order about its optimizer travels with its next report (OrderAck).
//
// Beside that, a plane publishes the highest emergency level where a trainer on the
// same machine sees it without asking: package signal.
package leyline
