package tensorfile

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/testdata"
)

// file builds a safetensors file from a header as written and data bytes.
func file(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// The bytes are pinned: order, padding, escapes and number format.
func TestEncode(t *testing.T) {
	got, err := Encode(map[string]string{"b": "2", "a": "é\"\n"}, []Tensor{
		{"y", []int{2, 1}, []float64{1, math.Inf(-1)}}, {"x", nil, []float64{-0.5}}, {"none", []int{0, 3}, nil}})
	ok(t, err)
	header := `{"__metadata__":{"a":"é\"\n","b":"2"},` +
		`"none":{"dtype":"F64","shape":[0,3],"data_offsets":[0,0]},` +
		`"x":{"dtype":"F64","shape":[],"data_offsets":[0,8]},` +
		`"y":{"dtype":"F64","shape":[2,1],"data_offsets":[8,24]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	numbers, _ := hex.DecodeString("000000000000e0bf" + "000000000000f03f" + "000000000000f0ff")
	if diff := cmp.Diff(string(file(header, numbers...)), string(got)); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
	meta, ts, err := Decode(got)
	ok(t, err)
	want := []Tensor{{"none", []int{0, 3}, []float64{}}, {"x", []int{}, []float64{-0.5}}, {"y", []int{2, 1}, []float64{1, math.Inf(-1)}}}
	if diff := cmp.Diff(want, ts); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"b": "2", "a": "é\"\n"}, meta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		field string
		meta  map[string]string
		ts    []Tensor
	}{
		{"name", nil, []Tensor{{"a", nil, []float64{1}}, {"b", nil, []float64{1}}, {"a", nil, []float64{1}}}},
		{"name", nil, []Tensor{{"__metadata__", nil, []float64{1}}}},
		{"name", nil, []Tensor{{"\xff", nil, []float64{1}}}},
		{"metadata", map[string]string{"a": "\xff"}, nil},
		{"shape", nil, []Tensor{{"a", []int{2}, []float64{1}}}},
		{"shape", nil, []Tensor{{"a", []int{-1, -1}, []float64{1}}}},
		{"shape", nil, []Tensor{{"a", make([]int, 9), nil}}},
		{"shape", nil, []Tensor{{"a", []int{0, 1 << 32, 1 << 32}, nil}}},
		{"header", map[string]string{"a": strings.Repeat("x", MaxHeader)}, nil},
	} {
		_, err := Encode(tt.meta, tt.ts)
		var f *FormatError
		if !errors.As(err, &f) || f.Field != tt.field {
			t.Errorf("error is %v, want one about %s", err, tt.field)
		}
	}
}

func TestDecodeF32(t *testing.T) {
	_, ts, err := Decode(file(`{"b":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"},"a":{"dtype":"F64","shape":[],"data_offsets":[4,12]}}`,
		0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f))
	ok(t, err)
	if diff := cmp.Diff([]Tensor{{"a", []int{}, []float64{1}}, {"b", []int{1}, []float64{1.5}}}, ts); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
}

// one is a header with a single scalar of eight bytes, with parts to replace.
const one = `{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`

