package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

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

// signedNote is the newest checkpoint that a log has signed.
type signedNote struct {
	checkpoint tree.Checkpoint // zero: none
	unrecorded []byte          // its text, if the process stopped before it was a record
}

// checkNote compares the log with the newest checkpoint that was signed for it.
// Whatever the reason, a log that does not continue it must not sign another. With
// an error the result tells of a checkpoint if it is genuine.
func (v *survey) checkNote(dir string, o Origin) (*signedNote, error) {
	b, err := readSmall(filepath.Join(dir, noteName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return new(signedNote), nil
	}
	if err != nil {
		return nil, err
	}
	damage := func(reason error) error { return &DamageError{Segment: noteName, Reason: reason.Error()} }
	if len(o.LogKey) == 0 {
		return nil, damage(errors.New("there is a checkpoint, but the origin of the log names no key"))
	}
	verifier, err := tree.NewVerifier(o.Name, o.LogKey)
	if err != nil {
		return nil, damage(err)
	}
	c, err := tree.OpenCheckpoint(b, verifier)
	if err != nil {
		return nil, damage(err)
	}
	n := &signedNote{checkpoint: c}
	if uint64(c.Size) > v.seq {
		return n, &DamageError{Segment: noteName, Seq: v.seq + 1,
			Reason: fmt.Sprintf("the log has signed a checkpoint of %d records and now ends at record %d: records were lost, or this is an older copy", c.Size, v.seq)}
	}
	if err := v.checkRoot(dir, c); err != nil {
		return nil, err
	}
	if recorded, err := v.records(dir, c, b); err != nil {
		return nil, err
	} else if !recorded {
		n.unrecorded = b
	}
	return n, nil
}

// checkRoot compares the stored tree with a checkpoint.
func (v *survey) checkRoot(dir string, c tree.Checkpoint) error {
	root := v.tree.Root()
	if uint64(c.Size) < v.seq {
		stored, err := v.stored(dir)
		if err != nil {
			return err
		}
		defer stored.close()
		if root, err = tlog.TreeHash(c.Size, stored); err != nil {
			return &DamageError{Segment: hashesName, Reason: fmt.Sprintf("cannot compute the root of %d records: %v", c.Size, err)}
		}
	}
	if root == c.Root {
		return nil
	}
	// Is it the records that differ, or only their stored hashes?
	if v.pruned == nil {
		if root, err := rootOf(dir, uint64(c.Size)); err == nil && root == c.Root {
			return &DamageError{Segment: hashesName,
				Reason: fmt.Sprintf("the stored hashes do not lead to the root of %d records that the log has signed, though the records do; `esper log repair` makes them again", c.Size)}
		}
	}
	return &DamageError{Segment: noteName, Seq: uint64(c.Size),
		Reason: fmt.Sprintf("the log has signed another tree of %d records than the one that it holds: records, or their stored hashes, were changed", c.Size)}
}

// rootOf computes the root of the first size records from the records.
func rootOf(dir string, size uint64) (tree.Hash, error) {
	var t tree.Frontier
	var frame []byte
	var hashes []tree.Hash
	for e, err := range readRange(dir, 1, size) {
		if err != nil {
			return tree.Hash{}, err
		}
		frame = AppendFrame(frame[:0], e)
		hashes = t.Append(hashes[:0], tree.LeafHash(LeafHash(frame)))
	}
	return t.Root(), nil
}

// records reports whether a checkpoint is among the records. It became one, if
// it did, soon after what it covers.
func (v *survey) records(dir string, c tree.Checkpoint, signed []byte) (bool, error) {
	if bytes.Equal(v.note, signed) {
		return true, nil
	}
	if uint64(c.Size)+1 >= v.tail.first {
		return false, nil // then it would be in the segment that was read
	}
	for e, err := range readRange(dir, uint64(c.Size)+1, v.tail.first-1) {
		if err != nil {
			return false, err
		}
		if e.Kind == KindCheckpoint && bytes.Equal(e.Payload, signed) {
			return true, nil
		}
	}
	return false, nil
}

// storedHashes reads the hashes of a tree: those of sealed records from their
// file, the others from memory.
type storedHashes struct {
	f      *os.File // nil: nothing is sealed
	sealed int64    // number of hashes in it
	rest   []tree.Hash
}

func (v *survey) stored(dir string) (*storedHashes, error) {
	s := new(storedHashes)
	if n := len(v.seals); n > 0 {
		f, err := os.Open(filepath.Join(dir, hashesName))
		if err != nil {
			return nil, err
		}
		s.f, s.sealed = f, tree.StoredCount(int64(v.seals[n-1].next-1))
	}
	for _, f := range v.fresh {
		s.rest = append(s.rest, f.hashes...)
	}
	s.rest = append(s.rest, v.hashes...)
	return s, nil
}

// ReadHashes implements tlog.HashReader.
func (s *storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= s.sealed {
			if x-s.sealed >= int64(len(s.rest)) {
				return nil, fmt.Errorf("%w: hash %d", ErrNotFound, x)
			}
			list[i] = s.rest[x-s.sealed]
			continue
		}
		if _, err := s.f.ReadAt(list[i][:], x*int64(hashSize)); err != nil {
			return nil, fmt.Errorf("cannot read hash %d: %w", x, err)
		}
	}
	return list, nil
}

func (s *storedHashes) close() {
	if s.f != nil {
		s.f.Close() // opened for reading only: nothing to lose
	}
}
