package recheck_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/recheck"
	"github.com/esper-plane/esper/subsystems/decider"
)

// history is a log as a plane would write it.
type history struct {
	t      *testing.T
	rng    *rand.Rand
	s      *projections.State
	seq    leyline.Seq
	at     leyline.Instant
	admin  sign.Signer
	keys   []sign.Signer
	config leyline.ExecutionConfig
	log    []leyline.Record
	sent   []leyline.CommandReceived
}

type noise struct{ *rand.Rand }

func (n noise) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return len(b), nil
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		t: t, rng: rand.New(rand.NewPCG(seed, 5)), s: &projections.State{}, at: 1_700_000_000_000_000_000, config: leyline.DefaultConfig(),
	}
	h.config.Tamiyo.Enabled = false
	h.config.Kasmina.NonceCap, h.config.Kasmina.NonceKeyShare = 12, 0.4
	h.admin = h.signer()
	h.feed(leyline.PlaneStarted{Boot: "b1", Origin: "esper-test", AdminKey: h.admin.Public(), Decider: decider.Version})
	h.feed(h.enrol(h.signer(), 0))
	h.configure()
	h.feed(leyline.BlueprintRegistered{Blueprint: "bp-1", Kernel: "k", Digest: sha256.Sum256([]byte("k")), Bytes: 1})
	h.feed(leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"bp-1"}, Parameters: 1, Steps: 9,
	})
	return h
}

func (h *history) signer() sign.Signer {
	s, err := sign.Generate(noise{h.rng})
	h.check(err)
	return s
}

func (h *history) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) feed(in leyline.Input) leyline.Record {
	h.seq++
	m := leyline.Meta{Seq: h.seq, At: h.at, Run: leyline.RunOf(in)}
	r := leyline.Record{Seq: h.seq, At: h.at, Wall: h.at, Run: m.Run, Input: in, Events: decider.Decide(h.s, m, in)}
	payload, err := wire.AppendRecord(nil, r)
	h.check(err)
	r, err = wire.DecodeRecord(r.Seq, r.At, payload) // as a reader of the log sees it
	h.check(err)
	h.log = append(h.log, r)
	return r
}

func (h *history) enrol(s sign.Signer, serial uint64, change ...func(*leyline.Key)) leyline.Input {
	k := leyline.Key{ID: s.KeyID(), Public: s.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandEmergency}, Serial: serial}
	for _, f := range change {
		f(&k)
	}
	if h.s.Plane.Key(k.ID) == nil {
		h.keys = append(h.keys, s)
	}
	body, err := wire.EncodeKey(k)
	h.check(err)
	return leyline.KeyAdded{Envelope: h.admin.Sign(leyline.PayloadKey, body)}
}

func (h *history) configure() {
	body, err := wire.EncodeConfig(h.config)
	h.check(err)
	h.feed(leyline.ConfigApplied{Envelope: h.admin.Sign(leyline.PayloadConfig, body)})
}

func (h *history) pick(n int) int { return h.rng.IntN(n) }

func (h *history) key() sign.Signer { return h.keys[h.pick(len(h.keys))] }

// command is a command with, most of the time, one thing wrong.
func (h *history) command() leyline.CommandReceived {
	s := h.key()
	c := leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("c-%d", h.seq)),
		Sequence: h.s.Kasmina.High(s.KeyID()) + 1, IssuedAt: h.at, Kind: leyline.CommandSeed,
		Seed: leyline.SeedCommand{Operation: leyline.SeedOperation(1 + h.pick(9)), Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}},
	}
	wrong := []func(){
		func() { c.Issuer = "eve" }, func() { c.Kind = leyline.CommandRollback }, func() { c.Audience.Origin = "esper-other" },
		func() { c.ID = "" }, func() { c.IssuedAt = 0 }, func() { c.IssuedAt = c.IssuedAt.Add(6 * time.Second) },
		func() { c.IssuedAt = c.IssuedAt.Add(-61 * time.Second) }, func() { c.NotAfter = h.at - 1 }, func() { c.Sequence-- },
		func() { c.NotAfter = h.at.Add(time.Second) }, func() { c.Audience.Run = "run-2" }, func() { c.IssuedAt = c.IssuedAt.Add(-50 * time.Second) },
		func() {
			c.Kind = leyline.CommandEmergency
			c.Emergency = leyline.EmergencyCommand{Action: leyline.EmergencyRaise, Level: leyline.EmergencyElevated, Reason: "by hand"}
		},
		func() { c.Kind = leyline.CommandEmergency },
	}
	if n := h.pick(2 * len(wrong)); n < len(wrong) {
		wrong[n]()
	}
	body, err := wire.EncodeCommand(c)
	h.check(err)
	x := leyline.CommandReceived{Envelope: s.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "test"}
	forge := []func(){
		func() { x.Envelope.Signature[5] ^= 1 }, func() { x.Envelope.Signature = nil }, func() { x.Envelope.PayloadType = leyline.PayloadKey },
		func() { x.Envelope.KeyID = h.key().KeyID() }, func() { x.Envelope.Payload = x.Envelope.Payload[1:] },
		func() { x.Envelope = h.signer().Sign(leyline.PayloadCommand, body) }, func() { x.Envelope.Payload = make([]byte, leyline.MaxCommandBytes+1) },
		func() { x.Envelope.Payload = make([]byte, leyline.MaxCommandBytes+2) },
	}
	if n := h.pick(4 * len(forge)); n < len(forge) {
		forge[n]()
	}
	return x
}

