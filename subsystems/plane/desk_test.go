package plane_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/recheck"
	"github.com/esper-plane/esper/subsystems/plane"
)

// desk is a plane on a real log in a directory, with an open run in which nothing
// happens by itself, and with people who have keys.
type desk struct {
	*bench
	dir  string
	log  *eventlog.Log
	p    *plane.Plane
	seen []leyline.Record // released
	mu   sync.Mutex
}

func newDesk(t testing.TB, change ...func(*leyline.ExecutionConfig)) *desk {
	d := &desk{bench: newBench(t), dir: filepath.Join(t.TempDir(), "log")}
	d.config.Tamiyo.Enabled = false
	d.config.Tolaria.Stall = 3_600_000
	for _, f := range change {
		f(&d.config)
	}
	d.origin.LogKey = nil
	d.released = func(r leyline.Record) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.seen = append(d.seen, r)
	}
	var err error
	if d.log, err = eventlog.Create(d.dir, d.origin, time.Now().UnixNano(), eventlog.Options{Logger: d.logger}); err != nil {
		t.Fatal(err)
	}
	d.boot()
	_, err = d.p.Open(d.ctx(), leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"}, Parameters: 1, Steps: 9,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	d.check(err)
	return d
}

func (d *desk) ctx() context.Context { return context.WithoutCancel(d.t.Context()) }

func (d *desk) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) boot() {
	d.t.Helper()
	p, err := d.start(d.ctx(), d.log)
	d.check(err)
	d.p = p
	d.t.Cleanup(func() { p.Shutdown(d.ctx()) })
}

// restart ends the process in an orderly way and begins another on the same log.
func (d *desk) restart() {
	d.t.Helper()
	d.check(d.p.Shutdown(d.ctx()))
	d.check(d.log.Close())
	log, err := eventlog.Open(d.dir, eventlog.Options{Logger: d.logger})
	d.check(err)
	d.log = log
	d.boot()
}

// records ends the plane and returns its log, which must derive again in every way.
func (d *desk) records() []leyline.Record {
	d.t.Helper()
	d.check(d.p.Shutdown(d.ctx()))
	mustRedecide(d.t, d.log)
	rs := records(d.t, d.log)
	c := recheck.New(d.origin.AdminKey)
	for _, r := range rs {
		c.Apply(r)
	}
	if rep := c.Report(); rep.Differences != 0 {
		d.t.Errorf("verdicts do not follow from the log: %+v", rep.Listed)
	}
	return rs
}

// person is an issuer with a key.
type person struct {
	*desk
	name string
	key  sign.Signer
	n    atomic.Uint64
}

func (d *desk) person(name string, seed uint64, change ...func(*leyline.Key)) *person {
	d.t.Helper()
	o := &person{desk: d, name: name, key: testKey(seed)}
	_, err := d.p.Enroll(d.ctx(), d.enrolment(o.key, name, change...), "admin")
	d.check(err)
	return o
}

func (d *desk) enrolment(s sign.Signer, name string, change ...func(*leyline.Key)) leyline.KeyAdded {
	k := leyline.Key{ID: s.KeyID(), Public: s.Public(), Issuer: name, Kinds: []leyline.CommandKind{leyline.CommandSeed}}
	for _, f := range change {
		f(&k)
	}
	body, err := wire.EncodeKey(k)
	d.check(err)
	return leyline.KeyAdded{Envelope: d.admin.Sign(leyline.PayloadKey, body)}
}

// next is the person's next command: to germinate the seed.
func (o *person) next() leyline.Command {
	n := o.n.Add(1)
	return leyline.Command{
		Issuer: o.name, Audience: leyline.Audience{Origin: o.origin.Name, Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("%s-%d", o.name, n)),
		Sequence: n, IssuedAt: leyline.Instant(o.clock().UnixNano()), Kind: leyline.CommandSeed,
		Seed: leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "residual-mlp-16", Mesh: []string{"trunk"}},
	}
}

func (d *desk) clock() time.Time {
	if d.wall != nil {
		return d.wall()
	}
	return time.Now()
}

func (o *person) sign(c leyline.Command) leyline.Envelope {
	body, err := wire.EncodeCommand(c)
	o.check(err)
	return o.key.Sign(leyline.PayloadCommand, body)
}

// verdict hands a command in and returns what became of it, and whether it got a
// record.
func (d *desk) verdict(env leyline.Envelope) (leyline.RejectReason, bool) {
	d.t.Helper()
	seq, err := d.p.Command(d.ctx(), leyline.CommandReceived{Envelope: env, Peer: leyline.PeerOperator, PeerName: "test"})
	var r *leyline.Rejection
	if errors.As(err, &r) {
		return r.Reason, false
	}
	d.check(err)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, rec := range d.seen {
		if rec.Seq != seq {
			continue
		}
		for _, e := range rec.Events {
			switch x := e.(type) {
			case leyline.CommandRejected:
				return x.Reason, true
			case leyline.CommandVerified:
				return leyline.RejectNone, true
			}
		}
	}
	d.t.Fatalf("record %d holds no verdict", seq)
	return 0, false
}

func (d *desk) wants(what string, env leyline.Envelope, want leyline.RejectReason) {
	d.t.Helper()
	if got, _ := d.verdict(env); got != want {
		d.t.Errorf("%s: %s, want %s", what, got, want)
	}
}
