//go:build !race

package decider_test

const raced = false