// Each rule has a file that breaks only that rule; the error says where.
func TestDecodeRefuses(t *testing.T) {
	with := func(old, changed string) []byte {
		if !strings.Contains(one, old) {
			t.Fatalf("%q is no part of the header", old)
		}
		return file(strings.Replace(one, old, changed, 1), make([]byte, 8)...)
	}
	two := func(a, b string, size int) []byte {
		return file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":`+a+`},"b":{"dtype":"F64","shape":[1],"data_offsets":`+b+`}}`, make([]byte, size)...)
	}
	if _, _, err := Decode(with("8", "8")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, tensor, field string
		b                   []byte
	}{
		{"empty", "", "size", nil},
		{"no length", "", "size", make([]byte, 7)},
		{"length 0", "", "header", make([]byte, 16)},
		{"length 1", "", "header", file("{", 0)},
		{"length beyond file", "", "header", append(binary.LittleEndian.AppendUint64(nil, 9), "{}      "...)},
		{"length huge", "", "header", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...)},
		{"length above limit", "", "header", file("{" + strings.Repeat(" ", MaxHeader) + "}")},
		{"first byte", "", "header", file(" {}")},
		{"last byte", "", "header", file("{}\n")},
		{"not UTF-8", "", "header", with(`"a"`, "\"\xff\"")},
		{"not JSON", "", "header", with(`}}`, `},}`)},
		{"two values", "", "header", file("{}{}")},
		{"tensor twice", "", "header", file(one[:len(one)-1] + "," + one[1:])},
		{"tensor twice, escaped", "", "header", file(one[:len(one)-1] + "," + strings.Replace(one[1:], `"a"`, `"\u0061"`, 1))},
		{"tensor no object", "a", "header", file(`{"a":1}`)},
		{"key twice", "a", "header", with(`"dtype"`, `"dtype":"F64","dtype"`)},
		{"key unknown", "a", "header", with(`"dtype"`, `"type":[{}],"dtype"`)},
		{"no dtype", "a", "dtype", with(`"dtype":"F64",`, ``)},
		{"no shape", "a", "shape", with(`"shape":[1],`, ``)},
		{"no offsets", "a", "data_offsets", with(`,"data_offsets":[0,8]`, ``)},
		{"dtype unknown", "a", "dtype", with("F64", "I64")},
		{"dtype no string", "a", "dtype", with(`"F64"`, "{}")},
		{"shape null", "a", "shape", with("[1]", "null")},
		{"shape object", "a", "shape", with("[1]", "{}")},
		{"shape nested", "a", "shape", with("[1]", "[[1]]")},
		{"shape fraction", "a", "shape", with("[1]", "[1.0]")},
		{"shape exponent", "a", "shape", with("[1]", "[1e0]")},
		{"shape negative", "a", "shape", with("[1]", "[-1]")},
		{"shape minus zero", "a", "shape", with("[1]", "[-0]")},
		{"shape text", "a", "shape", with("[1]", `["1"]`)},
		{"shape too large", "a", "shape", with("[1]", "[99999999999999999999]")},
		{"shape overflow", "a", "shape", with("[1]", "[4294967296,4294967296,4294967296]")},
		{"shape overflow to one", "a", "shape", with("[1]", "[4611686018427387905,4]")},
		{"shape hidden overflow", "a", "shape", with("[1]", "[0,4611686018427387904,4611686018427387904]")},
		{"shape rank", "a", "shape", with("[1]", "[1,1,1,1,1,1,1,1,1]")},
		{"offsets one", "a", "data_offsets", with("[0,8]", "[0]")},
		{"offsets three", "a", "data_offsets", with("[0,8]", "[0,8,8]")},
		{"offsets reversed", "a", "data_offsets", with("[0,8]", "[8,0]")},
		{"offsets size", "a", "data_offsets", with("[0,8]", "[0,7]")},
		{"F32 size", "a", "data_offsets", with("F64", "F32")},
		{"gap before", "a", "data_offsets", file(strings.Replace(one, "[0,8]", "[1,9]", 1), make([]byte, 9)...)},
		{"gap between", "b", "data_offsets", two("[0,8]", "[9,17]", 17)},
		{"overlap", "b", "data_offsets", two("[0,8]", "[7,15]", 15)},
		{"same range", "b", "data_offsets", two("[0,8]", "[0,8]", 8)},
		{"past the end", "a", "data_offsets", file(one, make([]byte, 7)...)},
		{"hole at the end", "", "size", file(one, make([]byte, 9)...)},
		{"data without tensors", "", "size", file("{}", 0)},
		{"metadata no object", "", "metadata", file(`{"__metadata__":"x"}`)},
		{"metadata number", "", "metadata", file(`{"__metadata__":{"x":1}}`)},
		{"metadata nested", "", "metadata", file(`{"__metadata__":{"x":{}}}`)},
		{"metadata key twice", "", "metadata", file(`{"__metadata__":{"x":"1","x":"2"}}`)},
		{"metadata twice", "", "header", file(`{"__metadata__":{},"__metadata__":{}}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Decode(tt.b)
			var f *FormatError
			if !errors.As(err, &f) || f.Tensor != tt.tensor || f.Field != tt.field {
				t.Fatalf("error is %v, want tensor %q, field %s", err, tt.tensor, tt.field)
			}
			t.Log(err)
		})
	}
}

// Whatever is accepted accounts for every byte of data, has one canonical
// encoding, and means the same when read again.
func FuzzDecode(f *testing.F) {
	f.Add(file(one, make([]byte, 8)...))
	f.Add(file(`{"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]}} `, make([]byte, 16)...))
	f.Add(file(`{"a":{"dtype":"F64","shape":[0,9],"data_offsets":[0,0]}}`))
	f.Add(kernel(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		meta, ts, err := Decode(b)
		var format *FormatError
		switch {
		case err == nil:
			checkAccepted(t, b, meta, ts)
		case !errors.As(err, &format):
			t.Fatalf("error %v is no FormatError", err)
		}
	})
}

func checkAccepted(t *testing.T, b []byte, meta map[string]string, ts []Tensor) {
	total := 0
	for _, tensor := range ts {
		total += len(tensor.Data)
	}
	if data := len(b) - 8 - int(binary.LittleEndian.Uint64(b)); 4*total > data || 8*total < data {
		t.Fatalf("%d numbers from %d bytes of data", total, data)
	}
	canonical, err := Encode(meta, ts)
	ok(t, err)
	meta2, ts2, err := Decode(canonical)
	ok(t, err)
	again, err := Encode(meta2, ts2)
	ok(t, err)
	if !bytes.Equal(canonical, again) {
		t.Fatal("the encoding is not stable")
	}
	sameNumber := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
	if diff := cmp.Diff(ts, ts2, sameNumber) + cmp.Diff(meta, meta2); diff != "" {
		t.Fatalf("the meaning has changed (-first +second):\n%s", diff)
	}
}

func kernel(tb testing.TB) []byte {
	tb.Helper()
	b, err := testdata.Kernel("residual-mlp-16")
	ok(tb, err)
	return b
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Check and Decode agree on every file of the dtypes that both know, and Check
// never reads behind the header.
func FuzzCheck(f *testing.F) {
	f.Add(file(one, make([]byte, 8)...))
	f.Add(file(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 1, 2, 3, 4))
	f.Add(append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...))
	f.Add(kernel(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		err := Check(r, uint64(len(b)))
		_, _, derr := Decode(b)
		var format *FormatError
		switch {
		case err == nil && derr != nil && !(errors.As(derr, &format) && format.Field == "dtype"):
			t.Fatalf("checked, but not decoded: %v", derr)
		case err != nil && derr == nil:
			t.Fatalf("decoded, but not checked: %v", err)
		case err != nil && !errors.As(err, &format):
			t.Fatalf("error %v is no FormatError", err)
		}
		if err == nil && len(b)-r.Len() != 8+int(binary.LittleEndian.Uint64(b)) {
			t.Fatalf("%d bytes were read", len(b)-r.Len())
		}
	})
}

func TestCheck(t *testing.T) {
	half := file(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`)
	ok(t, Check(bytes.NewReader(half), uint64(len(half)+4))) // the numbers themselves are not read
	if err := Check(bytes.NewReader(half), uint64(len(half))); err == nil {
		t.Error("a file without its numbers passes")
	}
	if err := Check(bytes.NewReader(half[:20]), uint64(len(half)+4)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that ends in its header: %v", err)
	}
	claims := binary.LittleEndian.AppendUint64(nil, MaxHeader)
	if n := testing.AllocsPerRun(1, func() { _ = Check(bytes.NewReader(claims), 1<<40) }); n > 20 {
		t.Errorf("%v allocations for a header that is not there", n)
	}
	var f *FormatError
	if err := Check(bytes.NewReader(claims), 1<<40); errors.As(err, &f) || err == nil {
		t.Errorf("a header that is not there: %v", err)
	}
}
