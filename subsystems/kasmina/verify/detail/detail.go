// Package detail holds the details of rejections, for people. They are apart from the
// verifier so that whoever derives a verdict again, without it, can compare them to the
// letter.
package detail

import (
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// TooLarge is the detail of a payload that is over the limit.
func TooLarge(n int) string {
	return fmt.Sprintf("the payload has %d bytes, at most %d are allowed", n, leyline.MaxCommandBytes)
}

// PayloadType is the detail of a payload that is no command.
func PayloadType() string { return "the payload type is not " + leyline.PayloadCommand }

// UnknownKey is the detail of a key that was never enrolled.
func UnknownKey(id leyline.KeyID) string { return fmt.Sprintf("no key %s is enrolled", short(id)) }

// KeyRevoked is the detail of a key that was revoked in a record.
func KeyRevoked(id leyline.KeyID, at leyline.Seq) string {
	return fmt.Sprintf("key %s was revoked in record %d", short(id), at)
}

// MissingSignature is the detail of an envelope without a signature.
func MissingSignature() string { return "the envelope carries no signature" }

// OtherIssuer is the detail of a command in somebody else's name.
func OtherIssuer() string { return "the key speaks for another issuer" }

// NotPermitted is the detail of a command that the key may not issue.
func NotPermitted(kind leyline.CommandKind, run leyline.RunID) string {
	return fmt.Sprintf("the key may not issue %s commands for run %s", kind, short(run))
}

// WrongAudience is the detail of a command for another log.
func WrongAudience(got, want string) string {
	return fmt.Sprintf("the command is for the log %s, this is %q", short(got), want)
}

// BadID is the detail of a command without a usable id.
func BadID(err error) string { return fmt.Sprintf("the command id %v", err) }

// Untimed is the detail of a command without a time of issue.
func Untimed() string { return "the command carries no time of issue" }

// Future is the detail of a command from the future.
func Future(ahead, skew time.Duration) string {
	return fmt.Sprintf("issued %v ahead, at most %v are allowed", ahead, skew)
}

// Stale is the detail of a command that is too old.
func Stale(ago, window time.Duration) string {
	return fmt.Sprintf("issued %v ago, at most %v are allowed", ago, window)
}

// TooLate is the detail of a command whose own time has passed.
func TooLate(notAfter leyline.Instant) string {
	return fmt.Sprintf("it was not to be carried out after %s", notAfter)
}

// Replayed is the detail of a command id that is in the ledger.
func Replayed() string { return "the command id was used before" }

// OldSequence is the detail of a sequence that is spent.
func OldSequence(got, high uint64) string {
	return fmt.Sprintf("sequence %d is not above %d", got, high)
}

// RateLimited is the detail of a key that has used up its minute.
func RateLimited(rate uint32) string {
	return fmt.Sprintf("the key may spend %d commands a minute and has done so", rate)
}

// QuotaFull is the detail of a key whose part of the ledger is full.
func QuotaFull(quota uint32) string {
	return fmt.Sprintf("%d command ids of this key are still replayable, its part of the ledger is full", quota)
}

// LedgerFull is the detail of a full ledger.
func LedgerFull(nonces uint32) string {
	return fmt.Sprintf("%d command ids are still replayable, the ledger is full", nonces)
}

// short quotes what a stranger wrote, and no more of it than an id may have.
func short[T ~string](s T) string {
	return fmt.Sprintf("%q", string(s[:min(len(s), leyline.MaxIDLen)]))
}
