package replay

import (
	"fmt"
	"hash/crc32"
	"iter"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Bounds of a bundle. WriteBundle and OpenBundle refuse the same.
const (
	MaxBundleBytes = 1 << 30
	maxHeaderBytes = 64 << 10
	maxStateBytes  = 256 << 20
	maxBundleText  = 1024
)

// bundleMagic opens every bundle; its last byte is the version of the format.
const bundleMagic = "ESPRBND\x00"

// entryHead is the length of what stands before an entry's payload: length u32,
// crc32c u32, sequence u64, time i64.
const entryHead = 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// BundleMeta is what the caller of WriteBundle knows and the records do not.
type BundleMeta struct {
	Origin string // name of the log; empty: as the records say
	By     string // program and version that cuts the bundle
	Note   string // for people: why
}

// Header is the head of a bundle, stored as JSON. The whole file, version 0,
// little endian:
//
//	magic   "ESPRBND" and a byte 0, the version
//	header  u32 length, JSON exactly as encoding/json writes Header
//	state   u64 length, the state before the first record in leyline/wire's form
//	entries each u32 payload length (not 0), u32 CRC-32C over the rest of the
//	        entry, u64 sequence, i64 time, payload
//	end     u32 0
//	digest  SHA-256 of everything before it
type Header struct {
	Origin  string         `json:"origin"`
	From    leyline.Seq    `json:"from"` // first record
	To      leyline.Seq    `json:"to"`   // last record
	Records uint64         `json:"records"`
	Before  leyline.Seq    `json:"before"` // last record that State includes; 0: none
	State   leyline.Digest `json:"state"`  // projections' digest of the state
	Schema  uint32         `json:"schema"` // of the state
	Decider uint32         `json:"decider"`
	Build   leyline.Build  `json:"build"` // that decided record From
	By      string         `json:"by"`
	Note    string         `json:"note"`
}

// BundleInfo says what WriteBundle wrote.
type BundleInfo struct {
	Header
	Bytes  uint64
	Digest leyline.Digest // the trailer
}

// Bundle is an incident that replays on its own. It never changes and may be
// used by several goroutines at once.
type Bundle struct {
	header  Header
	state   *projections.State
	entries []Entry // Invariant: ascending, as many as the header says
	digest  leyline.Digest
}

// Header returns the head of the bundle.
func (b *Bundle) Header() Header { return b.header }

// Digest returns the SHA-256 that closes the file.
func (b *Bundle) Digest() leyline.Digest { return b.digest }

// Start returns a copy of the state before the first record.
func (b *Bundle) Start() *projections.State { return clone(b.state) }

// Source returns the records.
func (b *Bundle) Source() Source { return Entries(b.entries) }

// Entries is a Source in memory. Sequences must ascend.
type Entries []Entry

// All implements Source.
func (s Entries) All(from leyline.Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range s {
			if e.Seq >= from && !yield(e, nil) {
				return
			}
		}
	}
}

// check reports a header that WriteBundle never makes.
func (h *Header) check() error {
	for _, s := range append([]string{
		h.Origin, h.By, h.Note, h.Build.Version, h.Build.Go, h.Build.OS, h.Build.Arch, h.Build.AMD64, h.Build.Tags,
	}, h.Build.Modules...) {
		if len(s) > maxBundleText || !utf8.ValidString(s) {
			return fmt.Errorf("the text %.40q is not UTF-8 of at most %d bytes", s, maxBundleText)
		}
	}
	if h.Records == 0 || h.From == 0 || h.From > h.To || h.Records-1 > uint64(h.To-h.From) || h.Before >= h.From {
		return fmt.Errorf("%d records from %d to %d behind record %d are impossible", h.Records, h.From, h.To, h.Before)
	}
	return nil
}
