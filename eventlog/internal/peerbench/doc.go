// Command peerbench compares the event log with the logs that others have
// built, on one disk and in one run: durable appends by concurrent producers,
// and sequential reads. It is a module of its own, so that what the peers
// depend on stays out of the module of esper.
//
//	go run . -dir DIR append [-sizes 256,1024,4096] [-producers 1,8,64,256] [-seconds 1]
//	go run . -dir DIR read [-records 1000000] [-size 256]
//
// Both take -rounds 5, -peers LIST and -json.
//
// # What makes the numbers comparable
//
// A disk changes from minute to minute, so a number of one peer says little
// without the number of another from the same moment. Each round visits every
// peer, and each round begins with the next one. A ratio is computed within a
// round; what is printed is the median of these ratios, not the ratio of two
// medians.
//
// How waiting records are grouped matters more than what writes them. All
// peers are driven by the same frontEnd, whose rule is told there. Only
// a peer that says so brings a front end of its own.
//
// Every peer is in its default configuration, except that it logs nothing.
// Creating a log, and zero-filling a file, is not part of the time measured.
package main
