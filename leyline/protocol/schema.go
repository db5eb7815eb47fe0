package protocol

import (
	"fmt"
	"math"
	"reflect"

	"github.com/esper-plane/esper/leyline"
)

// schema is a JSON Schema of the dialect 2020-12.
type schema map[string]any

// required are the members that no request of a type can do without, in the order of its
// members. The run of a report is in the path.
var required = map[string][]string{
	"OpenRequest": {"protocol", "run", "workload", "framework", "posture", "tasks", "parameters", "steps", "away"},
	"Step":        {"incarnation", "step", "losses", "gram", "samples"},
	"Epoch":       {"incarnation", "epoch", "losses", "samples"},
	"Snapshot":    {"incarnation", "snapshot", "tier", "file", "bytes", "digest"},
	"Probe":       {"incarnation", "step", "seed", "losses", "samples"},
	"Ack":         {"incarnation", "command", "outcome"},
	"Rollback":    {"incarnation", "rollback", "phase", "tier", "outcome"},
	"Fallback":    {"incarnation", "stage", "reason"},
	"Profile":     {"incarnation", "first", "outcome"},
	"Close":       {"incarnation", "outcome"},
}

// schemas collects the schemas of the objects of a document, each once, by the name of
// its type.
type schemas struct {
	byName map[string]schema
	types  map[string]reflect.Type
}

const componentPrefix = "#/components/schemas/"

func ref(name string) schema { return schema{"$ref": componentPrefix + name} }

// common are the schemas of numbers and texts that many members have.
func common() map[string]schema {
	return map[string]schema{
		"uint64": {
			"description": "A whole number of 64 bits: a decimal text, or a JSON number up to 2^53. Answers hold texts.",
			"type":        []string{"string", "integer"}, "pattern": "^(0|[1-9][0-9]{0,19})$", "minimum": 0, "maximum": maxSafe,
		},
		"int64": {
			"description": "A whole number of 64 bits with a sign: a decimal text, or a JSON number up to 2^53.",
			"type":        []string{"string", "integer"}, "pattern": "^(0|-?[1-9][0-9]{0,18})$", "minimum": -maxSafe, "maximum": maxSafe,
		},
		"float64": {
			"description": "A number of 64 bits; what JSON has no number for is a text.",
			"oneOf":       []schema{{"type": "number"}, {"enum": []string{textNaN, textInfinity, textNegInfinity}}},
		},
		"instant":  {"description": "A time in UTC with nanoseconds.", "type": "string", "format": "date-time", "pattern": "Z$"},
		"digest":   {"description": "SHA-256.", "type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
		"checksum": {"description": "CRC-32C.", "type": "string", "pattern": "^[0-9a-f]{8}$"},
		"effect":   {"description": "Names what a record causes: record and position in it.", "type": "string", "pattern": `^[0-9]+\.[0-9]+$`},
	}
}

func (s *schemas) common(name string) schema {
	s.byName[name] = common()[name]
	return ref(name)
}

func (boolForm) schema(*schemas) schema      { return schema{"type": "boolean"} }
func (stringForm) schema(*schemas) schema    { return schema{"type": "string"} }
func (floatForm) schema(s *schemas) schema   { return s.common("float64") }
func (instantForm) schema(s *schemas) schema { return s.common("instant") }
func (bytesForm) schema(*schemas) schema {
	return schema{"type": "string", "contentEncoding": "base64"}
}
func (f enumForm) schema(*schemas) schema       { return schema{"type": "string", "enum": f.names} }
func (f pointerForm) schema(s *schemas) schema  { return f.elem.schema(s) }
func (f envelopeForm) schema(s *schemas) schema { return f.doc.schema(s) }
func (f verdictForm) schema(s *schemas) schema  { return f.form.schema(s) }

func (f uintForm) schema(s *schemas) schema {
	if f.wide {
		return s.common("uint64")
	}
	return schema{"type": "integer", "minimum": 0, "maximum": math.MaxUint32}
}

func (f intForm) schema(s *schemas) schema {
	if f.wide {
		return s.common("int64")
	}
	return schema{"type": "integer", "minimum": math.MinInt32, "maximum": math.MaxInt32}
}

func (f textForm) schema(s *schemas) schema {
	switch f.typ {
	case reflect.TypeFor[leyline.Digest]():
		return s.common("digest")
	case reflect.TypeFor[leyline.Checksum]():
		return s.common("checksum")
	case reflect.TypeFor[leyline.EffectID]():
		return s.common("effect")
	}
	return schema{"type": "string"}
}

func (floatsForm) schema(s *schemas) schema {
	return schema{"type": "array", "items": s.common("float64"), "maxItems": MaxList}
}

func (f listForm) schema(s *schemas) schema {
	return schema{"type": "array", "items": f.elem.schema(s), "maxItems": MaxList}
}

func (f *structForm) schema(s *schemas) schema {
	name := f.typ.Name()
	if t, ok := s.types[name]; ok {
		if t != f.typ {
			panic(fmt.Sprintf("protocol: %s and %s have one name", t, f.typ)) // a body would shadow another
		}
		return ref(name)
	}
	s.types[name] = f.typ
	members := schema{}
	for i := range f.members {
		members[f.members[i].name] = f.members[i].form.schema(s)
	}
	s.byName[name] = schema{"type": "object", "additionalProperties": false, "properties": members}
	if must := required[name]; len(must) > 0 {
		s.byName[name]["required"] = must
	}
	if must := required["Step"]; name == "Steps" { // one step, or several
		s.byName[name]["anyOf"] = []schema{{"required": must}, {"required": []string{"steps"}}}
	}
	return ref(name)
}
