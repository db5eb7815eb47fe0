package leyline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PEP440 is a version in the order of PEP 440, Python's version scheme. Only
// ParsePEP440 makes one.
type PEP440 struct {
	epoch   uint64
	release []uint64 // without trailing zeros
	pre     rank     // pre-release
	post    rank
	dev     rank
	local   []localPart
}

// rank is an optional part of a version, so that two of a kind compare as
// PEP 440 has it: by class first, then by number.
type rank struct {
	class int8 // where an absent part stands relative to the present ones
	n     uint64
}

// Classes of the parts. The order within each part is that of PEP 440.
const (
	devOnly   = -1 // no pre-release and no post-release, but a development release
	preAlpha  = 1
	preBeta   = 2
	preRC     = 3
	preAbsent = 4
	present   = 1 // of post and dev
	devAbsent = 2
)

// localPart is one segment behind the "+": numbers come after words.
type localPart struct {
	number bool
	n      uint64
	word   string
}

// maxReleaseParts bounds the numbers of a version.
const maxReleaseParts = 16

var errPEP440 = errors.New("is no version in the sense of PEP 440")

// ParsePEP440 reads a version in any of the spellings that PEP 440 allows:
// letter case, a leading v and the separators before a, b, rc, post and dev do
// not matter. It refuses everything else and what is longer than MaxIDLen.
func ParsePEP440(s string) (PEP440, error) {
	p := versionParser{rest: strings.ToLower(strings.Trim(s, " \t\n\r\f\v"))}
	if s == "" {
		return PEP440{}, errors.New("is missing")
	}
	if len(s) > MaxIDLen || !p.parse() || p.rest != "" {
		return PEP440{}, fmt.Errorf("%q %w", clip(s), errPEP440)
	}
	return p.v, nil
}

// Public returns the version without its local part: "2.8.0+cu128" satisfies
// whatever 2.8.0 does.
func (v PEP440) Public() PEP440 {
	v.local = nil
	return v
}

// Compare returns -1, 0 or 1 as v comes before, with or after w.
func (v PEP440) Compare(w PEP440) int {
	return cmp.Or(
		cmp.Compare(v.epoch, w.epoch), slices.Compare(v.release, w.release),
		v.pre.compare(w.pre), v.post.compare(w.post), v.dev.compare(w.dev),
		slices.CompareFunc(v.local, w.local, localPart.compare),
	)
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.class, o.class), cmp.Compare(r.n, o.n))
}

func (p localPart) compare(o localPart) int {
	switch {
	case p.number && o.number:
		return cmp.Compare(p.n, o.n)
	case p.number != o.number:
		if p.number {
			return 1
		}
		return -1
	}
	return cmp.Compare(p.word, o.word)
}

// versionParser eats a lower-case version from the left.
type versionParser struct {
	rest string
	v    PEP440
}

func (p *versionParser) parse() bool {
	p.eat("v")
	n, ok := p.number()
	if ok && p.eat("!") {
		p.v.epoch = n
		n, ok = p.number()
	}
	if !ok || !p.releases(n) {
		return false
	}
	p.v.pre, p.v.post, p.v.dev = rank{class: preAbsent}, rank{}, rank{class: devAbsent}
	p.optional(&p.v.pre, []spelling{
		{"alpha", preAlpha}, {"a", preAlpha}, {"beta", preBeta}, {"b", preBeta},
		{"preview", preRC}, {"pre", preRC}, {"rc", preRC}, {"c", preRC},
	})
	if !p.implicitPost() {
		p.optional(&p.v.post, []spelling{{"post", present}, {"rev", present}, {"r", present}})
	}
	p.optional(&p.v.dev, []spelling{{"dev", present}})
	if p.v.pre.class == preAbsent && p.v.post.class == 0 && p.v.dev.class == present {
		p.v.pre.class = devOnly
	}
	return !p.eat("+") || p.locals()
}

func (p *versionParser) eat(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// number eats digits; false, and nothing is eaten, when there are none or too
// many.
func (p *versionParser) number() (uint64, bool) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	n, err := strconv.ParseUint(p.rest[:i], 10, 64)
	if err != nil {
		return 0, false
	}
	p.rest = p.rest[i:]
	return n, true
}

func (p *versionParser) releases(first uint64) bool {
	p.v.release = append(p.v.release, first)
	for {
		before := p.rest
		if !p.eat(".") {
			break
		}
		n, ok := p.number()
		if !ok { // the dot may belong to ".dev1"
			p.rest = before
			break
		}
		p.v.release = append(p.v.release, n)
	}
	if len(p.v.release) > maxReleaseParts {
		return false
	}
	for n := len(p.v.release); n > 0 && p.v.release[n-1] == 0; n-- {
		p.v.release = p.v.release[:n-1]
	}
	return true
}

type spelling struct {
	word  string
	class int8
}

// separator eats one of the characters that may stand around a word.
func (p *versionParser) separator() {
	if p.rest != "" && strings.IndexByte(".-_", p.rest[0]) >= 0 {
		p.rest = p.rest[1:]
	}
}

// optional eats a word with its number, which is 0 when it is left out.
func (p *versionParser) optional(into *rank, words []spelling) {
	before := p.rest
	p.separator()
	for _, w := range words {
		if !p.eat(w.word) {
			continue
		}
		into.class = w.class
		p.separator() // belongs to the word even when no number follows
		into.n, _ = p.number()
		return
	}
	p.rest = before
}

// implicitPost eats "-N".
func (p *versionParser) implicitPost() bool {
	before := p.rest
	if p.eat("-") {
		if n, ok := p.number(); ok {
			p.v.post = rank{class: present, n: n}
			return true
		}
	}
	p.rest = before
	return false
}

// locals eats the segments behind the "+".
func (p *versionParser) locals() bool {
	for {
		i := 0
		for i < len(p.rest) && (p.rest[i] >= '0' && p.rest[i] <= '9' || p.rest[i] >= 'a' && p.rest[i] <= 'z') {
			i++
		}
		if i == 0 {
			return false
		}
		if !p.local(p.rest[:i]) {
			return false
		}
		p.rest = p.rest[i:]
		if p.rest == "" {
			return true
		}
		before := len(p.rest)
		if p.separator(); len(p.rest) == before {
			return false
		}
	}
}

func (p *versionParser) local(segment string) bool {
	part := localPart{word: segment}
	if strings.Trim(segment, "0123456789") == "" {
		n, err := strconv.ParseUint(segment, 10, 64)
		if err != nil {
			return false
		}
		part = localPart{number: true, n: n}
	}
	p.v.local = append(p.v.local, part)
	return true
}
