package protocol_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/protocol"
)

var medias = []string{protocol.MediaJSON, protocol.MediaMsgpack}

// bodies are all the types that travel.
func bodies() []any {
	return []any{
		&protocol.OpenRequest{}, &protocol.OpenAnswer{}, &protocol.Steps{}, &protocol.Step{}, &protocol.Epoch{}, &protocol.Snapshot{},
		&protocol.Probe{}, &protocol.Ack{}, &protocol.Rollback{}, &protocol.Fallback{}, &protocol.Profile{}, &protocol.Close{},
		&protocol.Answers{}, &protocol.Problem{}, &protocol.Hello{}, &leyline.Answer{},
	}
}

func TestEveryBodyHasAForm(t *testing.T) {
	for _, b := range bodies() {
		if err := protocol.Check(reflect.TypeOf(b).Elem()); err != nil {
			t.Error(err)
		}
	}
}

// same compares what was sent with what was read: nil and empty lists are one.
func same(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateNaNs())
}

// TestInputsComeBack sends every report with every field set, less what is the plane's.
func TestInputsComeBack(t *testing.T) {
	for _, c := range leylinetest.Inputs() {
		in := sent(c.Value)
		if in == nil {
			continue
		}
		for _, media := range medias {
			for name, write := range map[string]func([]byte, string, any) ([]byte, error){"request": protocol.AppendRequest, "answer": protocol.AppendAnswer} {
				b, err := write(nil, media, in)
				if err != nil {
					t.Fatalf("%s as %s: %v", c.Name, media, err)
				}
				back := reflect.New(reflect.TypeOf(in))
				if err := protocol.Decode(media, b, back.Interface()); err != nil {
					t.Fatalf("%s as %s in the form of %s: %v\n%s", c.Name, media, name, err, b)
				}
				if d := same(in, back.Elem().Interface()); d != "" {
					t.Errorf("%s as %s: %s", c.Name, media, d)
				}
			}
		}
	}
}

// sent is an input of a trainer without the plane's own members; nil: it is none.
func sent(in leyline.Input) any {
	switch x := in.(type) {
	case leyline.RunOpened:
		x.Damaged = nil
		if f := reflect.ValueOf(&x).Elem().FieldByName("Principal"); f.IsValid() {
			f.SetZero()
		}
		return x
	case leyline.StepObserved:
		x.Solution = leyline.Solution{}
		return x
	case leyline.SnapshotTaken:
		x.Measured, x.Check, x.Problem, x.VerifyNs = leyline.Digest{}, 0, "", 0
		return x
	case leyline.EpochObserved, leyline.SeedProbed, leyline.CommandAcked, leyline.RollbackReported,
		leyline.CompileFallback, leyline.ProfileReported, leyline.RunClosed:
		return x
	}
	return nil
}

func answer() protocol.OpenAnswer {
	a := protocol.OpenAnswer{Protocol: 1, Origin: "plane-1", SnapshotEvery: 50, QuickFrom: 4 << 20, AdminKey: []byte{1, 2, 3}}
	a.Seq, a.Run, a.Incarnation, a.Step = math.MaxUint64, "run-1", 2, 1<<60
	a.Weights = []float64{0.5, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64, 1e21, 1e-7}
	a.Seeds = []leyline.SeedView{{Seed: "s", Stage: leyline.StageBlending, Alpha: 0.25, Paused: true}, {Seed: "t", Stage: leyline.StageDormant}}
	a.Directives = []leyline.Directive{
		{
			ID: leyline.EffectID{Seq: 7, Index: 1}, Kind: leyline.EffectCommand, Deadline: 1700000000123456789, WithinNs: 5,
			Command: &leyline.VerifiedCommand{ID: "c", Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{
				Operation: leyline.OpStartGrafting, Seed: "s",
				Blend: leyline.BlendPlan{Mode: leyline.BlendChannel, TotalSteps: 5, Temperature: 1, Channels: []float64{1, 0.5}, ChannelCount: 2},
			}},
		},
		{ID: leyline.EffectID{Seq: 8}, Kind: leyline.EffectRestore, Restore: &leyline.RestoreOrder{Rollback: "rb-8", From: leyline.SnapshotRef{Snapshot: "x", Digest: leyline.Digest{1}, Check: 77}}},
		{ID: leyline.EffectID{Seq: 9}, Kind: leyline.EffectRates, Rates: &leyline.RateOrder{Step: 3, Rates: []float64{0.1}}},
	}
	a.Keys = []protocol.Key{{Key: "k", Public: []byte("public"), Issuer: "ada \"\\\n\x01é𝄞"}}
	a.Rule = protocol.Rule{Aggregation: leyline.AggregationPCGrad, PCGradMean: true}
	return a
}

func TestAnswersComeBack(t *testing.T) {
	want := answer()
	for _, media := range medias {
		b, err := protocol.AppendAnswer(nil, media, &want)
		if err != nil {
			t.Fatal(err)
		}
		var got protocol.OpenAnswer
		if err := protocol.Decode(media, b, &got); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if d := same(want, got); d != "" {
			t.Errorf("%s: %s", media, d)
		}
		if math.Signbit(got.Weights[4]) != true {
			t.Errorf("%s: the sign of -0 is lost", media)
		}
	}
}

