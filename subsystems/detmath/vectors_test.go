package detmath

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Run with -update to rewrite testdata/vectors.json. The file is a contract
// with stored logs and with clients in other languages: a change of existing
// lines is a change of the decider version.
var update = flag.Bool("update", false, "rewrite testdata/vectors.json")

type vectors struct {
	About     string           `json:"about"`
	Functions []functionVector `json:"functions"`
	Sums      []sumVector      `json:"sums"`
	PCG       []pcgVector      `json:"pcg"`
	Mix       []mixVector      `json:"mix"`
}

// Numbers are decimal text for people and 16 hexadecimal digits for programs.
type number struct {
	Text string `json:"text"`
	Bits string `json:"bits"`
}

type functionVector struct {
	Name string `json:"name"`
	X    number `json:"x"`
	Y    number `json:"y"`
}

type sumVector struct {
	X    []number `json:"x"`
	Y    []number `json:"y"`
	Sum  number   `json:"sum_x"`
	Dot  number   `json:"dot_x_y"`
	Norm number   `json:"norm_x"`
}

// Each list is drawn from a fresh generator.
type pcgVector struct {
	Hi      string   `json:"hi"`
	Lo      string   `json:"lo"`
	Uint64  []string `json:"uint64"`
	Float64 []number `json:"float64"`
	IntN    []intN   `json:"intn"`
	Perm10  []int    `json:"perm10"`
	Perm64  []int    `json:"perm64"`
}

type intN struct {
	N     int   `json:"n"`
	Drawn []int `json:"drawn"`
}

type mixVector struct {
	Seed  string   `json:"seed"`
	Parts []string `json:"parts"`
	Hi    string   `json:"hi"`
	Lo    string   `json:"lo"`
}

func hex(u uint64) string { return fmt.Sprintf("%016x", u) }

func num(x float64) number {
	return number{strconv.FormatFloat(x, 'g', -1, 64), hex(math.Float64bits(x))}
}

func nums(xs []float64) []number {
	out := make([]number, len(xs))
	for i, x := range xs {
		out[i] = num(x)
	}
	return out
}

func buildVectors() vectors {
	v := vectors{About: "Results of detmath, to be reproduced bit for bit. bits: IEEE 754 binary64, big-endian hexadecimal. pcg: each list comes from a fresh generator with the seed hi, lo. Bits decide, text is for reading."}
	for _, f := range []struct {
		name string
		f    func(float64) float64
		xs   []float64
	}{
		{"exp", Exp, arguments(-745, 709)},
		{"log", Log, arguments(0, 1e300)},
		{"tanh", Tanh, arguments(-20, 20)},
		{"cos", Cos, append(arguments(-10, 10), math.Pi, math.Pi/2, 355, 1e6, 1e22, math.MaxFloat64)},
		{"logistic", Logistic, arguments(-40, 40)},
	} {
		for _, x := range f.xs {
			v.Functions = append(v.Functions, functionVector{f.name, num(x), num(f.f(x))})
		}
	}
	p := NewPCG(11, 12)
	for _, n := range []int{0, 1, 2, 7, 32} {
		x, y := make([]float64, n), make([]float64, n)
		for i := range n {
			x[i], y[i] = p.Float64()-0.5, float64((p.Float64()-0.5)*1e3)
		}
		v.Sums = append(v.Sums, sumVector{nums(x), nums(y), num(Sum(x)), num(Dot(x, y)), num(Norm(x))})
	}
	for _, s := range [][2]uint64{{0, 0}, {0, 42}, {1, 0}, {0xdeadbeefcafef00d, 0x0123456789abcdef}, {math.MaxUint64, math.MaxUint64}} {
		v.PCG = append(v.PCG, buildPCG(s[0], s[1]))
	}
	for _, m := range [][]uint64{{0}, {1}, {0, 0}, {42, 1, 2}, {42, 2, 1}, {math.MaxUint64, 7, 1 << 40}, {7, 1, 2, 3, math.MaxUint64}} {
		hi, lo := Mix(m[0], m[1:]...)
		parts := []string{}
		for _, q := range m[1:] {
			parts = append(parts, hex(q))
		}
		v.Mix = append(v.Mix, mixVector{hex(m[0]), parts, hex(hi), hex(lo)})
	}
	return v
}

// arguments returns the special values and 40 numbers, half of them uniform in
// the range and half of them small.
func arguments(from, to float64) []float64 {
	xs := []float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1, -1, 0.5, 2,
		math.SmallestNonzeroFloat64, 0x1p-1022, 0x1p-60, 0x1p-30, -0x1p-20, math.MaxFloat64, from, to,
	}
	p := NewPCG(math.Float64bits(from), math.Float64bits(to))
	for range 20 {
		xs = append(xs, from+float64(p.Float64()*(to-from)), float64(p.Float64()*4)-2)
	}
	return xs
}

func buildPCG(hi, lo uint64) pcgVector {
	v := pcgVector{Hi: hex(hi), Lo: hex(lo)}
	for p := NewPCG(hi, lo); len(v.Uint64) < 12; {
		v.Uint64 = append(v.Uint64, hex(p.Uint64()))
	}
	for p := NewPCG(hi, lo); len(v.Float64) < 6; {
		v.Float64 = append(v.Float64, num(p.Float64()))
	}
	for _, n := range []int{1, 2, 3, 10, 1000, 1 << 32, 3 << 61, math.MaxInt64} {
		r := intN{N: n}
		for p := NewPCG(hi, lo); len(r.Drawn) < 8; {
			r.Drawn = append(r.Drawn, p.IntN(n))
		}
		v.IntN = append(v.IntN, r)
	}
	v.Perm10 = NewPCG(hi, lo).Perm(10)
	v.Perm64 = NewPCG(hi, lo).Perm(64)
	return v
}

func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	got := buildVectors()
	if *update {
		b, err := json.MarshalIndent(got, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results differ from the frozen ones (-frozen +now):\n%s", d)
	}
}

func BenchmarkFunctions(b *testing.B) {
	for _, f := range []struct {
		name string
		f    func(float64) float64
	}{{"Exp", Exp}, {"Log", Log}, {"Tanh", Tanh}, {"Cos", Cos}, {"Logistic", Logistic}} {
		b.Run("f="+f.name, func(b *testing.B) {
			x := 0.1
			for b.Loop() {
				f.f(x)
				x = 5.5 - x
			}
		})
	}
}
