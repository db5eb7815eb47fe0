//go:build !race

package plane_test

// race says that the race detector is on: everything takes ten times as long.
const race = false
