// Package sla tells from the records of a log how every rollback went, and holds
// what it took against its service level: 500 ms from the fast tier, 12 s from the
// full one, as configured. Nothing is measured here and nothing is believed that
// follows from records: times are differences of record times, and the verdict is
// computed again and compared with the one in rollback.finished.
//
// # Four parts
//
//	detect      the first bad step was reported -> the rollback started
//	decide      -> a snapshot was chosen, and its bytes prepared
//	restore     -> the trainer has restored it and the plane has confirmed that
//	first good  -> a healthy step was reported again
//
// The service level covers decide and restore, over every attempt: that is the time
// for which the run stands still because of the plane and its storage.
package sla
