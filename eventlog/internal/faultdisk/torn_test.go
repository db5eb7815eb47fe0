package faultdisk_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

// TestTornSectors looks at every sector of a file whose middle is overwritten
// and whose end is new.
func TestTornSectors(t *testing.T) {
	b := newBench(t, files{"f": strings.Repeat("o", 4*512)})
	f := b.openFile("f", os.O_RDWR)
	_, err := f.WriteAt([]byte(strings.Repeat("n", 4*512)), 512*2)
	must(t, err)
	seen := map[string]bool{}
	for _, image := range b.images(torn, 300) {
		seen[sectors(t, image["f"])] = true
	}
	for _, first := range []string{"oo", "on", "no", "nn"} {
		for _, rest := range []string{"", "00", "0n", "n0", "nn"} {
			want := "oo" + first + rest
			if !seen[want] {
				t.Errorf("never saw %s", want)
			}
			delete(seen, want)
		}
	}
	if len(seen) > 0 {
		t.Errorf("saw %v", seen)
	}
}

// sectors returns one letter for every sector, which must be full of it.
func sectors(t *testing.T, content string) string {
	t.Helper()
	if len(content)%512 != 0 {
		t.Fatalf("the file has %d bytes", len(content))
	}
	pattern := ""
	for s := 0; s < len(content); s += 512 {
		if strings.Trim(content[s:s+512], content[s:s+1]) != "" {
			t.Fatalf("sector %d is a mixture", s/512)
		}
		pattern += content[s : s+1]
	}
	return strings.ReplaceAll(pattern, "\x00", "0")
}

// TestTornTruncation shows old content, new content, and none.
func TestTornTruncation(t *testing.T) {
	b := newBench(t, files{"f": "old!"})
	b.write("f", "new!")
	b.want(files{"f": "old!"}, strict)
	b.sometimes(torn, files{"f": "old!"}, files{"f": ""}, files{"f": "new!"}, files{"f": "\x00\x00\x00\x00"})
	b.sometimes(prefix, files{"f": "old!"}, files{"f": ""}, files{"f": "n"}, files{"f": "ne"}, files{"f": "new"}, files{"f": "new!"})
}

func TestShrinkAndGrow(t *testing.T) {
	b := newBench(t, files{"f": "abcdef"})
	f := b.openFile("f", os.O_RDWR)
	must(t, f.Truncate(2))
	b.want(files{"f": "abcdef"}, strict)
	must(t, f.Truncate(4))
	b.want(files{"f": "ab\x00\x00"}, killed)
	must(t, f.Sync())
	b.want(files{"f": "ab\x00\x00"}, faultdisk.Modes...)
	_, err := f.WriteAt([]byte("x"), 6)
	must(t, err)
	must(t, f.Sync())
	b.want(files{"f": "ab\x00\x00\x00\x00x"}, faultdisk.Modes...)
}

// TestPrefixKeepsOrder writes to two files by turns, so that a crash must not
// show a later write without the earlier ones.
func TestPrefixKeepsOrder(t *testing.T) {
	b := newBench(t, files{"a": "", "b": ""})
	fa, fb := b.openFile("a", os.O_RDWR), b.openFile("b", os.O_RDWR)
	reused := []byte("12")
	for range 5 {
		b.add(fa, "12")
		_, err := fb.Write(reused)
		must(t, err)
	}
	copy(reused, "xx") // as any caller may
	lengths := map[string]bool{}
	for _, got := range b.images(prefix, 300) {
		na, nb := len(got["a"]), len(got["b"])
		ordered := nb <= na && (na-nb <= 2) && (nb%2 == 0 || na == nb+1)
		if !ordered || got["a"] != strings.Repeat("12", 5)[:na] || !strings.HasPrefix(got["a"], got["b"]) {
			t.Fatalf("got %q", got)
		}
		lengths[fmt.Sprint(na, nb)] = true
	}
	if len(lengths) != 21 {
		t.Errorf("saw %d different moments, want 21", len(lengths))
	}
}
