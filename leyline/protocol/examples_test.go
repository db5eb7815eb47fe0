package protocol_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

var update = flag.Bool("update", false, "write the examples and openapi.json anew")

// example is a body of testdata/examples.
type example struct {
	name string // of the file, without .json
	body any
}

const nameOfRun = "digits-7"

func digest(n byte) (d leyline.Digest) {
	for i := range d {
		d[i] = n*16 + byte(i)
	}
	return d
}

// examples are the bodies of one run, in the order of its life.
func examples() []example {
	return append(append(lifeExamples(), reportExamples()...), problemExamples()...)
}

func openExample() *protocol.OpenRequest {
	b := &protocol.OpenRequest{Protocol: protocol.Version}
	b.RunOpened = leyline.RunOpened{
		Run: nameOfRun, Workload: "digits", Framework: "torch",
		Posture: leyline.Posture{
			Version: "2.14.0", Device: "cuda:0", Compile: leyline.SwitchOn, CompileMode: "default", Inference: leyline.SwitchOn, Matmul: leyline.MatmulHigh,
			TF32: leyline.SwitchOn, Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOn, Deterministic: leyline.SwitchOff, TF32: leyline.SwitchOn}, WeightsOnly: leyline.SwitchOn,
		},
		Tasks: []leyline.TaskID{"digit", "parity"}, Chance: []float64{2.302585092994046, 0.6931471805599453},
		Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"},
		Parameters: 9034, Seed: 7, Steps: 2000, Optimizer: "sgd", Groups: []leyline.ParamGroup{{Name: "all", Rate: 0.05, Parameters: 9034}},
		HostParameters: []leyline.Parameter{{Name: "head.weight", Size: 842}, {Name: "trunk.weight", Size: 8192}},
		Lag:            0, Away: leyline.AwayWait, AwaySeconds: 600,
	}
	return b
}

func answerOf(seq leyline.Seq, step leyline.Step) leyline.Answer {
	return leyline.Answer{
		Seq: seq, Run: nameOfRun, Incarnation: 1, Step: step, Emergency: leyline.EmergencyNotice, FastRoom: 4 << 30, Cursor: seq,
		Seeds: []leyline.SeedView{{Seed: "seed-a", Stage: leyline.StageDormant}},
	}
}

func openAnswerExample() *protocol.OpenAnswer {
	a := &protocol.OpenAnswer{
		Protocol: protocol.Version, Origin: "esper-3f9c", SnapshotEvery: 50, QuickFrom: leyline.QuickFrom, AdminKey: bytes.Repeat([]byte{0x41}, 32),
		Places: protocol.Places{
			Snapshots: "/var/lib/esper/snapshots/digits-7", Fast: "/dev/shm/esper-3f9c/digits-7", Kernels: "/var/lib/esper/kernels",
			Signal: "/var/lib/esper/signal", Traces: "/var/lib/esper/traces/digits-7",
		},
		Keys: []protocol.Key{{Key: "0b9d6d3c5d1f4f2e8a7b6c5d4e3f2a1b", Public: bytes.Repeat([]byte{0x42}, 32), Issuer: "tamiyo"}},
	}
	c := leyline.DefaultConfig()
	a.Rule = protocol.RuleOf(&c.Tolaria)
	a.Answer = answerOf(6, 0)
	a.Snapshot = true
	return a
}

