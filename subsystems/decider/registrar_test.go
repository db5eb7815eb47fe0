package decider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// params are parameters of one number each.
func params(names ...string) []leyline.Parameter {
	slices.Sort(names)
	var out []leyline.Parameter
	for _, n := range names {
		out = append(out, leyline.Parameter{Name: n, Size: 1})
	}
	return out
}

func teacherOf(id leyline.TeacherID, names ...string) leyline.Teacher {
	return leyline.Teacher{ID: id, Parameters: params(names...), Bytes: 1 << 20, Digest: digest(string(id))}
}

// registrar is an operator who may do everything to seeds and the registry.
type registrar struct {
	*world
	key sign.Signer
	n   uint64
}

// owned opens a run with two slots and a host that names its tensors, in which only
// an operator acts.
func owned(t *testing.T, change ...func(*leyline.ExecutionConfig)) *registrar {
	w := newWorld(t, append(change, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })...)
	p := plan()
	p.Seeds, p.HostParameters = []leyline.SeedID{"seed-a", "seed-b"}, params("trunk.b", "trunk.w")
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	o := &registrar{world: w, key: signer(t, 3)}
	body, err := wire.EncodeKey(leyline.Key{
		ID: o.key.KeyID(), Public: o.key.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandRegistry},
	})
	w.check(err)
	w.must(leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)})
	return o
}

// signed is the next command of the operator.
func (o *registrar) signed(kind leyline.CommandKind, seed leyline.SeedCommand, reg leyline.RegistryCommand) leyline.CommandReceived {
	o.t.Helper()
	o.n++
	body, err := wire.EncodeCommand(leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("ada-%d", o.n)),
		Sequence: o.n, IssuedAt: o.at, Kind: kind, Seed: seed, Registry: reg,
	})
	o.check(err)
	return leyline.CommandReceived{Envelope: o.key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "ada"}
}

// commands hands in a command about a seed and answers it.
func (o *registrar) commands(c leyline.SeedCommand) {
	o.t.Helper()
	one[leyline.CommandVerified](o.world, o.must(o.signed(leyline.CommandSeed, c, leyline.RegistryCommand{})))
	if k := o.s.Kasmina.Seed("run-1", c.Seed).Kernel; !k.Request.IsZero() {
		o.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: c.Seed, Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
	}
}

// answers acknowledges the command that waits for it.
func (o *registrar) answers(ps ...leyline.Parameter) []leyline.Event {
	o.t.Helper()
	return o.must(leyline.CommandAcked{
		Run: "run-1", Incarnation: o.inc, Command: o.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK, Parameters: ps,
	})
}

// trains germinates a seed and lets it train with parameters of its own.
func (o *registrar) trains(seed leyline.SeedID, names ...string) []leyline.Event {
	o.t.Helper()
	g := germinate()
	g.Seed = seed
	o.commands(g)
	o.answers()
	o.commands(leyline.SeedCommand{Operation: leyline.OpStartTraining, Seed: seed})
	return o.answers(params(names...)...)
}

func (o *registrar) registers(action leyline.RegistryAction, x leyline.Teacher) []leyline.Event {
	o.t.Helper()
	return o.must(o.signed(leyline.CommandRegistry, leyline.SeedCommand{}, leyline.RegistryCommand{Action: action, Teacher: x, Reason: "by hand"}))
}

func (o *registrar) owner(name string) string {
	switch w := o.s.Registry("run-1").Owner(name); w.Why {
	case leyline.OwnershipUnspecified:
		return "nobody"
	case leyline.OwnedByTeacher:
		return "teacher " + string(w.Teacher)
	case leyline.OwnedBySeed:
		return "seed " + string(w.Seed)
	}
	return "host"
}

// owners says whose some tensors are.
func (o *registrar) owners(want ...string) {
	o.t.Helper()
	for _, w := range want {
		name, who, _ := strings.Cut(w, ": ")
		if got := o.owner(name); got != who {
			o.t.Errorf("%s is owned by %s, want %s", name, got, who)
		}
	}
}
