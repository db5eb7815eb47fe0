package signal

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
)

// bytesOf is a page as it lies in the file.
func bytesOf(w words) []byte {
	var b []byte
	for _, word := range w {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func wordsOf(b []byte) (w words) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return w
}

// TestLayout writes down one page byte by byte.
func TestLayout(t *testing.T) {
	w := encode(leyline.EmergencyHalt, "disk é", 0x0102030405*time.Millisecond)
	w[0] |= 0x0a0b0c0e
	want := "\x0e\x0c\x0b\x0a" + "\x01\x04\x07\x01" + "\x05\x04\x03\x02\x01\x00\x00\x00" + "disk \xc3\xa9" + strings.Repeat("\x00", 41)
	if got := string(bytesOf(w)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestCut lists what becomes of reasons.
func TestCut(t *testing.T) {
	long := strings.Repeat("x", MaxReason)
	for in, want := range map[string]string{
		"":                       "",
		long:                     long,
		long + "y":               long,
		long[:46] + "é" + "z":    long[:46] + "é",
		long[:47] + "é":          long[:47],
		long[:45] + "€":          long[:45] + "€",
		long[:46] + "€":          long[:46],
		long[:45] + "\U0001F525": long[:45],
		"a\xff\xfeb":             "a\uFFFDb",
		long[:46] + "\xff":       long[:46],
	} {
		if got := cut(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// TestDecodeRefuses changes one thing of a good page at a time.
func TestDecodeRefuses(t *testing.T) {
	good := encode(leyline.EmergencyElevated, "loss spike", time.Second)
	for name, c := range map[string]struct {
		at   int
		to   byte
		want error
	}{
		"version 0":            {7, 0, ErrVersion},
		"version 2":            {7, 2, ErrVersion},
		"level 0":              {5, 0, ErrLevel},
		"level 5":              {5, 5, ErrLevel},
		"flag down":            {4, 0, ErrMalformed},
		"flag 2":               {4, 2, ErrMalformed},
		"reason at L1":         {5, 1, ErrMalformed},
		"length 49":            {6, 49, ErrMalformed},
		"length short":         {6, 9, ErrMalformed},
		"a byte after the end": {63, 'x', ErrMalformed},
		"no UTF-8":             {20, 0xff, ErrMalformed},
		"a time beyond all":    {15, 0xff, ErrMalformed},
	} {
		b := bytesOf(good)
		b[c.at] = c.to
		if s, err := decode(wordsOf(b)); !errors.Is(err, c.want) || s != (Signal{}) {
			t.Errorf("%s: got %+v, %v; want %v", name, s, err, c.want)
		}
	}
	if _, err := decode(good); err != nil {
		t.Errorf("the good page: %v", err)
	}
	if s, err := decode(words{}); err != nil || s != (Signal{}) {
		t.Errorf("a page of zeros: %+v, %v", s, err)
	}
	if _, err := decode(words{2}); !errors.Is(err, ErrVersion) {
		t.Errorf("zeros with a sequence: %v", err)
	}
}

// TestEveryDeath stops a writer after each of its stores, whatever was published
// before: a flag that was raised or was to be is up, no copy is taken for whole,
// and the next publication is read as if nothing had been.
func TestEveryDeath(t *testing.T) {
	calm := encode(leyline.EmergencyNotice, "", time.Second)
	halt := encode(leyline.EmergencyHalt, strings.Repeat("h", MaxReason), time.Minute)
	spike := encode(leyline.EmergencyElevated, "loss spike", time.Hour)
	wraps := halt
	wraps[0] |= sequenceMask - 1
	for _, old := range []words{{}, calm, halt, spike, wraps} {
		for _, next := range []words{calm, halt, spike} {
			for died := range wordCount + 2 {
				if problem := die(old, next, died); problem != "" {
					t.Errorf("%x, then %x, died after %d stores: %s", old, next, died, problem)
				}
			}
		}
	}
}

// die returns what is wrong after a writer has done so many stores only.
func die(old, next words, died int) string {
	var p page
	for i, word := range old {
		p[i].Store(little(word))
	}
	for i, word := range stores(old[0], next) {
		if i < died {
			p[i%wordCount].Store(little(word))
		}
	}
	begun, done := died > 0, died == wordCount+1
	up := !done && old[0]&flagBit != 0 || begun && next[0]&flagBit != 0
	if p.raised() != up {
		return "the flag is wrong"
	}
	if _, whole := p.copy(); whole != (!begun || done) {
		return "a copy is taken for what it is not"
	}
	p.publish(next)
	w, whole := p.copy()
	w[0] &^= sequenceMask
	if !whole || w != next {
		return "the next publication is not what was published"
	}
	return ""
}

// FuzzDecode: whatever is accepted is laid out again as it was, and whatever is
// not has a reason that a caller can tell.
func FuzzDecode(f *testing.F) {
	f.Add(make([]byte, Size))
	f.Add(bytesOf(encode(leyline.EmergencyNotice, "", 5*time.Millisecond)))
	f.Add(bytesOf(encode(leyline.EmergencyConservative, "gradient exploded", time.Hour)))
	f.Add(bytesOf(encode(leyline.EmergencyHalt, strings.Repeat("é", 30), 1<<62)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != Size {
			return
		}
		w := wordsOf(b)
		s, err := decode(w)
		switch {
		case err == nil && w == words{}:
		case err == nil:
			again := encode(s.Level, s.Reason, s.At)
			again[0] |= w[0] & sequenceMask
			if again != w || s.Flag != (s.Level > leyline.EmergencyNotice) || !utf8.ValidString(s.Reason) {
				t.Errorf("%+v is laid out as %x, not %x", s, again, w)
			}
		case errors.Is(err, ErrVersion), errors.Is(err, ErrLevel), errors.Is(err, ErrMalformed):
		default:
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

// FuzzEncode: every level with every reason can be read, and of the reason there
// is as much as fits.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(4), "storage failed", int64(12345))
	f.Add(uint8(1), "ignored", int64(0))
	f.Add(uint8(2), strings.Repeat("日本", 20), int64(1)<<52)
	f.Add(uint8(3), "\xc3", int64(7))
	f.Fuzz(func(t *testing.T, code uint8, reason string, ms int64) {
		level := leyline.EmergencyLevel(code%4 + 1)
		at := time.Duration(uint64(ms)%(1<<43)) * time.Millisecond
		s, err := decode(encode(level, reason, at))
		if err != nil || s.Level != level || s.At != at || s.Flag != (level > leyline.EmergencyNotice) {
			t.Fatalf("%s %q at %v: %+v, %v", level, reason, at, s, err)
		}
		whole := strings.ToValidUTF8(reason, "\uFFFD")
		fits := strings.HasPrefix(whole, s.Reason) && (s.Reason == whole || len(s.Reason) > MaxReason-utf8.UTFMax)
		if level == leyline.EmergencyNotice {
			fits = s.Reason == ""
		}
		if !fits {
			t.Errorf("%q is cut to %q", reason, s.Reason)
		}
	})
}