// live feeds n random inputs.
func (h *history) live(n int) {
	for range n {
		h.at = h.at.Add(time.Duration(h.pick(3_000)) * time.Millisecond)
		switch h.pick(12) {
		case 0:
			h.trust()
		case 1:
			h.feed(leyline.PeerRejected{
				Peer: leyline.PeerTrainer, Counts: []leyline.RejectCount{{Reason: leyline.RejectInvalidSignature, N: 7}},
				First: sha256.Sum256(nil), Last: sha256.Sum256(nil),
			})
		case 2:
			if len(h.sent) > 0 {
				h.feed(h.sent[h.pick(len(h.sent))])
			}
		default:
			x := h.command()
			h.sent = append(h.sent, x)
			h.feed(x)
		}
	}
}

// trust changes what is trusted, or tries to.
func (h *history) trust() {
	switch h.pick(6) {
	case 0:
		h.feed(h.enrol(h.signer(), 0, func(k *leyline.Key) { k.Rate = uint32(h.pick(3)) }))
	case 1:
		h.feed(h.enrol(h.key(), uint64(h.pick(4)), func(k *leyline.Key) { k.Runs = []leyline.RunID{"run-2", "run-1"}[:1+h.pick(2)] }))
	case 2, 3:
		if len(h.keys) < 3 {
			return
		}
		v := leyline.KeyRevocation{Key: h.key().KeyID(), Reason: "test"}
		if h.pick(2) == 0 {
			s := h.signer()
			v.Successor = leyline.Key{ID: s.KeyID(), Public: s.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed}}
			h.keys = append(h.keys, s)
		}
		body, err := wire.EncodeRevocation(v)
		h.check(err)
		h.feed(leyline.KeyRevoked{Envelope: h.admin.Sign(leyline.PayloadRevocation, body)})
	case 4:
		h.config.Kasmina.Freshness = leyline.Millis(30_000 + h.pick(60_000))
		h.configure()
	case 5: // somebody else's signature
		body, err := wire.EncodeConfig(leyline.DefaultConfig())
		h.check(err)
		h.feed(leyline.ConfigApplied{Envelope: h.key().Sign(leyline.PayloadConfig, body)})
	}
}

func (h *history) report(log []leyline.Record) recheck.Report {
	c := recheck.New(h.admin.Public())
	for _, r := range log {
		c.Apply(r)
	}
	return c.Report()
}

// TestEveryVerdictOfThePlaneIsDerivedAgain holds the verifier of the deciders against
// the one of this package: two programs that must agree on every command.
func TestEveryVerdictOfThePlaneIsDerivedAgain(t *testing.T) {
	reasons := map[leyline.RejectReason]int{}
	for seed := range uint64(12) {
		h := newHistory(t, seed)
		h.live(400)
		rep := h.report(h.log)
		for _, d := range rep.Listed {
			t.Errorf("seed %d: %+v", seed, d)
		}
		if rep.Commands != rep.Accepted+rep.Rejected+rep.Refused || rep.InFull+rep.AsAuthentic != rep.Accepted+rep.Rejected || rep.Counted == 0 {
			t.Errorf("seed %d: the counts do not add up: %+v", seed, rep)
		}
		for _, r := range h.log {
			for _, e := range r.Events {
				switch x := e.(type) {
				case leyline.CommandRejected:
					reasons[x.Reason]++
				case leyline.CommandVerified:
					reasons[leyline.RejectNone]++
				}
			}
		}
	}
	for r := range leyline.RejectRateLimited + 1 {
		if !leyline.Authentic(r) && r != leyline.RejectLedgerFull && reasons[r] == 0 {
			t.Errorf("no command was rejected as %s: the test shows nothing of it", r)
		}
	}
	if reasons[leyline.RejectNone] == 0 {
		t.Error("no command was accepted")
	}
}

