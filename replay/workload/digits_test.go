package workload

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/testdata"
)

// zipped returns parts as one gzip file.
func zipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	for _, part := range parts {
		_, err := zip.Write(part)
		ok(t, err)
	}
	ok(t, zip.Close())
	return out.Bytes()
}

// The embedded digits are the ones their README describes.
func TestEmbeddedDigits(t *testing.T) {
	const want = "753f8b1c2152a344cd5e22cebebc1d9ae7552cb691c3434c4715eb5da6307c2f" // as in testdata/mnist/README.md
	zip, err := gzip.NewReader(bytes.NewReader(testdata.MNIST()))
	ok(t, err)
	content, err := io.ReadAll(zip)
	ok(t, err)
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != want {
		t.Errorf("the digits have SHA-256 %x", sum)
	}
	if zip.Name != "" || !zip.ModTime.IsZero() {
		t.Errorf("the file has name %q and time %v", zip.Name, zip.ModTime)
	}
	d, err := decodeDigits(testdata.MNIST())
	ok(t, err)
	counts := make([]int, digitClasses)
	for _, label := range d.labels {
		counts[label]++
	}
	if diff := cmp.Diff([]int{1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978}, counts); diff != "" {
		t.Errorf("digits per class (-want +got):\n%s", diff)
	}
	if d.side != 14 || len(d.pixels) != 10_000*14*14 || !slices.IsSorted(d.labels) {
		t.Errorf("side %d, %d pixels, labels sorted %v", d.side, len(d.pixels), slices.IsSorted(d.labels))
	}
}

// twoDigits is a file of two images of 2 x 2 pixels, uncompressed.
const twoDigits = "esperdig\x02\x00\x00\x00\x02" + "\x03\x09" + "abcd" + "efgh"

// Whatever is not exactly one digits file is refused.
func TestDigitsRefused(t *testing.T) {
	good := zipped(t, []byte(twoDigits))
	d, err := decodeDigits(good)
	ok(t, err)
	if d.side != 2 || string(d.labels) != "\x03\x09" || string(d.image(1)) != "efgh" {
		t.Errorf("digits are %+v", d)
	}
	edited := func(at int, b byte) []byte {
		e := []byte(twoDigits)
		e[at] = b
		return zipped(t, e)
	}
	bomb := zipped(t, []byte(twoDigits[:8]), []byte{32, 78, 0, 0, 28}, make([]byte, 64<<20))
	wrongSum := slices.Clone(good)
	wrongSum[len(wrongSum)-8] ^= 1
	for _, tt := range []struct {
		name, reason string
		file         []byte
	}{
		{"empty", "EOF", nil},
		{"no gzip", "gzip: invalid header", []byte(twoDigits)},
		{"cut", "unexpected EOF", good[:len(good)-1]},
		{"checksum", "invalid checksum", wrongSum},
		{"trailing bytes", "2 bytes follow", append(slices.Clone(good), 0, 0)},
		{"two files", "bytes follow", slices.Concat(good, good)},
		{"header cut", "header: unexpected EOF", zipped(t, []byte(twoDigits[:12]))},
		{"magic", "does not begin with", edited(7, 'G')},
		{"no image", "0 images", edited(8, 0)},
		{"too many images", "not within 1 and 20000", edited(11, 1)},
		{"no side", "side of 0", edited(12, 0)},
		{"large side", "side of 29", edited(12, 29)},
		{"label", "image 1 is labelled 10", edited(14, 10)},
		{"short body", "not of 10 bytes", zipped(t, []byte(twoDigits[:len(twoDigits)-1]))},
		{"long body", "not of 10 bytes", zipped(t, []byte(twoDigits+"!"))},
		{"bomb", "the body is not of", bomb},
	} {
		if _, err := decodeDigits(tt.file); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.reason)
		}
	}
}

// What is accepted is consistent and written in full in the file.
func FuzzDigits(f *testing.F) {
	f.Add(zipped(f, []byte(twoDigits)))
	f.Add(zipped(f, []byte(twoDigits[:13])))
	f.Add([]byte(twoDigits))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDigits(b)
		if err != nil {
			return
		}
		n := len(d.labels)
		if n < 1 || n > maxDigits || len(d.pixels) != n*d.side*d.side {
			t.Fatalf("%d labels and %d pixels of side %d", n, len(d.pixels), d.side)
		}
		zip, err := gzip.NewReader(bytes.NewReader(b))
		ok(t, err)
		content, err := io.ReadAll(zip)
		ok(t, err)
		if !bytes.Equal(content[digitsHeader:], slices.Concat(d.labels, d.pixels)) {
			t.Fatal("labels and pixels are not those of the file")
		}
	})
}
