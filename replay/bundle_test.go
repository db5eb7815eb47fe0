package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

var update = flag.Bool("update", false, "rewrite testdata")

// bundled cuts the rollback of the incident out, with some records around it.
func bundled(t testing.TB, h *history) ([]byte, BundleInfo) {
	t.Helper()
	from, to, err := AroundRollback(h.entries(), 6, 4)
	must(t, err)
	var b bytes.Buffer
	info, err := WriteBundle(&b, h.entries(), from, to, BundleMeta{By: "test", Note: "a NaN in step 14"})
	must(t, err)
	return b.Bytes(), info
}

func TestBundleReplaysOnItsOwn(t *testing.T) {
	h := incident(t)
	raw, info := bundled(t, h)
	b, err := OpenBundle(bytes.NewReader(raw))
	must(t, err)
	if d := cmp.Diff(info.Header, b.Header()); d != "" || info.Digest != b.Digest() || info.Bytes != uint64(len(raw)) {
		t.Errorf("what was written is not what is read:\n%s", d)
	}
	start, finish := h.find(leyline.EventRollbackStarted).Seq, h.find(leyline.EventRollbackFinished).Seq
	head := b.Header()
	if head.From != start-6 || head.To != finish+4 || head.Before != head.From-1 || head.Records != uint64(finish-start+11) {
		t.Errorf("the rollback of records %d to %d is cut as %+v", start, finish, head)
	}
	if head.Origin != origin || head.Decider != decider.Version || head.Build.Go != "go1.26" {
		t.Errorf("the process that decided it is given as %+v", head)
	}
	for range 2 { // a bundle can be replayed again
		r := replayed(t, b.Source(), Options{Start: b.Start()})
		want := replayed(t, h.entries(), Options{To: head.To})
		if !r.Identical || r.Redecided != head.Records || !cmp.Equal(want.Digests, r.Digests) {
			t.Errorf("of %d records %d were decided again, ending elsewhere than the log: %s", head.Records, r.Redecided, r.Divergence)
		}
	}
}

// TestAroundEveryAttempt: bytes that cannot be read lead to an older snapshot
// within the same record; that is one incident.
func TestAroundEveryAttempt(t *testing.T) {
	h := begin(t, decider.Version)
	h.steps(12)
	h.fault()
	start := h.seq
	h.feed(leyline.RollbackReported{Run: runID, Incarnation: h.inc, Rollback: h.run().Rollback.ID, Phase: leyline.PhasePrepare,
		Outcome: leyline.OutcomeFailed, Reason: "cannot read"})
	h.rollback()
	end := h.seq
	h.steps(2)
	for _, c := range []struct {
		before, after int
		from, to      leyline.Seq
	}{{0, 0, start, end}, {2, 1, start - 2, end + 1}, {1000, 1000, 2, h.seq}} {
		from, to, err := AroundRollback(h.entries(), c.before, c.after)
		if err != nil || from != c.from || to != c.to {
			t.Errorf("%+v: %d to %d, %v", c, from, to, err)
		}
	}
	if _, _, err := AroundRollback(h.entries(), -1, 0); err == nil {
		t.Error("a negative number of records was accepted")
	}
}

func TestBundleDivergesUnderAnotherConfiguration(t *testing.T) {
	h := incident(t)
	raw, _ := bundled(t, h)
	b, err := OpenBundle(bytes.NewReader(raw))
	must(t, err)
	other := h.config
	other.Tolaria.Aggregation = leyline.AggregationMean
	for _, mode := range []Mode{Redecide, WhatIf} { // the configuration was adopted before the bundle
		r := replayed(t, b.Source(), Options{Mode: mode, Start: b.Start(), Config: &other})
		if r.Divergence == nil || !strings.Contains(r.Divergence.Why, "mean by this program") {
			t.Errorf("%s: %s", mode, r.Divergence)
		}
	}
}

func TestWholeLogAsBundle(t *testing.T) {
	h := incident(t)
	var w bytes.Buffer
	_, err := WriteBundle(&w, h.entries(), 1, 0, BundleMeta{Origin: origin})
	must(t, err)
	b, err := OpenBundle(&w)
	must(t, err)
	if r := replayed(t, b.Source(), Options{Start: b.Start()}); !r.Identical || r.Records != uint64(len(h.log)) {
		t.Errorf("%d records, %s", r.Records, r.Divergence)
	}
}

// TestEveryChangedByteIsRefused flips every byte of a bundle and cuts it at
// every length.
func TestEveryChangedByteIsRefused(t *testing.T) {
	raw, _ := bundled(t, incident(t))
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 0x40
		if _, err := OpenBundle(bytes.NewReader(bad)); err == nil {
			t.Fatalf("with byte %d of %d changed it was opened", i, len(raw))
		}
		if _, err := OpenBundle(bytes.NewReader(raw[:i])); err == nil {
			t.Fatalf("the first %d of %d bytes were opened", i, len(raw))
		}
	}
}

