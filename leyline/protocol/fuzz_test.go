package protocol_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/protocol"
)

// FuzzDecode: whatever is accepted, in either form, can be written in both, in the form
// of a request and of an answer, and reads back as the same value. What is accepted as
// JSON is JSON to encoding/json as well.
func FuzzDecode(f *testing.F) {
	for _, media := range []int{0, 1} {
		for i, b := range bodies() {
			if doc, err := protocol.AppendAnswer(nil, medias[media], b); err == nil {
				f.Add(uint8(i), uint8(media), doc)
			}
		}
		for _, c := range leylinetest.Inputs() {
			if in := sent(c.Value); in != nil {
				doc, _ := protocol.AppendRequest(nil, medias[media], in)
				for i, b := range bodies() {
					if protocol.Decode(medias[media], doc, reflect.New(reflect.TypeOf(b).Elem()).Interface()) == nil {
						f.Add(uint8(i), uint8(media), doc)
					}
				}
			}
		}
		a := answer()
		doc, _ := protocol.AppendAnswer(nil, medias[media], &a)
		f.Add(uint8(1), uint8(media), doc)
	}
	f.Fuzz(func(t *testing.T, body, media uint8, doc []byte) {
		all := bodies()
		typ := reflect.TypeOf(all[int(body)%len(all)]).Elem()
		from := medias[media%2]
		first := reflect.New(typ)
		if err := protocol.Decode(from, bytes.Clone(doc), first.Interface()); err != nil {
			return
		}
		if from == protocol.MediaJSON && !json.Valid(doc) {
			t.Fatalf("accepted what is no JSON: %q", doc)
		}
		for _, as := range medias {
			again(t, as, first)
		}
	})
}

// again writes a value and reads it back, in both forms.
func again(t *testing.T, media string, v reflect.Value) {
	t.Helper()
	if _, ok := v.Interface().(*protocol.Answers); ok {
		return // a verdict with a problem writes the problem alone
	}
	for _, write := range []func([]byte, string, any) ([]byte, error){protocol.AppendRequest, protocol.AppendAnswer} {
		b, err := write(nil, media, v.Interface())
		if err != nil {
			t.Fatalf("cannot be written as %s: %v", media, err)
		}
		back := reflect.New(v.Type().Elem())
		if err := protocol.Decode(media, b, back.Interface()); err != nil {
			t.Fatalf("cannot be read back: %v\n%q", err, b)
		}
		if !bytes.Equal(canonical(t, v), canonical(t, back)) {
			t.Fatalf("came back as another value: %s", same(v.Interface(), back.Interface()))
		}
	}
}

// canonical is the one form of a value that leaves nothing out but what is unset.
func canonical(t *testing.T, v reflect.Value) []byte {
	t.Helper()
	b, err := protocol.AppendAnswer(nil, protocol.MediaMsgpack, v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// taggedStep is a step as encoding/json takes it, for comparison.
type taggedStep struct {
	Run          string       `json:"run"`
	Incarnation  uint32       `json:"incarnation"`
	Step         uint64       `json:"step,string"`
	Losses       []float64    `json:"losses"`
	Gram         []float64    `json:"gram"`
	Seed         uint64       `json:"seed,string"`
	Samples      uint32       `json:"samples"`
	LearnRate    float64      `json:"learn_rate"`
	Seeds        []taggedSeed `json:"seeds"`
	ForwardNs    uint64       `json:"forward_ns,string"`
	PreviousNs   uint64       `json:"previous_ns,string"`
	After        uint64       `json:"after,string"`
	Microbatches uint32       `json:"microbatches"`
}

type taggedSeed struct {
	Seed       string  `json:"seed"`
	Alpha      float64 `json:"alpha"`
	GradNorm   float64 `json:"grad_norm"`
	HostNorm   float64 `json:"host_norm"`
	Cosine     float64 `json:"cosine"`
	Loss       float64 `json:"loss"`
	Parameters uint64  `json:"parameters,string"`
}

func benchStep() (protocol.Step, taggedStep) {
	var s protocol.Step
	s.Run, s.Incarnation, s.StepObserved.Step, s.Seed, s.Samples, s.LearnRate, s.ForwardNs, s.PreviousNs, s.After, s.Microbatches =
		"run-1", 1, 123456, 987654321987654321, 64, 0.0123, 12345678, 23456789, 4711, 1
	t := taggedStep{
		Run: "run-1", Incarnation: 1, Step: 123456, Seed: 987654321987654321, Samples: 64, LearnRate: 0.0123,
		ForwardNs: 12345678, PreviousNs: 23456789, After: 4711, Microbatches: 1,
	}
	for i := range 4 {
		s.Losses = append(s.Losses, 0.1234567890123*float64(i+1))
		for j := range 4 {
			s.Gram = append(s.Gram, 1/(1+float64(i)+0.37*float64(j)))
		}
	}
	for _, id := range []leyline.SeedID{"seed-a", "seed-b"} {
		s.Seeds = append(s.Seeds, leyline.SeedObserved{Seed: id, Alpha: 0.731, GradNorm: 0.0123456789, HostNorm: 1.23456789, Cosine: -0.123456, Loss: 0.4567, Parameters: 4096})
		t.Seeds = append(t.Seeds, taggedSeed{Seed: string(id), Alpha: 0.731, GradNorm: 0.0123456789, HostNorm: 1.23456789, Cosine: -0.123456, Loss: 0.4567, Parameters: 4096})
	}
	t.Losses, t.Gram = s.Losses, s.Gram
	return s, t
}

// BenchmarkDecode reads one step of 4 tasks and 2 seeds; encoding/json reads the same
// document into an equal struct with tags, and refuses unknown members too.
func BenchmarkDecode(b *testing.B) {
	s, _ := benchStep()
	for _, media := range medias {
		doc, err := protocol.AppendRequest(nil, media, &s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(media, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				var to protocol.Step
				if err := protocol.Decode(media, doc, &to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	doc, _ := protocol.AppendRequest(nil, protocol.MediaJSON, &s)
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			var to taggedStep
			d := json.NewDecoder(bytes.NewReader(doc))
			d.DisallowUnknownFields()
			if err := d.Decode(&to); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	s, tagged := benchStep()
	for _, media := range medias {
		b.Run(media, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf, _ = protocol.AppendRequest(buf[:0], media, &s)
			}
		})
	}
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&tagged); err != nil {
				b.Fatal(err)
			}
		}
	})
}
