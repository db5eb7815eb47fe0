package wire

import (
	"fmt"
	"reflect"
	"sync"
)

// codec is the stored form of one Go type. It is made once per type.
type codec interface {
	encode(e *encoder, v reflect.Value) *EncodeError
	decode(d *decoder, v reflect.Value) *DecodeError // v is settable and zero
	size() int                                       // of the shortest encoding, in bytes
}

// codecs caches codecs by reflect.Type.
var codecs sync.Map

// codecOf returns the codec of a type, or says why it has none.
func codecOf(t reflect.Type) (codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(codec), nil
	}
	c, err := compile(t, 0)
	if err != nil {
		return nil, err
	}
	codecs.Store(t, c)
	return c, nil
}

// mustCodec is codecOf for the types that this package registers.
func mustCodec(t reflect.Type) codec {
	c, err := codecOf(t)
	if err != nil {
		panic("wire: " + err.Error()) // a type in leyline breaks the rules of the format
	}
	return c
}

var byteType = reflect.TypeFor[byte]()

// compile builds the codec of t. Types nested deeper than any message may be
// are recursive and refused.
func compile(t reflect.Type, depth int) (codec, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s is nested too deep or contains itself", t)
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolCodec{}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCodec{}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return compileUint(t)
	case reflect.Float64:
		return floatCodec{}, nil
	case reflect.String:
		return stringCodec{}, nil
	case reflect.Slice:
		return compileSlice(t, depth)
	case reflect.Array:
		if t.Elem() == byteType {
			return arrayCodec{n: t.Len()}, nil
		}
	case reflect.Struct:
		return compileStruct(t, depth)
	}
	return nil, fmt.Errorf("%s has no stored form", t)
}

// known is what tells an enum from a number.
type known interface{ Known() bool }

func compileUint(t reflect.Type) (codec, error) {
	if !t.Implements(reflect.TypeFor[known]()) {
		return uintCodec{}, nil
	}
	if t.Kind() != reflect.Uint8 {
		return nil, fmt.Errorf("%s is an enum of more than 8 bits", t)
	}
	members := 0
	for code := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(code))
		if v.Interface().(known).Known() {
			if members != code {
				return nil, fmt.Errorf("%s has a gap in its codes at %d", t, members)
			}
			members++
		}
	}
	return enumCodec{name: t.String(), members: uint64(members)}, nil
}

func compileSlice(t reflect.Type, depth int) (codec, error) {
	if t.Elem() == byteType {
		return bytesCodec{}, nil
	}
	if t == reflect.TypeFor[[]float64]() {
		return floatsCodec{}, nil
	}
	elem, err := compile(t.Elem(), depth+1)
	if err != nil {
		return nil, err
	}
	return sliceCodec{typ: t, elem: elem}, nil
}

func compileStruct(t reflect.Type, depth int) (codec, error) {
	c := structCodec{name: t.String(), least: 1}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			return nil, fmt.Errorf("%s.%s is not exported", t, f.Name)
		}
		fc, err := compile(f.Type, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		c.fields = append(c.fields, field{name: f.Name, codec: fc})
		c.least += fc.size()
	}
	return c, nil
}
