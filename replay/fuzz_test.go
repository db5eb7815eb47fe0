package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
)

// reseal mends checksums and digest of what may be a bundle, so that fuzzing
// gets behind them.
func reseal(b []byte) {
	at := len(bundleMagic)
	if len(b) < at+4 {
		return
	}
	head := int(binary.LittleEndian.Uint32(b[at:]))
	if at += 4 + head; head < 0 || at < 0 || len(b) < at+8 {
		return
	}
	state := int(binary.LittleEndian.Uint64(b[at:]))
	if at += 8; state < 0 || state > len(b)-at {
		return
	}
	for at += state; len(b) >= at+entryHead; {
		n := int(binary.LittleEndian.Uint32(b[at:]))
		end := at + entryHead + n
		if n == 0 || end < at || end > len(b) {
			break
		}
		binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+8:end], castagnoli))
		at = end
	}
	seal(b)
}

// FuzzOpenBundle opens, replays in every mode and cuts again what it can. Most
// mutations of a bundle are interesting at first, and making those small takes
// the fuzzer long: give it -fuzzminimizetime 1x.
func FuzzOpenBundle(f *testing.F) {
	raw, _ := bundled(f, incident(f))
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte(bundleMagic))
	config := testConfig()
	f.Fuzz(func(t *testing.T, data []byte) {
		data = slices.Clone(data)
		reseal(data)
		b, err := OpenBundle(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, mode := range []Mode{Fold, Redecide, WhatIf} {
			o := Options{Mode: mode, Start: b.Start()}
			if mode == WhatIf {
				o.Config = &config
			}
			r, err := Run(context.Background(), b.Source(), o)
			if err == nil && r.Divergence != nil {
				_ = r.Divergence.String()
			}
		}
		var w bytes.Buffer
		head := b.Header()
		if info, err := WriteBundle(&w, b.Source(), head.From, head.To, BundleMeta{Origin: head.Origin}); err == nil && info.Records != head.Records {
			t.Errorf("a bundle of %d records, cut again, has %d", head.Records, info.Records)
		}
	})
}
