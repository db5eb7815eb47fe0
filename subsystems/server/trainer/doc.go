// Package trainer is how a trainer in another process speaks to a plane: a Service that
// takes reports in either form of package protocol, and the HTTP routes over it. The
// framed lane stands on the same Service. What a trainer has to know is in
// leyline/PROTOCOL.md.
//
// # Whose run it is
//
// A run belongs to the principal that has opened it, which its record names. A report, a
// poll or a resume by another one is refused at the door (403, not_authorized) and never
// reaches the plane. The principal is what the server proved of the connection, never
// what a body says.
//
// # Order
//
// Submit has handed a report to the plane when it returns, so reports of one caller are
// decided in the order of their calls, and none waits for the one before to be durable.
// What the plane has to find out first, such as the digest of a snapshot's file, Submit
// waits for; a trainer has no answer outstanding when it reports anything but a step.
//
// # Repeats
//
// To send a report again is safe: the plane answers it from its log. The Service keeps
// nothing of a report but whose run it is about.
package trainer
