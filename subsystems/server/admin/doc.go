// Package admin is how an operator reaches a plane over HTTP: signed commands, keys
// that the admin key vouches for, the teacher of a run, the reset of its registry.
//
// # Routes
//
//	POST   /v1/commands                    a signed command
//	POST   /v1/runs/{run}/registry/reset   the same; it must be a reset of this run
//	POST   /v1/keys                        what the admin key has signed: a key, or a revocation
//	POST   /v1/runs/{run}/teacher          the trainer's: register a teacher
//	DELETE /v1/runs/{run}/teacher?id=ID    the trainer's: deregister it
//	POST   /v1/policies                    the import of a policy, signed by the admin key or one for POLICY commands
//	GET    /v1/policies                    the policies that were imported, and which of them decide
//	GET    /v1/plane                       name of the log, plane time, runs
//	GET    /v1/keys/{key}                  whose a key is, what it may, its last sequence
//
// Whoever passes the guards of package server may read. Whoever they can name also speaks
// for the trainer of a run of this process; for another run only the principal that has
// opened it does. To command takes a key that is enrolled.
//
// # Envelopes
//
// An envelope is application/json in the form of DSSE with one signature,
//
//	{"payloadType": "application/vnd.esper.command.v1+msgpack", "payload": "3wAP...",
//	 "signatures": [{"keyid": "5f2c...", "sig": "Mk9d..."}]}
//
// or application/msgpack as leyline/wire encodes an Envelope. The payload is verified
// as the bytes that it is and never encoded again. `esper command --out FILE` writes
// such a document.
//
// Field names are exact. A field that is not known or comes twice is refused by its
// name, and so are null and anything behind the document.
//
// # Verdicts
//
//	202  accepted: {"verdict":"accepted","record":412,"command":"op-...","run":"run-1",
//	     "at":"2026-...","deadline":"2026-...","settled":true}
//
// The verdict on a command that changes the network comes with the trainer's next
// report, so it may take as long as a step. A client that goes before then has
// withdrawn the command.
//
// settled says that the plane has carried the command out itself; else the trainer is
// to answer by the deadline. A rejection is a problem document (RFC 9457) whose kind is
// the reason, with the members verdict, reason, record, command and run beside the usual
// ones. Its status says whose turn it is:
//
//	400  the command cannot be read, or lacks its id or its time
//	403  the key: unknown, revoked, no or another signature, not permitted
//	404  there is no such run, seed, blueprint, teacher or policy
//	409  the state forbids it now; also nonce_replayed, sequence_replayed
//	413  too large
//	422  it is for another log, too old, from the future, or of no use here
//	429  too many commands of this key
//	503  the ledger against replays is full
//
// To send an envelope again is safe: it is answered with nonce_replayed, and nothing is
// carried out twice. The record of the first verdict is in the log (`esper audit`).
//
// # From a shell
//
//	curl --unix-socket s -d @command.json -H 'Content-Type: application/json' http://esper/v1/commands
//	curl --unix-socket s -d @key.json -H 'Content-Type: application/json' http://esper/v1/keys
//	curl --unix-socket s -d '{"id":"t1","parameters":[{"name":"teacher.weight","size":4096}],"bytes":16384,
//	  "digest":"9f86d0..."}' -H 'Content-Type: application/json' http://esper/v1/runs/run-1/teacher
//	curl --unix-socket s -X DELETE 'http://esper/v1/runs/run-1/teacher?id=t1'
//	curl --unix-socket s http://esper/v1/plane
package admin
