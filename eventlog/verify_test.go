package eventlog_test

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/tree"
)

// signedLog is a closed log with checkpoints, in several segments.
func signedLog(t testing.TB) dirTree {
	t.Helper()
	dir := t.TempDir()
	signed := make(chan struct{}, 100)
	l := createSigned(t, dir, eventlog.Options{SegmentSize: 600, Checkpoints: eventlog.Checkpoints{
		Records: 8, Export: func([]byte) error { signed <- struct{}{}; return nil },
	}})
	for range 3 { // each time exactly one checkpoint becomes due
		growClaiming(t, l, 8)
		<-signed
	}
	growClaiming(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

// archivedLog is signedLog with its sealed segments compressed.
func archivedLog(t testing.TB) dirTree {
	t.Helper()
	dir := signedLog(t).write(t)
	if _, err := eventlog.Archive(dir, eventlog.ArchiveOptions{}); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

// prunedLog is signedLog without its first segments.
func prunedLog(t testing.TB) dirTree {
	t.Helper()
	dir := signedLog(t).write(t)
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 20}); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

func verify(t testing.TB, dir string, o eventlog.VerifyOptions) *eventlog.Verification {
	t.Helper()
	v, err := eventlog.Verify(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wholeLogs are the logs in which nothing is wrong.
func wholeLogs(t testing.TB) map[string]dirTree {
	return map[string]dirTree{
		"closed": closedLog(t), "killed": killedLog(t), "powerless": powerless(t),
		"restored": restoredLog(t, signedLog(t).write(t)), "signed": signedLog(t), "archived": archivedLog(t), "pruned": prunedLog(t),
		"no caches": signedLog(t).without("CLEAN", "seals", "hashes"),
		"zeros":     killedLog(t).with(func(c dirTree) { name := c.segments()[len(c.segments())-1]; c[name] += strings.Repeat("\x00", 5000) }),
		"torn":      killedLog(t).with(func(c dirTree) { name := c.segments()[len(c.segments())-1]; c[name] += c[name][:20] }),
	}
}

func TestWholeLogsVerify(t *testing.T) {
	for name, files := range wholeLogs(t) {
		t.Run(name, func(t *testing.T) {
			dir := files.write(t)
			v := verify(t, dir, eventlog.VerifyOptions{})
			if !v.Whole() || v.Root == (tree.Hash{}) || v.Last < 20 || v.Records != v.Last-v.First+1 {
				t.Errorf("got %+v", v)
			}
			notes := map[string]int{"zeros": 1, "torn": 1, "no caches": 1}[name]
			if len(v.Findings) != notes {
				t.Errorf("%d findings, want %d: %v", len(v.Findings), notes, v.Findings)
			}
			if _, signed := files["checkpoint"]; signed && v.Checkpoints < 3 {
				t.Errorf("%d checkpoints were checked", v.Checkpoints)
			}
			if got := readTree(t, dir); !sameTree(got, files) {
				t.Error("the check has changed the log")
			}
		})
	}
}

func sameTree(a, b dirTree) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if b[name] != a[name] {
			return false
		}
	}
	return true
}

func TestALiveLogVerifies(t *testing.T) {
	dir := t.TempDir()
	l := createSigned(t, dir, eventlog.Options{SegmentSize: 600, Checkpoints: eventlog.Checkpoints{Records: 4}})
	growClaiming(t, l, 30)
	v := verify(t, dir, eventlog.VerifyOptions{})
	if !v.Live || len(v.Findings) > 0 || v.Last != l.Next()-1 {
		t.Errorf("got %+v, want %d records and no finding", v, l.Next()-1)
	}
}

// TestEveryChangedByteIsFound flips each byte of each file. Of the later states
// only those files are taken that the first one has not.
func TestEveryChangedByteIsFound(t *testing.T) {
	signed := signedLog(t)
	all := func(string) bool { return true }
	for state, c := range map[string]struct {
		files dirTree
		take  func(name string) bool
	}{
		"signed":   {signed, all},
		"archived": {archivedLog(t), func(name string) bool { return strings.HasPrefix(name, "archive/") }},
		"pruned":   {prunedLog(t), func(name string) bool { return name == "PRUNED" || name == "hashes" || name == "seals" }},
		"killed": {signed.without("CLEAN"), func(name string) bool {
			return name == "durable" || name == signed.segments()[len(signed.segments())-1]
		}},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			dir := c.files.write(t)
			for name := range c.files {
				if c.take(name) {
					flipAll(t, dir, c.files, name)
				}
			}
		})
	}
}