// TestFormOfAnswers pins the form: what is unset is left out, numbers and lists are not.
func TestFormOfAnswers(t *testing.T) {
	a := leyline.Answer{Seq: 5, Run: "r", Weights: []float64{1, 0.25, math.NaN()}, Seeds: []leyline.SeedView{{Seed: "s", Stage: leyline.StageTraining}}}
	b, err := protocol.AppendAnswer(nil, protocol.MediaJSON, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"seq":"5","run":"r","incarnation":0,"step":"0","lineage":0,"weights":[1,0.25,"NaN"],`,
		`"seeds":[{"seed":"s","stage":"TRAINING","alpha":0,"paused":false}],"snapshot":false,`, `"probes":[]`, `"directives":[]`, `"cursor":"0"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if strings.Contains(string(b), "emergency") {
		t.Errorf("an unset level is in %s", b)
	}
	b, err = protocol.AppendAnswer(nil, protocol.MediaJSON, protocol.Answers{Answers: []protocol.Verdict{{Problem: &protocol.Problem{Kind: "step_order"}}}})
	if err != nil || !strings.HasPrefix(string(b), `{"answers":[{"problem":{"type":`) {
		t.Errorf("a refusal among answers is %s, %v", b, err)
	}
	b, err = protocol.AppendRequest(nil, protocol.MediaJSON, protocol.Close{})
	if err != nil || string(b) != "{}" {
		t.Errorf("an empty request is %s, %v", b, err)
	}
	var s protocol.Step
	s.LearnRate = math.Copysign(0, -1)
	b, err = protocol.AppendRequest(nil, protocol.MediaJSON, &s)
	if err != nil || string(b) != `{"learn_rate":-0}` {
		t.Errorf("a request with -0 is %s, %v", b, err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for doc, want := range map[string]protocol.Error{
		`{"run":"r","sted":1}`:                   {Kind: "unknown_field", Field: "sted"},
		`{"seeds":[{"seed":"s"},{"alhpa":1}]}`:   {Kind: "unknown_field", Field: "seeds[1].alhpa"},
		`{"solution":{}}`:                        {Kind: "unknown_field", Field: "solution"},
		`{"run":"r","run":"r"}`:                  {Kind: "duplicate_field", Field: "run"},
		`{"run":null}`:                           {Kind: "invalid_field", Field: "run"},
		`{"Run":"r"}`:                            {Kind: "unknown_field", Field: "Run"},
		`{"step":"1","learn_rate":"fast"}`:       {Kind: "invalid_field", Field: "learn_rate"},
		`{"step":1.5}`:                           {Kind: "invalid_field", Field: "step"},
		`{"step":-1}`:                            {Kind: "invalid_field", Field: "step"},
		`{"step":"-1"}`:                          {Kind: "invalid_field", Field: "step"},
		`{"step":"01"}`:                          {Kind: "invalid_field", Field: "step"},
		`{"step":""}`:                            {Kind: "invalid_field", Field: "step"},
		`{"step":" 1"}`:                          {Kind: "invalid_field", Field: "step"},
		`{"step":9007199254740993}`:              {Kind: "invalid_field", Field: "step"},
		`{"step":"18446744073709551616"}`:        {Kind: "invalid_field", Field: "step"},
		`{"incarnation":4294967296}`:             {Kind: "invalid_field", Field: "incarnation"},
		`{"incarnation":"1"}`:                    {Kind: "invalid_field", Field: "incarnation"},
		`{"losses":[1,true]}`:                    {Kind: "invalid_field", Field: "losses[1]"},
		`{"losses":[1e999]}`:                     {Kind: "invalid_field", Field: "losses[0]"},
		`{"losses":["nan"]}`:                     {Kind: "invalid_field", Field: "losses[0]"},
		`{"losses":{}}`:                          {Kind: "invalid_field", Field: "losses"},
		`{"seeds":[{"stage":"training"}]}`:       {Kind: "invalid_field", Field: "seeds[0].stage"},
		`{"acks":[{"order":"7"}]}`:               {Kind: "invalid_field", Field: "acks[0].order"},
		`{"acks":[{"before":{"digest":"abc"}}]}`: {Kind: "invalid_field", Field: "acks[0].before.digest"},
		`{"run":"r"} `:                           {},
		`{"run":"r"}x`:                           {Kind: "malformed"},
		`{"run":"r"}{}`:                          {Kind: "malformed"},
		`{"run":"r",}`:                           {Kind: "malformed"},
		`{,"run":"r"}`:                           {Kind: "malformed"},
		`{"run" "r"}`:                            {Kind: "malformed"},
		`{"losses":[1,]}`:                        {Kind: "malformed"},
		`{"losses":[01]}`:                        {Kind: "malformed"},
		`{"losses":[+1]}`:                        {Kind: "malformed"},
		`{"losses":[1.]}`:                        {Kind: "malformed"},
		`{"losses":[NaN]}`:                       {Kind: "malformed"},
		`{"run":"r`:                              {Kind: "malformed"},
		"{\"run\":\"\xff\"}":                     {Kind: "malformed"},
		"{\"run\":\"a\nb\"}":                     {Kind: "malformed"},
		`{"run":"\ud800"}`:                       {Kind: "malformed"},
		`{"run":"\x"}`:                           {Kind: "malformed"},
		``:                                       {Kind: "malformed"},
		`[]`:                                     {Kind: "invalid_field"},
		`null`:                                   {Kind: "invalid_field"},
	} {
		err := protocol.Decode(protocol.MediaJSON, []byte(doc), &protocol.Step{})
		if want.Kind == "" {
			if err != nil {
				t.Errorf("%s: %v", doc, err)
			}
			continue
		}
		var got *protocol.Error
		if !errors.As(err, &got) || got.Kind != want.Kind || got.Field != want.Field || got.Reason == "" {
			t.Errorf("%s: got %+v, want %+v", doc, err, want)
		}
	}
}

// TestEscapes reads every escape of JSON, and refuses halves of pairs.
func TestEscapes(t *testing.T) {
	var c protocol.Close
	doc := `{"reason":"\"\\\/\b\f\n\r\t\u00e9\ud834\udd1E\u0000x"}`
	if err := protocol.Decode(protocol.MediaJSON, []byte(doc), &c); err != nil || c.Reason != "\"\\/\b\f\n\r\té𝄞\x00x" {
		t.Errorf("%q, %v", c.Reason, err)
	}
	for _, bad := range []string{`\ud834`, `\ud834\u0041`, `\ud834xxdd1e`, `\udd1e\ud834`, `\ud834\n`, `\u12`, `\u12g4`, `\`} {
		var got *protocol.Error
		if err := protocol.Decode(protocol.MediaJSON, []byte(`{"reason":"`+bad+`"}`), &protocol.Close{}); !errors.As(err, &got) || got.Kind != "malformed" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestPackMistakesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		kind string
		path string
	}{
		"empty":                    {"", "malformed", ""},
		"nil member":               {"\x81\xa3run\xc0", "invalid_field", "run"},
		"unknown":                  {"\x81\xa3foo\x01", "unknown_field", "foo"},
		"twice":                    {"\x82\xa3run\xa1r\xa3run\xa1r", "duplicate_field", "run"},
		"number as name":           {"\x81\x01\x01", "malformed", ""},
		"behind the end":           {"\x80\x80", "malformed", ""},
		"map too long":             {"\xdf\xff\xff\xff\xff", "malformed", ""},
		"list too long":            {"\x81\xa6losses\xdd\xff\xff\xff\xff", "malformed", ""},
		"text too long":            {"\x81\xa3run\xdb\xff\xff\xff\xff", "malformed", ""},
		"extension":                {"\x81\xa3run\xd4\x01\x01", "invalid_field", "run"},
		"negative":                 {"\x81\xa4step\xff", "invalid_field", "step"},
		"wide":                     {"\x81\xabincarnation\xcf\x00\x00\x00\x01\x00\x00\x00\x00", "invalid_field", "incarnation"},
		"inexact":                  {"\x81\xaalearn_rate\xcf\xff\x00\x00\x01\x00\x00\x00\x00", "invalid_field", "learn_rate"},
		"bytes for a text":         {"\x81\xa3run\xc4\x01r", "invalid_field", "run"},
		"not UTF-8":                {"\x81\xa3run\xa1\xff", "malformed", ""},
		"whole number for a float": {"\x81\xaalearn_rate\x01", "", ""},
	} {
		err := protocol.Decode(protocol.MediaMsgpack, []byte(c.doc), &protocol.Step{})
		var got *protocol.Error
		if c.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if !errors.As(err, &got) || got.Kind != c.kind || got.Field != c.path {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestListsAreBounded sends lists that are larger in memory than their document allows.
func TestListsAreBounded(t *testing.T) {
	bomb := `{"seeds":[` + strings.Repeat("{},", 60000) + `{}]}`
	var got *protocol.Error
	if err := protocol.Decode(protocol.MediaJSON, []byte(bomb), &protocol.Step{}); !errors.As(err, &got) || !strings.HasPrefix(got.Field, "seeds") {
		t.Errorf("a list of empty seeds: %v", err)
	}
	long := `{"losses":[` + strings.Repeat("0,", protocol.MaxList) + `0]}`
	if err := protocol.Decode(protocol.MediaJSON, []byte(long), &protocol.Step{}); !errors.As(err, &got) || got.Field != "losses" {
		t.Errorf("too long a list: %v", err)
	}
	fits := `{"losses":[` + strings.Repeat("0,", protocol.MaxList-1) + `0]}`
	if err := protocol.Decode(protocol.MediaJSON, []byte(fits), &protocol.Step{}); err != nil {
		t.Errorf("a list that fits: %v", err)
	}
}

func TestUnknownMedia(t *testing.T) {
	if _, err := protocol.AppendAnswer(nil, "text/plain", leyline.Answer{}); err == nil {
		t.Error("written")
	}
	if err := protocol.Decode("text/plain", []byte("{}"), &leyline.Answer{}); err == nil {
		t.Error("read")
	}
}
