package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/esper-plane/esper/eventlog/tree"
)

// Checkpoints says when a log signs a checkpoint: a statement about the tree of
// all durable records, in the format of C2SP tlog-checkpoint, under the name of
// its origin. It is written to the file checkpoint, handed to Export, and then
// becomes a record of the log at the next Claim or at Close; one that a newer one
// overtakes before that is only exported.
type Checkpoints struct {
	// Key is the private half of Origin.LogKey. Nil means that nothing is
	// signed.
	Key ed25519.PrivateKey
	// Records is how many records may be without a checkpoint; 0 means 4096.
	Records uint64
	// Age is how long a record may be without a checkpoint; 0 means 10 s. Less
	// is signed at Close.
	Age time.Duration
	// Export hands a signed checkpoint to others: whatever is rewritten later,
	// they can prove it. An error is logged, kept for ExportError, and the
	// newest checkpoint is tried again when the next one is due. Nil means that
	// nobody else is told. It runs in a goroutine of the log, one call at a time.
	Export func(signed []byte) error
}

// constant: local because a log knows bytes and imports nothing of esper; the
// plane passes the figures of its configuration.
const (
	defaultCheckpointRecords = 4096
	defaultCheckpointAge     = 10 * time.Second
	maxNote                  = 64 << 10 // longer than a checkpoint with a thousand signatures
)

func (c *Checkpoints) check(o Origin) error {
	if c.Key == nil {
		return nil
	}
	if len(c.Key) != ed25519.PrivateKeySize {
		return fmt.Errorf("%w: the key that signs checkpoints has %d bytes, not %d", ErrInvalid, len(c.Key), ed25519.PrivateKeySize)
	}
	if !bytes.Equal(c.Key.Public().(ed25519.PublicKey), o.LogKey) {
		return fmt.Errorf("%w: log %s", ErrWrongKey, o.Name)
	}
	return nil
}

// notary signs checkpoints. A nil notary signs nothing.
type notary struct {
	log    *Log
	signer note.Signer
	wake   chan struct{}
	quit   chan struct{}
	idle   sync.WaitGroup
	once   sync.Once

	mu      sync.Mutex
	size    uint64 // records under the newest checkpoint
	pending []byte // signed, not yet a record
	claimed uint64 // number of the record that offered will be; 0: none
	offered []byte // what was pending when the number was claimed
	late    []byte // signed, not yet exported
	export  error  // why not
	closed  bool
}