// TestEveryForgedFieldIsFound changes each field of each verdict of a log, one at a
// time, as somebody who frames it anew could.
func TestEveryForgedFieldIsFound(t *testing.T) {
	h := newHistory(t, 3)
	h.live(60)
	verdicts := 0
	for i, r := range h.log {
		for j, e := range r.Events {
			switch e.(type) {
			case leyline.CommandVerified, leyline.CommandRejected:
				verdicts++
				h.forge(i, j)
			}
		}
	}
	if verdicts < 30 {
		t.Fatalf("only %d verdicts", verdicts)
	}
}

// forge tries every field of event j of record i.
func (h *history) forge(i, j int) {
	was := h.log[i].Events
	defer func() { h.log[i].Events = was }()
	typ := reflect.TypeOf(was[j])
	for f := range typ.NumField() {
		forged := reflect.New(typ).Elem()
		forged.Set(reflect.ValueOf(was[j]))
		if !alter(forged.Field(f)) {
			h.t.Fatalf("no way to alter %s.%s", typ, typ.Field(f).Name)
		}
		events := append([]leyline.Event(nil), was...)
		events[j] = forged.Interface().(leyline.Event)
		h.log[i].Events = events
		x, rejected := events[j].(leyline.CommandRejected)
		if rejected && leyline.Authentic(x.Reason) && (typ.Field(f).Name == "Reason" || typ.Field(f).Name == "Detail") {
			continue // a reason in the state of the run is not vouched for here
		}
		if h.report(h.log).Differences == 0 {
			h.t.Errorf("record %d: %s.%s is forged and not found", h.log[i].Seq, typ, typ.Field(f).Name)
		}
	}
}

// alter changes the first thing in a value that can be changed.
func alter(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() ^ 1)
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Array:
		v.Index(0).SetUint(v.Index(0).Uint() ^ 1)
	case reflect.Struct:
		return alter(v.Field(0))
	default:
		return false
	}
	return true
}

// TestForgedHistoryIsFound changes what a record says happened, not a verdict's field.
func TestForgedHistoryIsFound(t *testing.T) {
	for name, forge := range map[string]func(h *history){
		"a verdict without a command": func(h *history) {
			h.log[0].Events = append(h.log[0].Events, leyline.CommandVerified{Command: "c"})
		},
		"a verdict that is missing": func(h *history) { h.log[h.first()].Events = nil },
		"a guard that refused what it had to admit": func(h *history) {
			h.log[h.first()].Events = []leyline.Event{leyline.DependencyViolated{}}
		},
		"another admin key": func(h *history) {
			x := h.log[0].Input.(leyline.PlaneStarted)
			x.AdminKey = h.keys[0].Public()
			h.log[0].Input = x
		},
		"a key that nobody vouched for": func(h *history) {
			x := h.log[1].Input.(leyline.KeyAdded)
			x.Envelope.Signature = make([]byte, 64)
			h.log[1].Input = x
		},
		"a key with other permissions": func(h *history) {
			x := h.log[1].Events[0].(leyline.KeyEnrolled)
			x.Key.Rate = 99
			h.log[1].Events = []leyline.Event{x}
		},
		"a configuration that nobody signed": func(h *history) {
			x := h.log[2].Input.(leyline.ConfigApplied)
			x.Envelope.KeyID = h.keys[0].KeyID()
			h.log[2].Input = x
		},
		"another configuration": func(h *history) {
			x := h.log[2].Events[0].(leyline.ConfigAdopted)
			x.Config.Kasmina.Skew++
			h.log[2].Events = []leyline.Event{x}
		},
		"a command moved in time": func(h *history) { h.log[h.first()].At += leyline.Instant(time.Hour) },
	} {
		h := newHistory(t, 4)
		h.live(40)
		if rep := h.report(h.log); rep.Differences != 0 {
			t.Fatalf("%s: differences before anything is forged: %+v", name, rep.Listed)
		}
		if forge(h); h.report(h.log).Differences == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

// first is the first record with an accepted command.
func (h *history) first() int {
	for i, r := range h.log {
		for _, e := range r.Events {
			if _, ok := e.(leyline.CommandVerified); ok {
				return i
			}
		}
	}
	h.t.Fatal("no command was accepted")
	return 0
}

// BenchmarkRecheck derives the verdicts of a log of commands: a signature each.
func BenchmarkRecheck(b *testing.B) {
	h := newHistory(&testing.T{}, 1)
	h.live(500)
	b.ReportMetric(0, "ns/op")
	n := 0
	for b.Loop() {
		n += int(h.report(h.log).Commands)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "commands/s")
}
