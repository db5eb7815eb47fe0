package signal

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
)

const (
	// Size is the length of the file in bytes.
	Size = 64
	// MaxReason is the most bytes of a reason that the page holds.
	MaxReason = Size - 8*headWords
	// Version is the version of the layout.
	Version = 1

	wordCount = Size / 8
	headWords = 2 // before the reason
)

// Where the short fields are in the first word, in bits from its lowest.
const (
	sequenceMask = 1<<32 - 1
	flagShift    = 32
	levelShift   = 40
	lengthShift  = 48
	versionShift = 56
	byteMask     = 0xff
	flagBit      = 1 << flagShift
)

// page is the mapped file. Every access is atomic and of a whole word.
type page [wordCount]atomic.Uint64

// words is a copy of a page, or what is to become one.
type words [wordCount]uint64

// little turns a word of the page into a number, and a number into a word.
func little(word uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], word)
	return binary.NativeEndian.Uint64(b[:])
}

// raised reports whether the flag is up, whatever the sequence is.
func (p *page) raised() bool { return little(p[0].Load())>>flagShift&byteMask != 0 }

// publish stores a page.
func (p *page) publish(w words) {
	for i, word := range stores(little(p[0].Load()), w) {
		p[i%wordCount].Store(little(word))
	}
}

// stores lists what publish stores, in order: words 0 to 7, and word 0 again. What
// a death between two of them leaves is in the package comment. The sequence goes
// on from that of before, the present word 0.
func stores(before uint64, w words) (list [wordCount + 1]uint64) {
	sequence := uint32(before) | 1
	copy(list[:], w[:])
	list[0] = before&^sequenceMask | w[0]&flagBit | uint64(sequence)
	list[wordCount] = w[0]&^sequenceMask | uint64(sequence+1)
	return list
}

// copy loads a page. It reports false when a publication was under way.
func (p *page) copy() (w words, whole bool) {
	first := p[0].Load()
	for i := 1; i < wordCount; i++ {
		w[i] = little(p[i].Load())
	}
	w[0] = little(first)
	return w, w[0]&1 == 0 && p[0].Load() == first
}

// encode lays out a page, with sequence 0. The level is a known one.
func encode(level leyline.EmergencyLevel, reason string, at time.Duration) (w words) {
	var flag uint64
	if level > leyline.EmergencyNotice {
		flag, reason = flagBit, cut(reason)
	} else {
		reason = ""
	}
	w[0] = flag | uint64(level)<<levelShift | uint64(len(reason))<<lengthShift | Version<<versionShift
	w[1] = uint64(at / time.Millisecond)
	var text [MaxReason]byte
	copy(text[:], reason)
	for i := headWords; i < wordCount; i++ {
		w[i] = binary.LittleEndian.Uint64(text[8*(i-headWords):])
	}
	return w
}

// cut shortens a reason to what fits, at the end of a rune. Bytes that are no
// UTF-8 become U+FFFD: an emergency is not refused for its wording.
func cut(reason string) string {
	reason = strings.ToValidUTF8(reason, string(utf8.RuneError))
	if len(reason) <= MaxReason {
		return reason
	}
	n := MaxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// decode reads a copied page and accepts only what encode lays out, and a page of
// zeros. The age is left to the caller.
func decode(w words) (Signal, error) {
	if w == (words{}) {
		return Signal{}, nil
	}
	if v := w[0] >> versionShift; v != Version {
		return Signal{}, fmt.Errorf("%w: %d; want %d", ErrVersion, v, Version)
	}
	s := Signal{Level: leyline.EmergencyLevel(w[0] >> levelShift & byteMask)}
	if err := s.Level.Validate(); err != nil {
		return Signal{}, fmt.Errorf("%w: it %w", ErrLevel, err)
	}
	s.Flag = s.Level > leyline.EmergencyNotice
	const latest = uint64((1<<63 - 1) / time.Millisecond)
	if w[1] > latest {
		return Signal{}, fmt.Errorf("%w: a time of %d ms", ErrMalformed, w[1])
	}
	s.At = time.Duration(w[1]) * time.Millisecond
	var text [MaxReason]byte
	for i := headWords; i < wordCount; i++ {
		binary.LittleEndian.PutUint64(text[8*(i-headWords):], w[i])
	}
	n := w[0] >> lengthShift & byteMask
	if n > MaxReason {
		return Signal{}, fmt.Errorf("%w: a reason of %d bytes; want at most %d", ErrMalformed, n, MaxReason)
	}
	s.Reason = string(text[:n])
	again := encode(s.Level, s.Reason, s.At)
	again[0] |= w[0] & sequenceMask
	if again != w {
		return Signal{}, fmt.Errorf("%w: level %s, flag %d, reason %q", ErrMalformed, s.Level, w[0]>>flagShift&byteMask, text[:n])
	}
	return s, nil
}