func flipAll(t *testing.T, dir string, files dirTree, name string) {
	t.Helper()
	for i := range files[name] {
		changed := files.with(flip(name, i, byte(1<<(i%8))))
		changed.update(t, dir, files)
		v, err := eventlog.Verify(dir, eventlog.VerifyOptions{})
		files.update(t, dir, changed)
		switch {
		case err != nil && name == "FORMAT": // another version, or a backup
		case err != nil:
			t.Fatalf("%s[%d]: %v", name, i, err)
		case !blames(v, name):
			t.Errorf("%s[%d]: found %v", name, i, v.Findings)
		}
	}
}

// blames reports whether a finding names the file, and no damage comes before it
// that names another one.
func blames(v *eventlog.Verification, name string) bool {
	return slices.ContainsFunc(v.Findings, func(f eventlog.Finding) bool { return f.Segment == name })
}

func TestRemovedFilesAreFound(t *testing.T) {
	files := signedLog(t)
	for name := range files {
		if name == "LOCK" {
			continue
		}
		dir := files.without(name).write(t)
		v := verify(t, dir, eventlog.VerifyOptions{})
		mayBeGone := name == "CLEAN" || name == "durable" // as after a kill
		if found := len(v.Findings) > 0; found == mayBeGone {
			t.Errorf("without %s: %v", name, v.Findings)
		}
	}
}

// TestAllDamageIsFound has damage in three segments and in the hashes.
func TestAllDamageIsFound(t *testing.T) {
	files := signedLog(t)
	segments := files.segments()
	names := []string{segments[0], segments[2], segments[3], "hashes"}
	dir := files.with(func(c dirTree) {
		for _, name := range names[:2] {
			flip(name, 100, 1)(c)
		}
		delete(c, segments[3])
		flip("hashes", len(c["hashes"])-40, 1)(c)
	}).write(t)
	v := verify(t, dir, eventlog.VerifyOptions{})
	for _, name := range names {
		if !blames(v, name) {
			t.Errorf("%s is not named: %v", name, v.Findings)
		}
	}
}

