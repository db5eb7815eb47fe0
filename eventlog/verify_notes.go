package eventlog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// signedNotes is what is known about the origins of a log and about the
// checkpoints that they have signed.
type signedNotes struct {
	vkey      note.Verifier // from outside; nil: none
	vkeyText  string
	origins   []Origin // those that were met
	sizes     []uint64 // up to where the log was that of the origin before it
	originSeq uint64   // number of the newest origin record
	file      *wantedRoot
	outside   *wantedRoot
	previous  []previousNote
	newest    []byte // the newest record that is a checkpoint of the newest origin
}

// wantedRoot is a checkpoint that is known before the tree has its size.
type wantedRoot struct {
	signed []byte
	claim  tree.Checkpoint // before its signature was checked
	root   tree.Hash       // of the log at that size
	met    bool            // root was computed
	err    error           // why it is no checkpoint
}

func newWanted(signed []byte) *wantedRoot {
	w := &wantedRoot{signed: signed}
	w.claim, w.err = tree.ReadCheckpoint(signed)
	return w
}

// readNotes reads the checkpoint of the log, and what was given from outside.
func (v *verifier) readNotes() error {
	if v.o.Key != "" {
		var err error
		if v.notes.vkey, err = tree.ParseVerifierKey(v.o.Key); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		v.notes.vkeyText = string(bytes.TrimSpace([]byte(v.o.Key)))
	}
	if v.o.Checkpoint != nil {
		v.notes.outside = newWanted(v.o.Checkpoint)
		if err := v.notes.outside.err; err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if err := v.readPrevious(); err != nil {
		return err
	}
	b, err := readSmall(filepath.Join(v.dir, noteName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v.notes.file = newWanted(b)
	return nil
}

// reach notes the root when the tree has the size of a checkpoint.
func (n *signedNotes) reach(t *tree.Frontier) {
	n.file.reach(t)
	n.outside.reach(t)
	for _, p := range n.previous {
		p.reach(t)
	}
}

func (w *wantedRoot) reach(t *tree.Frontier) {
	if w != nil && w.err == nil && w.claim.Size == t.Size() {
		w.root, w.met = t.Root(), true
	}
}

// succeed takes over an origin.
func (n *signedNotes) succeed(o Origin) {
	if len(n.origins) > 0 && o.Previous != nil {
		n.sizes = append(n.sizes, o.Previous.Size)
	}
	n.origins = append(n.origins, o)
	n.newest = nil
}

// current returns the newest origin.
func (n *signedNotes) current() (Origin, bool) {
	if len(n.origins) == 0 {
		return Origin{}, false
	}
	return n.origins[len(n.origins)-1], true
}

// verifier returns what checks the signatures of an origin.
func (n *signedNotes) verifier(o Origin) (note.Verifier, error) {
	if n.vkey != nil && n.vkey.Name() == o.Name {
		return n.vkey, nil
	}
	if len(o.LogKey) == 0 {
		return nil, fmt.Errorf("there is a checkpoint, but the origin %q names no key", o.Name)
	}
	return tree.NewVerifier(o.Name, o.LogKey)
}

// originRecord compares an origin with what it continues.
func (v *verifier) originRecord(e *Entry) {
	bad := func(reason string) {
		v.add(Finding{Severity: SeverityDamage, Segment: segmentPath(v.reading), Offset: v.fr.off, Seq: e.Seq, Reason: reason, Fix: fixBackup})
	}
	var o Origin
	if err := o.UnmarshalBinary(e.Payload); err != nil {
		bad(err.Error())
		return
	}
	old, ok := v.notes.current()
	p := o.Previous
	switch {
	case p == nil && e.Seq > 1 || p != nil && e.Seq == 1:
		bad("the origin does not continue the records before it")
	case p != nil && ok && p.Name != old.Name:
		bad(fmt.Sprintf("the origin says that it continues %q, but the records before it are those of %q", p.Name, old.Name))
	case p != nil && v.known && v.tree.Root() != p.Root:
		bad(fmt.Sprintf("the origin says that it continues other records than the %d before it", p.Size))
	}
	v.notes.succeed(o)
	v.notes.originSeq = e.Seq
}

// checkpointRecord checks a checkpoint among the records.
func (v *verifier) checkpointRecord(e *Entry) error {
	bad := func(reason string) error {
		v.add(Finding{Severity: SeverityDamage, Segment: segmentPath(v.reading), Offset: v.fr.off, Seq: e.Seq, Reason: reason, Fix: fixBackup})
		return nil
	}
	o, ok := v.notes.current()
	if !ok {
		return nil // record 1 is damaged, which was reported
	}
	check, err := v.notes.verifier(o)
	if err != nil {
		return bad(err.Error())
	}
	c, err := tree.OpenCheckpoint(e.Payload, check)
	if err != nil {
		return bad(err.Error())
	}
	if uint64(c.Size) >= e.Seq {
		return bad(fmt.Sprintf("the checkpoint is of %d records, but only %d come before it", c.Size, e.Seq-1))
	}
	root, ok, err := v.rootAt(c.Size)
	switch {
	case err != nil:
		return err
	case !ok:
		v.add(Finding{Severity: SeverityNote, Segment: segmentPath(v.reading), Offset: v.fr.off, Seq: e.Seq,
			Reason: fmt.Sprintf("the root of the first %d records is not known because of other damage, so that this checkpoint was not compared", c.Size), Fix: "mend the other damage first", cure: cureNoNeed})
	case root != c.Root:
		return bad(fmt.Sprintf("the checkpoint is of another tree of %d records than the one before it: records were changed", c.Size))
	default:
		v.out.Checkpoints++
	}
	v.notes.newest = bytes.Clone(e.Payload)
	return nil
}

// rootAt computes the root of the tree of fewer records than were read.
func (v *verifier) rootAt(size int64) (tree.Hash, bool, error) {
	if root, ok := v.recent.root(size); ok && v.known {
		return root, true, nil
	}
	if tree.StoredCount(size) > v.hashes.right {
		return tree.Hash{}, false, nil
	}
	root, err := tlog.TreeHash(size, &v.hashes)
	return root, err == nil, err
}

// judgeNotes compares the checkpoints outside of the records with the log.
func (v *verifier) judgeNotes() error {
	v.checkKey()
	v.judgePrevious()
	n := &v.notes
	o, ok := n.current()
	if w := n.file; w != nil && ok {
		f := Finding{Severity: SeverityDamage, Segment: noteName, Fix: "`esper log repair` puts the newest checkpoint among the records in its place; if there is none, put the newest one that was exported there", cure: cureNote}
		v.judgeNote(w, o, f)
	}
	if n.file == nil && n.newest != nil && !v.live {
		v.add(Finding{Severity: SeverityNote, Segment: noteName, Reason: "the file is missing, though the log has signed checkpoints", Fix: "put the newest one that was exported there; otherwise the next that is signed is stored there", cure: cureNoNeed})
	}
	if n.outside == nil {
		return nil
	}
	f := Finding{Severity: SeverityDamage, Segment: segmentsName, Fix: "somebody must explain this: either the log was changed, or its key was misused"}
	for i, o := range n.origins {
		if o.Name != n.outside.claim.Origin {
			continue
		}
		if i < len(n.sizes) && uint64(n.outside.claim.Size) > n.sizes[i] {
			f.Seq, f.Reason = n.sizes[i]+1, fmt.Sprintf("the given checkpoint of %q has %d records, of which only %d were taken over", o.Name, n.outside.claim.Size, n.sizes[i])
			v.add(f)
			return nil
		}
		v.judgeNote(n.outside, o, f)
		return nil
	}
	f.Reason = fmt.Sprintf("the given checkpoint is of %q, which this log never was", n.outside.claim.Origin)
	v.add(f)
	return nil
}

// judgeNote compares one checkpoint. f is the finding that is lacking its reason.
func (v *verifier) judgeNote(w *wantedRoot, o Origin, f Finding) {
	check, err := v.notes.verifier(o)
	if err == nil {
		_, err = tree.OpenCheckpoint(w.signed, check)
	}
	if err == nil {
		err = strictBase64(w.signed)
	}
	size := uint64(w.claim.Size)
	switch {
	case err != nil:
		f.Reason = err.Error()
	case size > v.seq:
		f.Severity, f.Seq, f.Fix, f.cure = SeverityLoss, v.seq+1, fixOrigin, cureNone
		f.Reason = fmt.Sprintf("the log has signed a checkpoint of %d records and now ends at record %d: records were lost, or this is an older copy", size, v.seq)
	case !w.met && size > 0:
		f.Severity, f.Fix, f.cure = SeverityNote, "mend the other damage first", cureNoNeed
		f.Reason = fmt.Sprintf("the root of the first %d records is not known because of other damage, so that the checkpoint was not compared", size)
	case size > 0 && w.root != w.claim.Root:
		f.Seq, f.Fix, f.cure = size, fixBackup, cureNone
		f.Reason = fmt.Sprintf("the log has signed another tree of %d records than the one that it holds: records were changed", size)
	default:
		v.out.Checkpoints++
		return
	}
	v.add(f)
}

// strictBase64 refuses signatures with other spellings, which package note reads
// as the same: the log writes only one.
func strictBase64(signed []byte) error {
	for line := range strings.Lines(string(signed)) {
		sig, ok := strings.CutPrefix(line, "\u2014 ")
		if !ok {
			continue
		}
		_, text, _ := strings.Cut(strings.TrimSuffix(sig, "\n"), " ")
		if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil {
			return fmt.Errorf("the signature is not as it was written: %w", err)
		}
	}
	return nil
}

// checkKey compares the key from outside with the one that the log names.
func (v *verifier) checkKey() {
	if v.notes.vkey == nil {
		return
	}
	f := Finding{Severity: SeverityDamage, Segment: segmentsName, Fix: "use the key that the log was given when it was created; if this is it, the log was replaced"}
	for _, o := range v.notes.origins {
		if o.Name != v.notes.vkey.Name() {
			continue
		}
		if named, err := tree.VerifierKey(o.Name, o.LogKey); err != nil || named != v.notes.vkeyText {
			f.Reason = fmt.Sprintf("the origin %q names another key than the given one", o.Name)
			v.add(f)
		}
		return
	}
	f.Reason = fmt.Sprintf("the given key is of %q, which this log never was", v.notes.vkey.Name())
	v.add(f)
}

// keptOf returns where a repair record says that it kept what it changed.
func keptOf(payload []byte) string {
	var r storedRepair
	if err := json.Unmarshal(payload, &r); err != nil {
		return "" // of another version: not one of this program
	}
	return r.Kept
}
