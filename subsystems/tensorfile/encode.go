package tensorfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Limits of the safetensors reader and writer.
const (
	// MaxHeader is the largest JSON header, in bytes.
	MaxHeader = 8 << 20
	// MaxRank is the largest number of dimensions of a tensor.
	MaxRank = 8
)

const (
	metadataKey = "__metadata__"
	prefixLen   = 8 // little-endian length of the header
)

// Tensor is a named array of float64 in row-major order.
// Invariant: the product of Shape is len(Data); an empty Shape is a scalar.
type Tensor struct {
	Name  string
	Shape []int // every entry >= 0
	Data  []float64
}

// FormatError says which rule of the safetensors format was broken and where.
type FormatError struct {
	Tensor string // name of the tensor, or "" for the file as a whole
	Field  string // "size", "header", "name", "metadata", "dtype", "shape" or "data_offsets"
	Reason string // plain words
}

// Error implements error.
func (e *FormatError) Error() string {
	if e.Tensor == "" {
		return fmt.Sprintf("safetensors: %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("safetensors: tensor %q: %s: %s", e.Tensor, e.Field, e.Reason)
}

func refuse(tensor, field, format string, args ...any) *FormatError {
	return &FormatError{Tensor: tensor, Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Encode writes a safetensors file with dtype F64. Equal arguments give
// equal bytes: metadata keys are sorted, tensors are stored sorted by name in
// whatever order they come, and the header is padded with spaces so that the
// numbers start at a multiple of eight. NaN and infinities are written bit for
// bit. A *FormatError names a repeated or reserved name, text that is not UTF-8,
// or a shape that does not fit its data. The arguments are not kept.
func Encode(meta map[string]string, ts []Tensor) ([]byte, error) {
	sorted := slices.Clone(ts)
	slices.SortStableFunc(sorted, func(a, b Tensor) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	header, size, err := encodeHeader(meta, sorted)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, prefixLen+len(header)+size)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(header)))
	out = append(out, header...)
	for _, t := range sorted {
		for _, v := range t.Data {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	return out, nil
}

// encodeHeader returns the padded JSON header and the size of the data in bytes.
func encodeHeader(meta map[string]string, sorted []Tensor) ([]byte, int, error) {
	h := []byte{'{'}
	var err error
	if len(meta) > 0 {
		if h, err = appendMetadata(h, meta); err != nil {
			return nil, 0, err
		}
	}
	size := 0
	for i, t := range sorted {
		if err := checkTensor(t, i > 0 && sorted[i-1].Name == t.Name); err != nil {
			return nil, 0, err
		}
		end := size + 8*len(t.Data)
		h = appendString(appendComma(h), t.Name)
		h = append(h, `:{"dtype":"F64","shape":`...)
		h = appendInts(h, t.Shape)
		h = append(h, `,"data_offsets":`...)
		h = appendInts(h, []int{size, end})
		h = append(h, '}')
		size = end
	}
	h = append(h, '}')
	for len(h)%8 != 0 {
		h = append(h, ' ')
	}
	if len(h) > MaxHeader {
		return nil, 0, refuse("", "header", "%d bytes, at most %d are allowed", len(h), MaxHeader)
	}
	return h, size, nil
}

func appendMetadata(h []byte, meta map[string]string) ([]byte, error) {
	h = append(appendString(h, metadataKey), ':', '{')
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if !utf8.ValidString(k) || !utf8.ValidString(meta[k]) {
			return nil, refuse("", "metadata", "key or value of %q is not UTF-8", k)
		}
		h = append(appendString(appendComma(h), k), ':')
		h = appendString(h, meta[k])
	}
	return append(h, '}'), nil
}

func checkTensor(t Tensor, repeated bool) error {
	switch {
	case t.Name == metadataKey:
		return refuse(t.Name, "name", "is reserved")
	case !utf8.ValidString(t.Name):
		return refuse(t.Name, "name", "is not UTF-8")
	case repeated:
		return refuse(t.Name, "name", "is used twice")
	}
	n, err := elements(t.Name, t.Shape)
	if err != nil {
		return err
	}
	if n != len(t.Data) {
		return refuse(t.Name, "shape", "%v has %d elements but there are %d numbers", t.Shape, n, len(t.Data))
	}
	return nil
}

// elements returns the product of shape. It refuses a negative dimension, too
// many of them, and a product whose size in bytes would not fit an int.
func elements(name string, shape []int) (int, error) {
	if len(shape) > MaxRank {
		return 0, refuse(name, "shape", "has %d dimensions, at most %d are allowed", len(shape), MaxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, refuse(name, "shape", "%v has a negative dimension", shape)
		}
		// The product is taken with empty dimensions counted as one, so that
		// a zero cannot hide an overflow beside it.
		if w := max(d, 1); n > math.MaxInt/8/w {
			return 0, refuse(name, "shape", "%v is too large", shape)
		}
		n *= max(d, 1)
	}
	if slices.Contains(shape, 0) {
		return 0, nil
	}
	return n, nil
}

func appendComma(h []byte) []byte {
	if h[len(h)-1] == '{' {
		return h
	}
	return append(h, ',')
}

// appendString appends a JSON string; s must be valid UTF-8.
func appendString(h []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("tensorfile: a string cannot be encoded as JSON")
	}
	return append(h, b...)
}

func appendInts(h []byte, v []int) []byte {
	h = append(h, '[')
	for i, x := range v {
		if i > 0 {
			h = append(h, ',')
		}
		h = strconv.AppendInt(h, int64(x), 10)
	}
	return append(h, ']')
}
