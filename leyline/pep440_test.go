package leyline

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// TestPEP440Order compares every pair of the versions in testdata/pep440.txt,
// whose order is that of packaging.version, the reference implementation.
func TestPEP440Order(t *testing.T) {
	type entry struct {
		text  string
		rank  int // entries that are equal share one
		value PEP440
	}
	f, err := os.Open("testdata/pep440.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // only read
	var list []entry
	for lines := bufio.NewScanner(f); lines.Scan(); {
		how, rest, _ := strings.Cut(lines.Text(), " ")
		s, _ := strings.CutSuffix(rest, "|")
		v, err := ParsePEP440(s)
		switch how {
		case "#":
			continue
		case "!":
			if err == nil {
				t.Errorf("%q is accepted as %+v", s, v)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		e := entry{text: s, rank: len(list), value: v}
		if how == "=" {
			e.rank = list[len(list)-1].rank
		}
		list = append(list, e)
	}
	if len(list) < 200 {
		t.Fatalf("only %d versions", len(list))
	}
	for i, a := range list {
		for _, b := range list[i:] {
			want := -1
			if a.rank == b.rank {
				want = 0
			}
			if got := a.value.Compare(b.value); got != want {
				t.Fatalf("%q compares %d with %q, want %d", a.text, got, b.text, want)
			}
			if got := b.value.Compare(a.value); got != -want {
				t.Fatalf("%q compares %d with %q, want %d", b.text, got, a.text, -want)
			}
		}
	}
}

func TestPEP440Refuses(t *testing.T) {
	for _, s := range []string{
		"", "latest", "2.8.", "2..8", "2.8+", "2.8+a..b", "2.8+a-", "2.8 0", "2,8", "18446744073709551616", "2.8+18446744073709551616",
		strings.Repeat("1.", 20) + "1", strings.Repeat("9", 129), "2.8\x00", "٢.٨",
	} {
		if v, err := ParsePEP440(s); err == nil {
			t.Errorf("%q is accepted as %+v", s, v)
		}
	}
}

func TestPublicVersionDropsTheLocalPart(t *testing.T) {
	parse := func(s string) PEP440 {
		v, err := ParsePEP440(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if c := parse("2.8.0+cu128").Public().Compare(parse("2.8")); c != 0 {
		t.Errorf("compares %d", c)
	}
	if c := parse("2.8.0a0+git12").Public().Compare(parse("2.8")); c != -1 {
		t.Errorf("a nightly build compares %d with its release", c)
	}
}

func FuzzPEP440(f *testing.F) {
	for _, s := range []string{"2.8.0+cu128", "1!2.0rc1.post2.dev3+a.1", "v1-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParsePEP440(s)
		if err != nil {
			return
		}
		if v.Compare(v) != 0 || v.Public().Compare(v.Public()) != 0 {
			t.Errorf("%q differs from itself", s)
		}
	})
}