func (l *Log) startNotary(newest *signedNote) {
	c := l.opts.Checkpoints
	if c.Key == nil {
		return
	}
	signer, err := tree.NewSigner(l.origin.Name, c.Key)
	if err != nil {
		// Invariant: the origin was validated and the key was checked.
		panic(fmt.Sprintf("eventlog: no signer for %q: %v", l.origin.Name, err))
	}
	l.notary = &notary{log: l, signer: signer, size: uint64(newest.checkpoint.Size), pending: newest.unrecorded, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	l.notary.idle.Go(l.notary.run)
}

// run signs whenever the cadence demands it. What it cannot write poisons the
// log, because a checkpoint that was signed must not be forgotten.
func (n *notary) run() {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	armed := false
	c := n.log.opts.Checkpoints
	for {
		select {
		case <-n.quit:
			return
		case <-n.wake:
			if n.uncovered() < c.Records {
				if !armed && n.uncovered() > 0 {
					armed = true
					timer.Reset(c.Age)
				}
				continue
			}
		case <-timer.C:
		}
		timer.Stop()
		armed = false
		if n.log.state.Load().err != nil {
			return // poisoned: nothing is written any more
		}
		if err := n.sign(); err != nil {
			n.log.fail(fmt.Errorf("cannot store a checkpoint: %w", err))
			return
		}
	}
}

// grown tells the notary that there are more durable records.
func (n *notary) grown() {
	if n == nil {
		return
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// uncovered counts the records that no checkpoint covers.
func (n *notary) uncovered() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.state.Load().durable - n.size
}

// sign makes a checkpoint of everything durable and stores and exports it.
func (n *notary) sign() error {
	t := n.log.merkle.signable()
	signed, err := tree.Checkpoint{Origin: n.log.origin.Name, Size: t.Size(), Root: t.Root()}.Sign(n.signer)
	if err != nil {
		return err
	}
	name := filepath.Join(n.log.dir, noteName)
	if err := replaceFile(n.log.fsys, name+tempSuffix, name, bytes.NewReader(signed)); err != nil {
		return err
	}
	n.mu.Lock()
	n.size, n.late, n.pending = uint64(t.Size()), signed, signed
	n.mu.Unlock()
	n.hand(signed)
	return nil
}

// hand exports a checkpoint.
func (n *notary) hand(signed []byte) {
	export := n.log.opts.Checkpoints.Export
	if export == nil {
		return
	}
	err := export(signed)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.export = err
	if err != nil {
		n.log.opts.Logger.Error("a checkpoint was not exported; the next one will be", "records", n.size, "error", err)
		return
	}
	n.late = nil
}

// stop ends the goroutine.
func (n *notary) stop() {
	if n == nil {
		return
	}
	n.once.Do(func() { close(n.quit) })
	n.idle.Wait()
}

// Claim offers the log the number seq, which must be the next one that the
// caller would use, for a record of its own. If it returns true the caller goes
// on with seq+1, and the log adds its record to the group whose first entry
// after seq follows it. It is how checkpoints become records although the
// caller numbers records before they are appended.
func (l *Log) Claim(seq uint64) bool {
	n := l.notary
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.claimed == seq {
		return true // its group was refused, and another one begins in the same place
	}
	if n.pending == nil || n.claimed != 0 || n.closed {
		return false
	}
	n.claimed, n.offered = seq, n.pending
	return true
}

// withClaim adds the record that was claimed to the group that begins at, or
// jumps over, its number, and reports whether it did.
func (l *Log) withClaim(next uint64, group []Entry) (uint64, []Entry, bool) {
	n := l.notary
	if n == nil || len(group) == 0 {
		return next, group, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, e := range group {
		if n.claimed == 0 || e.Seq != n.claimed+1 {
			continue
		}
		own := Entry{Seq: n.claimed, At: e.At, Kind: KindCheckpoint, Payload: n.offered}
		merged := append(append(append(make([]Entry, 0, len(group)+1), group[:i]...), own), group[i:]...)
		return min(next, own.Seq), merged, true
	}
	return next, group, false
}

// settle forgets the claim when the group that holds its record was accepted: one
// that is refused changes nothing.
func (n *notary) settle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if bytes.Equal(n.pending, n.offered) {
		n.pending = nil
	}
	n.offered, n.claimed = nil, 0
}

// signLast makes the checkpoint of a log that is being closed, unless nothing
// but a checkpoint has come since the last one, and records it.
func (l *Log) signLast() error {
	n := l.notary
	if n == nil {
		return nil
	}
	durable := l.state.Load().durable
	bare := n.close()
	if l.lastKind == KindCheckpoint {
		bare++
	}
	if durable > bare {
		if err := n.sign(); err != nil {
			return err
		}
	} else if late := n.unexported(); late != nil {
		n.hand(late)
	}
	pending := n.unrecorded()
	if pending == nil {
		return nil
	}
	own := Entry{Seq: durable + 1, At: l.lastAt, Kind: KindCheckpoint, Payload: pending}
	if err := l.write([]Entry{own}); err != nil {
		return err
	}
	l.publish(own.Seq, nil)
	return nil
}

// close ends claims and returns how many records are under a checkpoint.
func (n *notary) close() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed, n.claimed, n.offered = true, 0, nil
	return n.size
}

func (n *notary) unexported() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.late
}

func (n *notary) unrecorded() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pending
}

// ExportError returns why the newest checkpoint was not exported, nil if it was
// or there is none to export.
func (l *Log) ExportError() error {
	if l.notary == nil {
		return nil
	}
	l.notary.mu.Lock()
	defer l.notary.mu.Unlock()
	return l.notary.export
}
