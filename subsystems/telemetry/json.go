package telemetry

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

// AppendJSON appends a packet as one JSON object without a line break. It is the
// one encoding of a packet: files, event streams and consoles show these bytes.
//
//	{"seq":9,"source":"tolaria","at":"2026-01-02T03:04:05.000006Z","run":"r1","priority":"HIGH",
//	 "events":[{"name":"...","level":"WARNING","attrs":{"run":"r1"}}],
//	 "metrics":[{"name":"...","value":1.5,"unit":"ms","attrs":{"run":"r1"}}]}
//
// Members stand in that order and attributes in theirs. Attribute values are
// texts, also those of 64-bit integers. A metric that JSON has no number for is
// the text "NaN", "Infinity" or "-Infinity". The sequence number is a number: a
// log reaches 2^53 after 285 years at a million records a second.
func AppendJSON(dst []byte, p *leyline.Packet) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, uint64(p.Seq), 10)
	dst = appendMember(dst, `,"source":`, p.Source.String())
	dst = appendMember(dst, `,"at":`, p.At.String())
	dst = appendMember(dst, `,"run":`, string(p.Run))
	dst = appendMember(dst, `,"priority":`, p.Priority.String())
	dst = append(dst, `,"events":[`...)
	for i := range p.Events {
		e := &p.Events[i]
		dst = comma(dst, i)
		dst = appendMember(dst, `{"name":`, string(e.Name))
		dst = appendMember(dst, `,"level":`, e.Level.String())
		dst = append(appendAttrs(dst, e.Attrs), '}')
	}
	dst = append(dst, `],"metrics":[`...)
	for i := range p.Metrics {
		m := &p.Metrics[i]
		dst = comma(dst, i)
		dst = appendMember(dst, `{"name":`, string(m.Name))
		dst = appendNumber(append(dst, `,"value":`...), m.Value)
		dst = appendMember(dst, `,"unit":`, m.Unit)
		dst = append(appendAttrs(dst, m.Attrs), '}')
	}
	return append(dst, "]}"...)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func appendMember(dst []byte, key, value string) []byte {
	return appendText(append(dst, key...), value)
}

func appendAttrs(dst []byte, attrs []leyline.Attr) []byte {
	dst = append(dst, `,"attrs":{`...)
	for i, a := range attrs {
		dst = appendText(comma(dst, i), a.Key)
		dst = appendText(append(dst, ':'), a.Value)
	}
	return append(dst, '}')
}

// appendText quotes a text. What is not plain ASCII is left to the standard
// library, which also keeps it harmless within HTML.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic("telemetry: a text cannot be quoted: " + err.Error()) // Invariant: every string can be
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendNumber writes a number as the standard library does: the shortest that
// reads back as the same, in plain digits unless those would be many, and then
// without a zero in front of the exponent.
func appendNumber(dst []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(dst, `"NaN"`...)
	case math.IsInf(x, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(dst, `"-Infinity"`...)
	}
	if a := math.Abs(x); a == 0 || a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, x, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, x, 'e', -1, 64)
	if n := len(dst); n >= 4 && string(dst[n-4:n-1]) == "e-0" {
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}
