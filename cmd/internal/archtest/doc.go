// Package archtest holds esper's source to the design: who may import whom,
// which packages are pure, and a handful of facts about the repository.
//
// Everything is decided from the source text of the module and, for the types of
// other modules, from what the compiler exports of them. [Load] reads a
// file tree into a [Source]; every check is a function from a Source to
// findings, so that the tests can run the same functions over small trees with
// a planted violation. The tables are in rules.go, and a new package is added
// there first: a package that no rule names fails the test.
//
// # What a pure package may not do
//
//   - import anything that reaches outside the process or shares memory
//     (outsideImports, sharedImports), read a clock, print, draw a random number;
//   - start a goroutine, mention a channel, select;
//   - range over a map, or take its keys other than as slices.Sorted(maps.Keys(m));
//   - assign to a package variable from inside a function;
//   - use a function of package math whose result may depend on the machine;
//   - add or subtract a float product that no conversion has rounded, since the
//     compiler may fuse it: write s += float64(a * b);
//   - differ between machines: no build constraint, no cgo, no assembly.
//
// A package whose types cannot be resolved fails as well: what cannot be seen
// cannot be vouched for. The rule about products looks at one expression at a
// time; what the compiler fuses across statements or after inlining is caught
// by compiling the pure packages for arm64 and reading the instructions.
//
// # Mutants
//
// That no path in the tree masks a failure is no pattern in its text. It is held
// the other way round: a table of mutants, each a common way to substitute a
// value or to swallow an error, is planted into copies of the source one at a
// time, and the tests that the mutant names must fail (`make mutants`).
//
// # Who may start a goroutine
//
// Slow work is a job of the one shared worker, which the plane makes; a bounded
// number of them run, each with a deadline, and what does not end is reported.
// Everything else that starts a goroutine is listed in rules.go (Spawners) with
// what ends it.
//
// # What is written once
//
// Enums, names and numbers that more than one part knows are leyline's.
// [CheckEnums] and [CheckConstants] find another copy; a comment that begins
// with "enum: local because" or "constant: local because" allows one. [API]
// lists what every package exports; testdata/api holds that list, so that a
// change of a surface is seen in review. In the same way testdata/lint.txt holds
// what static analysis says (package cmd/internal/lint), and testdata/defects.toml
// the tests that keep out what is known to go wrong.
//
// # What is read
//
// Files read here are opened by the test process itself, so the test cache
// notices when one changes. Files behind "//go:build ignore" are programs of
// their own: only the checks of text apply to them.
package archtest
