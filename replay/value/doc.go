// Package value measures what the rules policy is worth: whole runs on real data, in
// real planes with real logs, of the same networks with and without it.
//
// What is compared, with how many seeds, by which outcome and which statistics is fixed
// in a protocol (Protocol), whose digest stands in every row of results. An Experiment
// performs it: for every workload and seed the run that the rules decide, then its
// controls, some of which are made to match it. A Row is what came of one run; rows are
// kept as JSON lines, one durable line per run, so that an experiment that was stopped
// goes on where it was. Analyse makes a Report of rows, and of nothing else.
package value
