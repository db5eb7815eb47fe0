package attack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// TestBombs: documents that are small and would be large are refused, and take no more
// memory than their bytes are worth.
func TestBombs(t *testing.T) {
	f := build(t, nil)
	f.stands(f.log.Next())
	at := f.log.Next()
	for name, c := range map[string]struct{ media, body string }{
		"lists in lists":     {protocol.MediaJSON, `{"losses":` + strings.Repeat("[", 1<<20)},
		"objects in objects": {protocol.MediaJSON, strings.Repeat(`{"seeds":`, 1<<18)},
		"unknown and deep":   {protocol.MediaJSON, `{"x":` + strings.Repeat("[", 1<<20)},
		"a long list":        {protocol.MediaJSON, `{"losses":[` + strings.Repeat("0,", 1<<20) + `0]}`},
		"a huge number":      {protocol.MediaJSON, `{"step":` + strings.Repeat("9", 1<<20) + `}`},
		"a huge exponent":    {protocol.MediaJSON, `{"losses":[1e999999999]}`},
		"many members":       {protocol.MediaJSON, `{` + strings.Repeat(`"x":1,`, 1<<17) + `"x":1}`},
		"a long name":        {protocol.MediaJSON, `{"` + strings.Repeat("x", 1<<20) + `":1}`},
		"list of 4G":         {protocol.MediaMsgpack, "\x81\xa6losses\xdd\xff\xff\xff\xff"},
		"list of 64M":        {protocol.MediaMsgpack, "\x81\xa6losses\xdd\x03\xff\xff\xff"},
		"map of 4G":          {protocol.MediaMsgpack, "\xdf\xff\xff\xff\xff"},
		"map within of 4G":   {protocol.MediaMsgpack, "\x81\xa5seeds\x91\xdf\xff\xff\xff\xff"},
		"bytes of 4G":        {protocol.MediaMsgpack, "\x81\xa3run\xc6\xff\xff\xff\xff"},
		"text of 4G":         {protocol.MediaMsgpack, "\x81\xa3run\xdb\xff\xff\xff\xff"},
		"deep lists":         {protocol.MediaMsgpack, "\x81\xa6losses" + strings.Repeat("\x91", 1<<20)},
		"deep and unknown":   {protocol.MediaMsgpack, "\x81\xa1x" + strings.Repeat("\x91", 1<<20)},
		"nested lists of 1M": {protocol.MediaMsgpack, "\x81\xa6losses" + strings.Repeat("\xdd\x00\x0f\xff\xff", 5)},
		"an extension":       {protocol.MediaMsgpack, "\x81\xa3run\xc9\xff\xff\xff\xff\x01"},
		"a list as name":     {protocol.MediaMsgpack, "\x81\x90\xc0"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := f.as(adas).with("Content-Type", c.media).send("POST", steps, c.body)
		runtime.ReadMemStats(&after)
		if a.status != 400 && a.status != 413 {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(8<<20+24*len(c.body)) { // reading and sending take some
			t.Errorf("%s: %d bytes took %d", name, len(c.body), took)
		}
		if len(a.body) > 2000 {
			t.Errorf("%s: the problem has %d bytes", name, len(a.body))
		}
	}
	f.stands(at)
}

// TestLies: documents that say something else than they seem to.
func TestLies(t *testing.T) {
	f := build(t, nil)
	f.stands(f.log.Next())
	at := f.log.Next()
	good := f.stepText(2, nil)
	with := func(member string) string { return strings.Replace(good, "{", "{"+member+",", 1) }
	for name, c := range map[string]struct{ path, body, kind string }{
		"a member twice":       {steps, with(`"step":2`), "duplicate_field"},
		"twice, escaped":       {steps, with(`"st\u0065p":2`), "duplicate_field"},
		"another case":         {steps, with(`"Step":2`), "unknown_field"},
		"null":                 {steps, with(`"seeds":null`), "invalid_field"},
		"no UTF-8":             {steps, with("\"run\":\"run-1\xff\""), "malformed"},
		"half a pair":          {steps, with(`"run":"\ud800"`), "malformed"},
		"a second document":    {steps, good + good, "malformed"},
		"another run":          {steps, with(`"run":"run-2"`), "invalid_field"},
		"a fraction of a step": {steps, strings.Replace(good, `"step":"2"`, `"step":2.0`, 1), "invalid_field"},
		"the plane's solution": {steps, with(`"solution":{}`), "unknown_field"},
		"an owner":             {"/v1/runs", strings.Replace(openText(f, "run-2"), "{", `{"principal":"token:ada",`, 1), "unknown_field"},
		"damage":               {"/v1/runs", strings.Replace(openText(f, "run-2"), "{", `{"damaged":["x"],`, 1), "unknown_field"},
		"an unknown choice":    {"/v1/runs", strings.Replace(openText(f, "run-2"), `"away":"stop"`, `"away":"never"`, 1), "invalid_field"},
		"a measure":            {"/v1/runs/run-1/snapshots", `{"measured":"` + strings.Repeat("0", 64) + `"}`, "unknown_field"},
	} {
		if a := f.as(adas).send("POST", c.path, c.body); a.status != 400 || a.Kind != c.kind {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
	}
	f.stands(at)
}

// TestOutOfTheDirectory: no name that a trainer sends leads out of the directory of its
// snapshots, be it of a run or of a file.
func TestOutOfTheDirectory(t *testing.T) {
	f := build(t, nil)
	f.stands(f.log.Next())
	secret := filepath.Join(filepath.Dir(f.dir), "secret")
	if err := os.MkdirAll(filepath.Join(f.dir, "run-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("what is not the trainer's"), 0o600); err != nil {
		t.Fatal(err)
	}
	ada := f.as(adas)
	for _, run := range []string{"..", ".", "../run-1", "/etc", "a/b", `a\\b`, "a b", "run-1%00", strings.Repeat("x", 129), "", "über"} {
		if a := ada.send("POST", "/v1/runs", openText2(f, run)); a.status != 400 {
			t.Errorf("a run %q: %d %s", run, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/runs/../steps", "/v1/runs/./steps", "/v1/runs/%2e%2e/steps", "/v1/runs/..%2f..%2fsecret/steps", "/v1/runs/%2e%2e%2f/steps", "/v1/runs/run-1%00/steps", "/v1//runs/run-1/steps", "/v1/runs/run-1/../run-1/steps", "/v1/runs/..;/steps", "/v1/runs/%252e%252e/steps"} {
		if a := ada.send("POST", path, f.stepText(2, nil)); a.status < 300 || a.status >= 500 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, file := range []string{"../secret", "..", ".", "/etc/passwd", secret, "..\\secret", "a/../../secret", "x\x00y"} {
		if a := ada.send("POST", "/v1/runs/run-1/snapshots", snapshotText(f, file)); a.status != 400 {
			t.Errorf("a file %q: %d %s", file, a.status, a.body)
		}
	}
	f.stands(f.log.Next()) // what a trainer has wrong in a name the plane records as refused
	if err := os.Symlink(secret, filepath.Join(f.dir, "run-1", "link")); err != nil {
		t.Fatal(err)
	}
	if a := ada.send("POST", "/v1/runs/run-1/snapshots", snapshotText(f, "link")); strings.Contains(a.body, "not the trainer's") {
		t.Errorf("a link: %d %s", a.status, a.body)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "what is not the trainer's" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}

// openText2 opens a run whose name the codec would not check.
func openText2(f *fort, run string) string {
	return strings.Replace(openText(f, "RUN"), `"RUN"`, fmt.Sprintf("%q", run), 1)
}

func snapshotText(f *fort, file string) string {
	b := &protocol.Snapshot{}
	b.SnapshotTaken = leyline.SnapshotTaken{Incarnation: 1, Step: 1, Snapshot: "s1", Tier: leyline.TierFull, File: "FILE", Bytes: 25, Digest: leyline.Digest{1}, WriteNs: 1}
	return strings.Replace(f.text(protocol.MediaJSON, b), `"FILE"`, fmt.Sprintf("%q", file), 1)
}