func lifeExamples() []example {
	open := openAnswerExample()
	resume, resumed := openExample(), openAnswerExample()
	resume.Resume = true
	resumed.Answer = answerOf(412, 100)
	resumed.Incarnation, resumed.Resumed, resumed.Faulted = 3, true, []leyline.Step{131}
	resumed.From = leyline.SnapshotRef{Snapshot: "s-100", Step: 100, Tier: leyline.TierFull, File: "s-100.safetensors", Bytes: 36412, Digest: digest(10), Check: 0x1badcafe}

	step := &protocol.Step{After: 6}
	step.StepObserved = leyline.StepObserved{
		Incarnation: 1, Step: 1, Losses: []float64{2.31, 0.694}, Gram: []float64{1.75, -0.25, -0.25, 0.5}, Seed: 15132437523876143104, Samples: 64, Microbatches: 1,
		LearnRate: 0.05, ForwardNs: 1843000, PreviousNs: 0,
	}
	weighed := answerOf(7, 1)
	weighed.Weights = []float64{1.5, 1.1428571428571428}

	seeded := &protocol.Step{After: 131}
	seeded.StepObserved = leyline.StepObserved{
		Incarnation: 1, Step: 64, Losses: []float64{1.02, 0.55}, Gram: []float64{0.9, 0.1, 0.1, 0.4}, Seed: 42, Samples: 64, LearnRate: 0.05,
		Seeds: []leyline.SeedObserved{{
			Seed: "seed-a", Alpha: 0, GradNorm: 0.031, HostNorm: 0.88, Cosine: 0.12, Leak: 0, Loss: 0.71, Parameters: 560, Attributed: 0.05, Stage: leyline.StageTraining,
		}},
		ForwardNs: 2210000, PreviousNs: 3105000,
		Metrics: leyline.TrainingMetrics{Readings: []leyline.Reading{{Metric: leyline.TrainHookMs, Value: 0.41}}},
		Acks:    []leyline.OrderAck{{Order: leyline.EffectID{Seq: 129, Index: 2}, Kind: leyline.EffectRates, Outcome: leyline.OutcomeOK, TookNs: 12000}},
	}
	told := answerOf(133, 64)
	told.Weights, told.Seeds[0].Stage, told.Probes = []float64{1, 1}, leyline.StageTraining, []leyline.SeedID{}
	told.Directives = []leyline.Directive{{
		ID: leyline.EffectID{Seq: 133, Index: 3}, Kind: leyline.EffectCommand, Deadline: 1764205265000000000, WithinNs: 5000000000,
		Command: &leyline.VerifiedCommand{
			ID: "seed-a-start-grafting-64", Kind: leyline.CommandSeed, Blueprint: "residual-mlp-16",
			Seed: leyline.SeedCommand{
				Operation: leyline.OpStartGrafting, Seed: "seed-a",
				Blend: leyline.BlendPlan{Mode: leyline.BlendConvex, TotalSteps: 200, Temperature: 33.333333333333336},
			},
			Envelope: leyline.Envelope{PayloadType: leyline.PayloadCommand, Payload: []byte("the signed bytes"), KeyID: "0b9d6d3c5d1f4f2e8a7b6c5d4e3f2a1b", Signature: bytes.Repeat([]byte{7}, 64)},
		},
	}}

	waited := answerOf(207, 131)
	waited.Incarnation, waited.Emergency, waited.Seeds[0].Stage = 2, leyline.EmergencyConservative, leyline.StageCulled
	waited.Directives = []leyline.Directive{
		{
			ID: leyline.EffectID{Seq: 207, Index: 1}, Kind: leyline.EffectRestore, Deadline: 1764205277000000000, WithinNs: 11870000000,
			Restore: &leyline.RestoreOrder{
				Rollback: "rb-205", From: leyline.SnapshotRef{Snapshot: "s-100", Step: 100, Tier: leyline.TierFast, File: "s-100.safetensors", Bytes: 36412, Digest: digest(10), Check: 0x1badcafe},
				Cause: leyline.FaultDiverged, Fault: 131, Reached: 131,
			},
		},
		{ID: leyline.EffectID{Seq: 207, Index: 2}, Kind: leyline.EffectRates, Rates: &leyline.RateOrder{Step: 101, Rates: []float64{0.025}}},
		{ID: leyline.EffectID{Seq: 207, Index: 3}, Kind: leyline.EffectRebuild, Rebuild: &leyline.RebuildOrder{Step: 101}},
		{ID: leyline.EffectID{Seq: 207, Index: 4}, Kind: leyline.EffectHalt, Halt: &leyline.HaltOrder{Reason: leyline.FaultOperator, Detail: "stopped by ada"}},
	}
	return []example{
		{"open.request", openExample()}, {"open.answer", open}, {"resume.request", resume}, {"resume.answer", resumed},
		{"step.request", step}, {"step.answer", &weighed}, {"step-seed.request", seeded}, {"step-seed.answer", &told}, {"directives.answer", &waited},
	}
}

func reportExamples() []example {
	var out []example
	add := func(name string, body any, a leyline.Answer) {
		out = append(out, example{name + ".request", body}, example{name + ".answer", &a})
	}
	add("epoch", &protocol.Epoch{After: 132, EpochObserved: leyline.EpochObserved{
		Incarnation: 1, Step: 64, Epoch: 1, Losses: []float64{1.1, 0.58}, Accuracies: []float64{0.71, 0.72}, Samples: 360, TookNs: 412000000, HookNs: 380000,
	}}, answerOf(134, 64))
	add("snapshot", &protocol.Snapshot{After: 6, SnapshotTaken: leyline.SnapshotTaken{
		Incarnation: 1, Snapshot: "s-100", Step: 100, Tier: leyline.TierFull, File: "s-100.safetensors", Bytes: 36412, Digest: digest(10), WriteNs: 2100000,
	}}, answerOf(135, 100))
	add("probe", &protocol.Probe{After: 140, SeedProbed: leyline.SeedProbed{
		Incarnation: 1, Step: 120, Seed: "seed-a", Alpha: 0.5, Losses: []float64{0.91, 0.5}, Accuracies: []float64{0.78, 0.8}, LossesAt0: []float64{0.97, 0.52}, AccuracyAt0: []float64{0.76, 0.79},
		Samples: 360, TookNs: 9000000,
	}}, answerOf(141, 120))
	add("ack", &protocol.Ack{After: 133, CommandAcked: leyline.CommandAcked{
		Incarnation: 1, Command: "seed-a-start-training-40", Outcome: leyline.OutcomeOK, TookNs: 3400000,
		Parameters: []leyline.Parameter{{Name: "seed-a.down.weight", Size: 512}, {Name: "seed-a.up.weight", Size: 48}},
	}}, answerOf(136, 64))
	add("rollback", &protocol.Rollback{After: 207, RollbackReported: leyline.RollbackReported{
		Incarnation: 1, Rollback: "rb-205", Phase: leyline.PhaseCommit, Tier: leyline.TierFast, Outcome: leyline.OutcomeOK, Digest: digest(10), Check: 0x1badcafe, Bytes: 36412, TookNs: 1900000,
	}}, answerOf(209, 100))
	add("fallback", &protocol.Fallback{After: 140, CompileFallback: leyline.CompileFallback{
		Incarnation: 1, Step: 120, Stage: leyline.FallbackRuntime, Reason: "torch._dynamo hit config.recompile_limit (8)",
	}}, answerOf(142, 120))
	add("profiled", &protocol.Profile{After: 150, ProfileReported: leyline.ProfileReported{
		Incarnation: 1, First: 121, Last: 125, File: "steps-121-125.json", Bytes: 48211, Outcome: leyline.OutcomeOK, TookNs: 7300000,
	}}, answerOf(151, 125))
	add("close", &protocol.Close{RunClosed: leyline.RunClosed{Incarnation: 2, Step: 2000, Outcome: leyline.OutcomeOK, Digest: digest(11), Reason: "trained to its end"}}, answerOf(4211, 2000))
	return out
}

