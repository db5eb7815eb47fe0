// Package attack holds tests that attack a plane through its doors, as a stranger, a
// neighbour or a broken trainer would: real sockets, in front of a real plane. After each
// attack the plane has recorded nothing of it, and answers the next step.
//
// The attacks are those that have worked against servers of this kind: pages that rebind
// their name, requests that two readers end at different bytes, documents that are small
// and decode to much, names that lead out of a directory, peers that hold what they were
// given, one trainer that speaks for another. What one package can be attacked with alone
// is tested beside it: tokens, certificates and connections in package server, frames in
// leyline/frame and the lane, bodies in leyline/protocol.
package attack
