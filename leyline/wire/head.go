package wire

import "math"

// shape is what a msgpack value is, as far as its first byte tells.
// enum: local because its codes are never stored.
type shape uint8

const (
	shapeInvalid shape = iota // 0xc1
	shapeNil
	shapeBool
	shapeUint  // an integer in an unsigned form
	shapeInt   // an integer in a signed form
	shapeFloat // 32 bits
	shapeDouble
	shapeStr
	shapeBin
	shapeArray
	shapeMap
	shapeExt
)

func (s shape) String() string {
	return [...]string{
		"an invalid code", "nil", "a bool", "an integer", "an integer", "a float32", "a float64",
		"a string", "bin", "an array", "a map", "an extension",
	}[s]
}

// form describes one of the 256 first bytes.
type form struct {
	shape shape
	width uint8  // bytes of the number that follows
	fixed uint64 // the number itself, when width is 0
	floor uint64 // unsigned forms: a smaller number has a shorter form
	limit int64  // signed forms: a number from here on has a shorter form
}

// forms is indexed by the first byte.
var forms = buildForms()

func buildForms() [256]form {
	var t [256]form
	for i := range 128 {
		t[i] = form{shape: shapeUint, fixed: uint64(i)}
	}
	for i := 0xe0; i <= 0xff; i++ {
		t[i] = form{shape: shapeInt, fixed: uint64(int8(i)), limit: 0}
	}
	for i := range 16 {
		t[0x80+i] = form{shape: shapeMap, fixed: uint64(i)}
		t[0x90+i] = form{shape: shapeArray, fixed: uint64(i)}
	}
	for i := range 32 {
		t[0xa0+i] = form{shape: shapeStr, fixed: uint64(i)}
	}
	t[0xc0] = form{shape: shapeNil}
	t[0xc2] = form{shape: shapeBool}
	t[0xc3] = form{shape: shapeBool, fixed: 1}
	t[0xca] = form{shape: shapeFloat, width: 4}
	t[0xcb] = form{shape: shapeDouble, width: 8}
	for i := range 4 {
		t[0xcc+i] = form{shape: shapeUint, width: 1 << i, floor: []uint64{1 << 7, 1 << 8, 1 << 16, 1 << 32}[i]}
		t[0xd0+i] = form{shape: shapeInt, width: 1 << i,
			limit: []int64{-32, math.MinInt8, math.MinInt16, math.MinInt32}[i]}
	}
	for i := range 3 {
		t[0xc4+i] = form{shape: shapeBin, width: 1 << i, floor: []uint64{0, 1 << 8, 1 << 16}[i]}
		t[0xc7+i] = form{shape: shapeExt, width: 1 << i}
		t[0xd9+i] = form{shape: shapeStr, width: 1 << i, floor: []uint64{1 << 5, 1 << 8, 1 << 16}[i]}
	}
	for i := range 5 {
		t[0xd4+i] = form{shape: shapeExt, fixed: 1 << i}
	}
	for i := range 2 {
		t[0xdc+i] = form{shape: shapeArray, width: 2 << i, floor: []uint64{1 << 4, 1 << 16}[i]}
		t[0xde+i] = form{shape: shapeMap, width: 2 << i}
	}
	return t
}

// head is the beginning of a value: its shape and its number, which is the
// value itself, its bits, or the length of what follows.
type head struct {
	shape   shape
	minimal bool   // no shorter form holds the number
	n       uint64 // sign-extended for shapeInt
	end     int    // offset behind the head
}

// readHead reads the head at off; false when b ends within it.
func readHead(b []byte, off int) (head, bool) {
	if off >= len(b) {
		return head{}, false
	}
	f := &forms[b[off]]
	h := head{shape: f.shape, minimal: true, n: f.fixed, end: off + 1 + int(f.width)}
	if f.width == 0 {
		return h, true
	}
	if h.end > len(b) {
		return head{}, false
	}
	for _, c := range b[off+1 : h.end] {
		h.n = h.n<<8 | uint64(c)
	}
	if f.shape == shapeInt {
		shift := 64 - 8*uint(f.width)
		v := int64(h.n<<shift) >> shift
		h.n, h.minimal = uint64(v), v < f.limit
		return h, true
	}
	h.minimal = h.n >= f.floor
	return h, true
}