func TestCheckpointsFromOutside(t *testing.T) {
	files := signedLog(t)
	dir := files.write(t)
	o := signedOrigin()
	key, err := tree.VerifierKey(o.Name, o.LogKey)
	if err != nil {
		t.Fatal(err)
	}
	note := []byte(files["checkpoint"])
	check := func(name, dir string, o eventlog.VerifyOptions, whole bool) {
		t.Helper()
		if v := verify(t, dir, o); v.Whole() != whole {
			t.Errorf("%s: %v", name, v.Findings)
		}
	}
	check("its own", dir, eventlog.VerifyOptions{Checkpoint: note, Key: key}, true)

	other := t.TempDir()
	l := createSigned(t, other, eventlog.Options{})
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 60)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("another history", other, eventlog.VerifyOptions{}, true)
	check("another history and a checkpoint", other, eventlog.VerifyOptions{Checkpoint: note, Key: key}, false)

	short := t.TempDir()
	l = createSigned(t, short, eventlog.Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("a shorter log", short, eventlog.VerifyOptions{Checkpoint: note}, false)
	foreign, err := tree.VerifierKey(o.Name, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	check("another key", dir, eventlog.VerifyOptions{Key: foreign}, false)
	if _, err := eventlog.Verify(dir, eventlog.VerifyOptions{Key: "nonsense"}); err == nil {
		t.Error("a key that is none was accepted")
	}
}

// restoredLog continues signedLog under another origin.
func restoredLog(t testing.TB, old string) dirTree {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	o := eventlog.RestoreOptions{Name: "second", LogKey: key.Public().(ed25519.PublicKey), At: eventlogtest.Start}
	if _, err := eventlog.Restore(old, dir, o); err != nil {
		t.Fatal(err)
	}
	l, err := eventlog.Open(dir, eventlog.Options{SegmentSize: 600, Checkpoints: eventlog.Checkpoints{Key: key, Records: 4}})
	if err != nil {
		t.Fatal(err)
	}
	growClaiming(t, l, 20)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

func TestRestoredLogs(t *testing.T) {
	old := signedLog(t)
	files := restoredLog(t, old.write(t))
	dir := files.write(t)
	key, err := tree.VerifierKey(signedOrigin().Name, signedOrigin().LogKey)
	if err != nil {
		t.Fatal(err)
	}
	v := verify(t, dir, eventlog.VerifyOptions{Checkpoint: []byte(old["checkpoint"]), Key: key})
	if len(v.Findings) > 0 || !v.Clean {
		t.Errorf("got %+v", v)
	}
	for name := range files {
		if strings.HasPrefix(name, "previous/") {
			flipAll(t, dir, files, name)
		}
	}
}

// evenLog is a closed log whose segments are as long as those of every other one,
// with other times.
func evenLog(t testing.TB, at int64) string {
	t.Helper()
	dir := t.TempDir()
	l := create(t, dir, small)
	for range 30 {
		e := eventlog.Entry{Seq: l.Next(), At: eventlogtest.Start + at, Kind: eventlog.KindTransition, Payload: []byte("something")}
		if err := l.Append(t.Context(), l.Next(), []eventlog.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWhatIsIntactButWrongIsFound has damage that no checksum shows.
func TestWhatIsIntactButWrongIsFound(t *testing.T) {
	a, b := readTree(t, evenLog(t, 0)), readTree(t, evenLog(t, 1))
	names := a.segments()
	packed := strings.Replace(names[0], "segments/", "archive/", 1) + ".zst"
	archived := func(dir string) string {
		if _, err := eventlog.Archive(dir, eventlog.ArchiveOptions{}); err != nil {
			t.Fatal(err)
		}
		return readTree(t, dir)[packed]
	}(b.write(t))
	signed := signedLog(t)
	for name, c := range map[string]struct {
		files  dirTree
		blamed string
	}{
		"another segment":              {b.with(func(c dirTree) { c[names[0]] = a[names[0]] }), names[0]},
		"another segment, no seals":    {b.without("seals", "hashes").with(func(c dirTree) { c[names[0]] = a[names[0]] }), names[len(names)-1]},
		"another compressed segment":   {a.with(func(c dirTree) { c[packed] = archived }), packed},
		"a hole without seals":         {a.without("seals", "hashes", "CLEAN", names[1]), names[1]},
		"one segment more":             {a.with(func(c dirTree) { c["segments/00000000000000000032"] = "" }), "segments/00000000000000000032"},
		"the seals of another log":     {a.with(func(c dirTree) { c["seals"] = b["seals"] }), names[0]},
		"the hashes of another log":    {a.with(func(c dirTree) { c["hashes"] = b["hashes"] }), "hashes"},
		"another spelling of base64":   {signed.with(respell), "checkpoint"},
		"a checkpoint of another tree": {forgedCheckpoint(t), ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := verify(t, c.files.write(t), eventlog.VerifyOptions{})
			if v.Whole() || c.blamed != "" && !blames(v, c.blamed) {
				t.Errorf("%s is not named: %v", c.blamed, v.Findings)
			}
		})
	}
}

// respell changes the bits of a signature that base64 does not use.
func respell(c dirTree) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := []byte(c["checkpoint"])
	i := bytes.LastIndexByte(b, '=') - 1
	b[i] = digits[strings.IndexByte(digits, b[i])+1]
	c["checkpoint"] = string(b)
}

// forgedCheckpoint is a log with a record of kind checkpoint that is signed, and
// wrong.
func forgedCheckpoint(t testing.TB) dirTree {
	t.Helper()
	dir := t.TempDir()
	l := createSigned(t, dir, eventlog.Options{})
	s, err := tree.NewSigner(signedOrigin().Name, logKey)
	if err != nil {
		t.Fatal(err)
	}
	note, err := tree.Checkpoint{Origin: signedOrigin().Name, Size: 1, Root: tree.Hash{1}}.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	e := eventlog.Entry{Seq: 2, At: eventlogtest.Start, Kind: eventlog.KindCheckpoint, Payload: note}
	if err := l.Append(t.Context(), 2, []eventlog.Entry{e}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

// TestAnOriginNamesWhatItContinues puts other records, as long as the old ones and
// intact, before the origin of a restored log, and takes everything away that
// could tell but the origin itself.
func TestAnOriginNamesWhatItContinues(t *testing.T) {
	a, b := evenLog(t, 0), readTree(t, evenLog(t, 1))
	forged := readTree(t, a).with(func(c dirTree) {
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := eventlog.Restore(a, dir, eventlog.RestoreOptions{Name: "second", At: eventlogtest.Start + 2}); err != nil {
			t.Fatal(err)
		}
		clear(c)
		restored := readTree(t, dir)
		c["FORMAT"] = restored["FORMAT"]
		for name, text := range restored {
			if strings.HasPrefix(name, "segments/") {
				c[name] = b[name] + text[len(b[name]):]
			}
		}
	})
	v := verify(t, forged.write(t), eventlog.VerifyOptions{})
	if v.Whole() || len(v.Findings) < 1 || !strings.Contains(v.Err().Error(), "continues other records") {
		t.Errorf("found %v", v.Findings)
	}
}

func TestVerifyTellsNoLogFromDamage(t *testing.T) {
	if _, err := eventlog.Verify(t.TempDir(), eventlog.VerifyOptions{}); err == nil {
		t.Error("an empty directory was verified")
	}
	dir := closedLog(t).with(func(c dirTree) { c["FORMAT"] = "esper-log 7\n" }).write(t)
	if _, err := eventlog.Verify(dir, eventlog.VerifyOptions{}); err == nil {
		t.Error("a log of another version was verified")
	}
}

func TestProgressCanEndTheCheck(t *testing.T) {
	dir := signedLog(t).write(t)
	if _, err := eventlog.Verify(dir, eventlog.VerifyOptions{Progress: func(int64, int64) error { return os.ErrDeadlineExceeded }}); err == nil {
		t.Error("the check went on")
	}
}

// TestVerifyBesideAWriter checks a log again and again while it grows.
func TestVerifyBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	l := createSigned(t, dir, eventlog.Options{SegmentSize: 2000, Checkpoints: eventlog.Checkpoints{Records: 4}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		growClaiming(t, l, 2000)
	}()
	for n := 0; ; n++ {
		v := verify(t, dir, eventlog.VerifyOptions{})
		if len(v.Findings) > 0 {
			t.Fatalf("check %d: %v", n, v.Findings)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// BenchmarkVerify compares with a read of all records.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := create(b, dir, eventlog.Options{})
	payload := make([]byte, 256)
	for range 200 {
		group := make([]eventlog.Entry, 1000)
		for i := range group {
			group[i] = eventlog.Entry{Seq: l.Next() + uint64(i), At: eventlogtest.Start, Kind: eventlog.KindTransition, Payload: payload}
		}
		if err := l.Append(b.Context(), l.Next(), group); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	const bytes = 200_000 * 290
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			verify(b, dir, eventlog.VerifyOptions{})
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			r, err := eventlog.OpenReader(dir)
			if err != nil {
				b.Fatal(err)
			}
			for _, err := range r.All(0) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
