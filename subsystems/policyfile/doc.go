// Package policyfile reads policy artifacts: the file of a policy, and the manifest that
// says what it is.
//
// # The artifact
//
// A file is TOML with the weights of the rules, or safetensors with the tensors of a
// network. Both hold numbers and names. Nothing else is read, whatever its name ends
// in: the bytes are looked at, and an archive, a pickle or a program is refused by its
// name. Nothing of a file is ever run.
//
// # The manifest
//
// It is TOML, beside the file under the file's name with ".manifest" behind it, or, in a
// safetensors file, the metadata entry "esper_policy":
//
//	id           = "careful"
//	version      = "3"
//	architecture = "rules/2"
//	format       = "toml"
//	sha256       = "…"          of the file; left out within the file itself
//	bytes        = 512          of the file; left out within the file itself
//	origin       = "trained"    or "hand_written", which has no run
//	run          = "run-1"
//	created      = "2026-11-26T21:00:00Z"
//
//	[[registries]]              what the outputs of the policy index
//	kind   = "operations"
//	size   = 9
//	sha256 = "…"
//
// A key that is not among these is refused, and so is a value that the contract in
// package leyline does not allow.
//
// # The store
//
// Store keeps files in one directory under the digest of their bytes. A file gets there
// in one durable step: it is written beside its place, synced, renamed, and the
// directory is synced. A crash leaves a file that no record names, or one that is not
// whole under another name: both are listed, and neither is ever used. A file is opened
// only if it is a regular one, never through a link, and is verified each time.
package policyfile
