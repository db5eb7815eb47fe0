package recheck_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
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
	h.feed(leylinetest.Blueprint("bp-1", []byte("k")))
	h.feed(leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"bp-1"}, Parameters: 1, Steps: 9,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
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
