// Package harness drives whole planes through situations that matter and checks
// from their logs what came of them. A scenario has a claim; it opens a real data
// directory, starts a real plane and trains a real network. Nothing is patched in:
// what is made slow or faulty is so behind an interface that production uses too.
//
// A scenario is added by an entry in All. It gets a Site, which makes data
// directories, and returns a Result: figures, checks and where the log lies.
package harness
