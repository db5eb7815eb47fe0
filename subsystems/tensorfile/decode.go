package tensorfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// entry is what the header says about one tensor.
type entry struct {
	name       string
	dtype      string
	width      int // bytes per element
	shape      []int
	begin, end int // byte offsets into the data
}

// dtypes are the element types that a header may name, and their size in bytes.
// Those of less than a byte are not among them.
var dtypes = []struct {
	name  string
	width int
}{
	{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
	{"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1}, {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1}, {"BOOL", 1},
}

// Check reads the length and the header of a safetensors file of size bytes from
// r, and nothing behind them. It holds them against every rule of the package doc;
// what the tensors hold is not looked at. Memory follows the bytes that r
// really yields, never what the file claims. The error is a *FormatError, or that
// of r.
func Check(r io.Reader, size uint64) error {
	var prefix [prefixLen]byte
	if size < prefixLen {
		return refuse("", "size", "%d bytes are too few for a header length", size)
	}
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return err
	}
	n, err := headerLen(prefix[:], size-prefixLen)
	if err != nil {
		return err
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if uint64(len(header)) < n {
		return io.ErrUnexpectedEOF
	}
	if err := checkText(header); err != nil {
		return err
	}
	_, entries, err := parseHeader(header)
	if err != nil {
		return err
	}
	rest := size - prefixLen - n
	if rest > math.MaxInt {
		return refuse("", "size", "%d bytes are more than can be addressed", size)
	}
	return checkRanges(entries, int(rest))
}

// Shape is what a header says about one tensor.
type Shape struct {
	Name  string
	DType string // as in the file, such as "F32"
	Dims  []int
}

// Describe holds a whole file against the rules and returns its metadata, never
// nil, and what it says of its tensors, sorted by name. What they hold is not looked
// at, so any dtype is welcome. The error is a *FormatError.
func Describe(b []byte) (map[string]string, []Shape, error) {
	header, data, err := split(b)
	if err != nil {
		return nil, nil, err
	}
	meta, entries, err := parseHeader(header)
	if err != nil {
		return nil, nil, err
	}
	if err := checkRanges(entries, len(data)); err != nil {
		return nil, nil, err
	}
	shapes := make([]Shape, 0, len(entries))
	for _, e := range entries {
		shapes = append(shapes, Shape{Name: e.name, DType: e.dtype, Dims: e.shape})
	}
	slices.SortFunc(shapes, func(a, b Shape) int { return cmp.Compare(a.Name, b.Name) })
	return meta, shapes, nil
}

// Decode reads a whole safetensors file with dtypes F64 and F32 (widened to
// float64) and returns its metadata, never nil, and its tensors sorted by name.
// A file that breaks a rule of the package doc, or has another dtype, is a
// *FormatError. Memory stays within a small multiple of len(b), which is not kept.
func Decode(b []byte) (meta map[string]string, ts []Tensor, err error) {
	header, data, err := split(b)
	if err != nil {
		return nil, nil, err
	}
	meta, entries, err := parseHeader(header)
	if err != nil {
		return nil, nil, err
	}
	if err := checkRanges(entries, len(data)); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	ts = make([]Tensor, 0, len(entries))
	for _, e := range entries {
		if e.dtype != "F64" && e.dtype != "F32" {
			return nil, nil, refuse(e.name, "dtype", "%q is not F64 or F32", e.dtype)
		}
		ts = append(ts, Tensor{Name: e.name, Shape: e.shape, Data: numbers(data[e.begin:e.end], e.width)})
	}
	return meta, ts, nil
}

func split(b []byte) (header, data []byte, err error) {
	if len(b) < prefixLen {
		return nil, nil, refuse("", "size", "%d bytes are too few for a header length", len(b))
	}
	rest := b[prefixLen:]
	n, err := headerLen(b, uint64(len(rest)))
	if err != nil {
		return nil, nil, err
	}
	return rest[:n], rest[n:], checkText(rest[:n])
}

// headerLen is the length of the header that a file's first bytes claim; rest is
// what follows them.
func headerLen(prefix []byte, rest uint64) (uint64, error) {
	n := binary.LittleEndian.Uint64(prefix)
	switch {
	case n < 2 || n > MaxHeader:
		return 0, refuse("", "header", "length %d is not within 2 and %d", n, MaxHeader)
	case n > rest:
		return 0, refuse("", "header", "length %d is larger than the %d bytes that follow", n, rest)
	}
	return n, nil
}

// checkText refuses a header that is not one JSON object and nothing else.
func checkText(header []byte) error {
	switch {
	case header[0] != '{':
		return refuse("", "header", "does not begin with '{'")
	case !bytes.HasSuffix(bytes.TrimRight(header, " "), []byte("}")):
		return refuse("", "header", "does not end with '}' and spaces")
	case !utf8.Valid(header):
		return refuse("", "header", "is not UTF-8")
	case !json.Valid(header):
		return refuse("", "header", "is not valid JSON")
	}
	return nil
}

// headerReader walks the tokens of a header that is known to be valid JSON.
type headerReader struct{ dec *json.Decoder }

func parseHeader(header []byte) (map[string]string, []entry, error) {
	r := headerReader{json.NewDecoder(bytes.NewReader(header))}
	r.dec.UseNumber()
	meta := map[string]string{}
	var entries []entry
	err := r.object("", "header", func(key string) error {
		if key == metadataKey {
			return r.metadata(meta)
		}
		e, err := r.entry(key)
		entries = append(entries, e)
		return err
	})
	return meta, entries, err
}

// token returns the next token. The JSON was checked, so only a number that
// cannot be represented or a nesting limit could make it fail.
func (r headerReader) token(tensor, field string) (json.Token, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, refuse(tensor, field, "cannot be read: %v", err)
	}
	return t, nil
}

// object reads an object and calls value for each key, which must be new.
func (r headerReader) object(tensor, field string, value func(key string) error) error {
	t, err := r.token(tensor, field)
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return refuse(tensor, field, "must be an object")
	}
	seen := map[string]bool{}
	for r.dec.More() {
		t, err := r.token(tensor, field)
		if err != nil {
			return err
		}
		key := t.(string) // a key of valid JSON
		if seen[key] {
			return refuse(tensor, field, "key %q is repeated", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	_, err = r.token(tensor, field) // the closing brace
	return err
}

func (r headerReader) metadata(meta map[string]string) error {
	return r.object("", "metadata", func(key string) error {
		s, ok, err := r.string("", "metadata")
		if err == nil && !ok {
			err = refuse("", "metadata", "value of %q must be a string", key)
		}
		meta[key] = s
		return err
	})
}

// string reads the next token; ok tells whether it was a string.
func (r headerReader) string(tensor, field string) (s string, ok bool, err error) {
	t, err := r.token(tensor, field)
	s, ok = t.(string)
	return s, ok, err
}

func (r headerReader) entry(name string) (entry, error) {
	e := entry{name: name}
	var offsets []int
	err := r.object(name, "header", func(key string) (err error) {
		switch key {
		case "dtype":
			e.dtype, e.width, err = r.dtype(name)
		case "shape":
			e.shape, err = r.ints(name, key, MaxRank)
		case "data_offsets":
			offsets, err = r.ints(name, key, 2)
		default:
			err = refuse(name, "header", "unknown key %q", key)
		}
		return err
	})
	switch {
	case err != nil:
		return e, err
	case e.width == 0:
		return e, refuse(name, "dtype", "is missing")
	case e.shape == nil:
		return e, refuse(name, "shape", "is missing")
	case len(offsets) != 2:
		return e, refuse(name, "data_offsets", "must be two numbers")
	}
	e.begin, e.end = offsets[0], offsets[1]
	return e, e.checkSize()
}

func (e entry) checkSize() error {
	n, err := elements(e.name, e.shape)
	if err != nil {
		return err
	}
	if e.end < e.begin || e.end-e.begin != n*e.width {
		return refuse(e.name, "data_offsets", "[%d %d] does not hold %d elements of %d bytes", e.begin, e.end, n, e.width)
	}
	return nil
}

func (r headerReader) dtype(name string) (string, int, error) {
	s, _, err := r.string(name, "dtype")
	if err != nil {
		return "", 0, err
	}
	for _, d := range dtypes {
		if d.name == s {
			return s, d.width, nil
		}
	}
	return "", 0, refuse(name, "dtype", "%q is not known", s)
}

// ints reads an array of at most limit plain decimal integers >= 0.
func (r headerReader) ints(tensor, field string, limit int) ([]int, error) {
	t, err := r.token(tensor, field)
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		return nil, refuse(tensor, field, "must be an array")
	}
	v := []int{}
	for r.dec.More() {
		t, err := r.token(tensor, field)
		if err != nil {
			return nil, err
		}
		num, ok := t.(json.Number)
		if !ok || len(v) == limit {
			return nil, refuse(tensor, field, "must be at most %d integers", limit)
		}
		x, err := strconv.ParseInt(num.String(), 10, strconv.IntSize)
		if err != nil || x < 0 || num == "-0" {
			return nil, refuse(tensor, field, "%s is not an integer within range", num)
		}
		v = append(v, int(x))
	}
	_, err = r.token(tensor, field) // the closing bracket
	return v, err
}

// checkRanges refuses a gap, an overlap, or data that no tensor owns.
func checkRanges(entries []entry, size int) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := 0
	for _, e := range entries {
		switch {
		case e.begin > at:
			return refuse(e.name, "data_offsets", "leaves a gap of %d bytes before it", e.begin-at)
		case e.begin < at:
			return refuse(e.name, "data_offsets", "overlaps the tensor before it by %d bytes", at-e.begin)
		case e.end > size:
			return refuse(e.name, "data_offsets", "ends at %d, after the data of %d bytes", e.end, size)
		}
		at = e.end
	}
	if at != size {
		return refuse("", "size", "%d bytes of data belong to no tensor", size-at)
	}
	return nil
}

func numbers(b []byte, width int) []float64 {
	v := make([]float64, len(b)/width)
	for i := range v {
		if width == 4 {
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		} else {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return v
}