func problemExamples() []example {
	of := func(status uint32, kind, field, detail, hint string) *protocol.Problem {
		return &protocol.Problem{
			Type: "urn:esper:problem:" + kind, Title: strings.ReplaceAll(kind, "_", " "), Status: status, Detail: detail, Kind: kind, Field: field, Hint: hint,
		}
	}
	return []example{
		{"error.problem", of(409, "step_conflict", "step", `plane refused (step_conflict): step "64" was reported with another content, in record 133`, "send a report again exactly as it was, or report the next step")},
		{"error-unknown.problem", of(400, "unknown_field", "seeds[0].sede", "seeds[0].sede is not known", "send one document with the members of the route and no others; GET /v1/openapi.json lists them")},
		{"error-missing.problem", of(400, "missing_field", "away", "plane refused (missing_field): away is missing", "send it; nothing is substituted")},
		{"error-owner.problem", of(403, "not_authorized", "run", "run digits-7 was opened by another principal than token:two", "report as the principal that has opened the run")},
		{"error-stopping.problem", of(503, "stopping", "", "the plane is stopping", "ask again when the plane has started again")},
	}
}

func exampleFile(name string) string { return filepath.Join("testdata", "examples", name+".json") }

// TestExamples holds the files against the bodies, and the bodies against the reader.
func TestExamples(t *testing.T) {
	for _, e := range examples() {
		write := protocol.AppendRequest
		if strings.HasSuffix(e.name, ".answer") {
			write = protocol.AppendAnswer
		}
		doc, err := write(nil, protocol.MediaJSON, e.body)
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, doc, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
		doc = compact(b.Bytes())
		golden(t, exampleFile(e.name), doc)
		back := reflect.New(reflect.TypeOf(e.body).Elem())
		if err := protocol.Decode(protocol.MediaJSON, doc, back.Interface()); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		if d := same(e.body, back.Interface()); d != "" {
			t.Errorf("%s: %s", e.name, d)
		}
	}
	if files, _ := filepath.Glob(exampleFile("*")); len(files) != len(examples())+2 { // the teacher's are of package admin
		t.Errorf("there are %d files for %d examples", len(files), len(examples()))
	}
}

var plainList = regexp.MustCompile(`\[\s*[^\[\]{}]*\]`)

// compact puts lists of numbers and texts on one line.
func compact(doc []byte) []byte {
	return plainList.ReplaceAllFunc(doc, func(list []byte) []byte {
		fields := bytes.Split(list[1:len(list)-1], []byte(","))
		for i := range fields {
			fields[i] = bytes.TrimSpace(fields[i])
		}
		return append(append([]byte("["), bytes.Join(fields, []byte(", "))...), ']')
	})
}

func golden(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the package makes (%v); go test ./leyline/protocol -update writes it anew", file, err)
	}
}

// TestOpenAPI holds the file against what the package makes of its plans, and every
// example against the schema of its body.
func TestOpenAPI(t *testing.T) {
	golden(t, "openapi.json", protocol.OpenAPI())
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(protocol.OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("esper.json", doc); err != nil {
		t.Fatal(err)
	}
	for _, e := range examples() {
		name := reflect.TypeOf(e.body).Elem().Name()
		s, err := c.Compile("esper.json#/components/schemas/" + name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := os.ReadFile(exampleFile(e.name))
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		v.(map[string]any)["unknown"] = 1
		if s.Validate(v) == nil {
			t.Errorf("%s: the schema of %s lets an unknown member pass", e.name, name)
		}
	}
}