func TestRefusalsSayWhatAndWhere(t *testing.T) {
	raw, info := bundled(t, incident(t))
	headAt := len(bundleMagic) + 4
	headLen := int(binary.LittleEndian.Uint32(raw[len(bundleMagic):]))
	stateAt := headAt + headLen + 8
	entryAt := stateAt + int(binary.LittleEndian.Uint64(raw[headAt+headLen:]))
	digest, schema := info.State.String(), fmt.Sprint(projections.Schema)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		seal   bool
		want   string
	}{
		"magic":   {func(b []byte) []byte { b[0] = 'X'; return b }, true, `it begins with "XSPRBND\x00": not a bundle`},
		"version": {func(b []byte) []byte { b[7] = 1; return b }, true, "its format is version 1, this program reads version 0"},
		"header length": {func(b []byte) []byte { b[10] = 0xff; return b }, false,
			"the header at byte 8 has"},
		"header": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"note":`), []byte(`"nOte":`), 1) }, true,
			"the header at byte 8 is not as bundles are written"},
		"record count": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"records":1`), []byte(`"records":2`), 1) }, true,
			"are impossible"},
		"state digest": {func(b []byte) []byte { return bytes.Replace(b, []byte(digest), []byte(strings.Repeat("ab", 32)), 1) }, true,
			"the header says abababababab"},
		"schema": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"schema":`+schema), []byte(`"schema":9`), 1) }, true,
			"its state has schema 9, this program reads schema " + schema},
		"state":  {func(b []byte) []byte { b[stateAt] ^= 1; return b }, true, "its state: cannot decode"},
		"record": {func(b []byte) []byte { b[entryAt+entryHead] ^= 1; return b }, true, "has checksum"},
		"order":  {func(b []byte) []byte { b[entryAt+8]--; return b }, false, "has checksum"},
		"trailer": {func(b []byte) []byte { b[stateAt+9] ^= 1; return b }, false,
			"the bytes before it hash to"},
		"more":  {func(b []byte) []byte { return append(b, 0) }, false, "more follows the digest at byte"},
		"empty": {func([]byte) []byte { return nil }, false, "it ends at byte 0, within the magic"},
	} {
		bad := c.change(slices.Clone(raw))
		if c.seal {
			seal(bad)
		}
		_, err := OpenBundle(bytes.NewReader(bad))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot open bundle: ") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// seal puts the right digest under a bundle.
func seal(b []byte) {
	if n := len(b) - sha256.Size; n >= 0 {
		d := sha256.Sum256(b[:n])
		copy(b[n:], d[:])
	}
}

func TestCuttingWhatIsNotThere(t *testing.T) {
	h := begin(t, decider.Version)
	h.steps(3)
	src := h.entries()
	var w bytes.Buffer
	for name, c := range map[string]struct {
		from, to leyline.Seq
		meta     BundleMeta
		want     string
	}{
		"behind the end": {h.seq + 1, 0, BundleMeta{}, "there is no record from"},
		"backwards":      {5, 4, BundleMeta{}, "record 5 is behind record 4"},
		"another log":    {4, 5, BundleMeta{Origin: "other"}, `the records belong to the log "esper-replay", not to "other"`},
		"text":           {4, 5, BundleMeta{Note: "\xff"}, "is not UTF-8"},
	} {
		if _, err := WriteBundle(&w, src, c.from, c.to, c.meta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if _, err := WriteBundle(full{}, src, 4, 5, BundleMeta{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk is reported as %v", err)
	}
	if _, _, err := AroundRollback(src, 1, 1); !errors.Is(err, ErrNoRollback) {
		t.Errorf("a history without a rollback gives %v", err)
	}
	h.steps(3)
	h.fault()
	if _, _, err := AroundRollback(h.entries(), 1, 1); err == nil || !strings.Contains(err.Error(), "is not over at the last record") {
		t.Errorf("a rollback under way gives %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestCommittedIncident replays an incident that an earlier build recorded. It
// is rewritten with -update, and only when rules or formats change on purpose.
func TestCommittedIncident(t *testing.T) {
	path := filepath.Join("testdata", "rollback.esperbundle")
	raw, _ := bundled(t, incident(t))
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, raw, 0o644))
	}
	committed, err := os.ReadFile(path)
	must(t, err)
	b, err := OpenBundle(bytes.NewReader(committed))
	if err != nil {
		t.Fatalf("%v; %s", err, onPurpose)
	}
	if r := replayed(t, b.Source(), Options{Start: b.Start()}); !r.Identical || r.Redecided == 0 {
		t.Errorf("the committed incident does not replay; %s\n%s", onPurpose, r.Divergence)
	}
	if !bytes.Equal(committed, raw) {
		t.Errorf("the same incident makes another bundle today; %s", onPurpose)
	}
}

const onPurpose = "if rules or formats have changed on purpose: go test ./replay -run TestCommittedIncident -update"
