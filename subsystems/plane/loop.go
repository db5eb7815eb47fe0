package plane

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// maxPending bounds the records that are decided but not durable.
const maxPending = 4096

// loop is the single writer's state. Only the goroutine of run touches it.
type loop struct {
	plane   *Plane
	log     hclog.Logger
	state   *projections.State
	clock   *clock
	next    leyline.Seq // of the next record
	durable leyline.Seq // last durable record

	pending   []decided    // decided, not handed to the committer
	flying    []decided    // handed to the committer
	flew      time.Time    // when they were
	commit    chan []Entry // to the committer
	commits   chan error   // from the committer
	chains    []*chain     // requests without a reply, in order
	running   map[leyline.EffectID]*chain
	jobs      map[leyline.EffectID]*worker.Handle // of fetches of kernels, to be cancelled
	views     []*request
	polls     []*request
	held      []heldCommand                         // in order of arrival
	orders    map[leyline.RunID][]leyline.Directive // released directives
	saver     *saver
	signals   int                    // broadcasts under way
	published leyline.EmergencyLevel // that the signal was last told; unset: nothing yet
	unsaid    error                  // why it could not be published; nil: it was
	lost      []leyline.SnapshotLost // how registry and directories disagreed at the start
	booted    bool                   // plane.started is decided; until then nothing runs that decides
	stopping  bool

	proof    sign.Proof                          // the newest signature that was found good outside of a decision
	proven   func([]byte, leyline.Envelope) bool // covered, made once
	noise    map[leyline.KeyID]noise
	refusing <-chan time.Time // when what the door has refused is recorded; nil: it has refused nothing
}

// decided is a record on its way to the disk, and the actions that wait for it.
type decided struct {
	record  leyline.Record
	entry   Entry
	actions []effect.Effect
}

// run is the loop. It ends when the plane is closed or the log fails.
func (p *Plane) run(l *loop) {
	go committer(p.opts.Log, l.commit, l.commits)
	defer close(l.commit)
	stop := p.stop
	for {
		l.letInUnheard()
		l.settle()
		l.send()
		if l.stopping && len(l.flying) == 0 && len(l.pending) == 0 && l.signals == 0 {
			l.saver.finish(l)
			l.clearFast()
			p.end(leyline.ErrStopping)
			return
		}
		wait, disarm := l.timer()
		select {
		case q := <-l.open():
			l.accept(q)
		case a := <-p.asks:
			a <- l.health()
		case c := <-p.done:
			l.complete(c)
		case <-wait:
			l.fire()
		case err := <-l.commits:
			if err != nil {
				l.fail(err)
				disarm()
				return
			}
			l.release()
		case <-l.plane.refusals.wake:
			if l.refusing == nil {
				l.refusing = time.After(refusedEvery)
			}
		case <-l.refusing:
			l.refuse()
		case <-stop:
			l.refuse()
			l.cancelFetches()
			l.stopping, stop = true, nil
		}
		disarm()
	}
}

// open is the door, shut while too much is undurable or the plane stops.
func (l *loop) open() chan *request {
	if l.stopping || len(l.pending) >= maxPending {
		return nil
	}
	return l.plane.door
}

// timer arms the earliest deadline in the state. Before plane.started nothing
// is armed: it stops the clocks of what died with the last process.
func (l *loop) timer() (<-chan time.Time, func()) {
	due, ok := l.state.NextTimer()
	if !ok || l.stopping || !l.booted {
		return nil, func() {}
	}
	t := time.NewTimer(l.clock.until(due.Due))
	return t.C, func() { t.Stop() }
}

// now reads the clocks, and records that the wall clock was set before anything is
// decided at the new time.
func (l *loop) now() (at, wall leyline.Instant) {
	at, wall = l.clock.now()
	if !l.booted || !l.state.Plane.Configured {
		return at, wall
	}
	if x, ok := l.clock.step(l.state.Plane.Config.Kasmina.Skew.Duration()); ok {
		l.log.Error("the wall clock was set; plane time does not follow", "by", time.Duration(x.AmountNs), "from", x.Old.String(), "to", x.New.String())
		l.decide(x, at, wall, nil)
	}
	return at, wall
}

// fire records the timer that is due. Plane time may be a little behind the
// timer that woke the loop; then the timer is armed again.
func (l *loop) fire() {
	at, wall := l.now()
	if due, ok := l.state.NextTimer(); ok && due.Due <= at {
		l.decide(due, at, wall, nil)
	}
}

// stamp gives an input its time and decides it.
func (l *loop) stamp(in leyline.Input, c *chain) {
	at, wall := l.now()
	l.decide(in, at, wall, c)
}

// decide turns an input into a record, starts its computations, and signs its
// proposals, which become the next records.
func (l *loop) decide(in leyline.Input, at, wall leyline.Instant, c *chain) {
	if l.plane.opts.Log.Claim(l.next) {
		l.next++
	}
	m := leyline.Meta{Seq: l.next, At: at, Run: leyline.RunOf(in)}
	rec := leyline.Record{Seq: m.Seq, At: at, Wall: wall, Run: m.Run, Input: in}
	rec.Events = decider.DecideProven(l.state, m, in, l.proven)
	payload, err := wire.AppendRecord(nil, rec)
	if err != nil {
		panic(fmt.Sprintf("plane: record %d cannot be encoded: %v", m.Seq, err)) // Invariant: every input and event kind has a codec
	}
	l.next++
	d := decided{record: rec, entry: Entry{Seq: m.Seq, At: at, Payload: payload}}
	if c != nil {
		c.note(rec)
	}
	for i, e := range rec.Events {
		switch x := e.(type) {
		case leyline.PlaneBooted:
			l.booted = true
			l.reissue()
		case leyline.ConfigAdopted:
			l.announce()
		case leyline.KeyEnrolled, leyline.KeyWithdrawn:
			l.announceKeys()
		case leyline.PrefetchSettled:
			l.cancelFetch(x.Request)
		case leyline.RunStarted:
			l.plane.owners.Store(x.Run, x.Plan.Principal)
		case leyline.RunResumed:
			delete(l.orders, x.Run) // what the trainer that died had not fetched is void
		}
		if f, ok := effect.Of(l.state, m, i, e); ok {
			if effect.Computation(f.Kind) {
				l.compute(f, c)
			} else {
				d.actions = append(d.actions, signed(f, in))
			}
		}
	}
	l.pending = append(l.pending, d)
	l.probe(PointDecided, rec)
	l.propose(rec, at, wall, c)
}

// propose signs the proposals of a record. The signed command is an input like
// any other: the verifier knows nothing of where it came from.
func (l *loop) propose(rec leyline.Record, at, wall leyline.Instant, c *chain) {
	for i, e := range rec.Events {
		x, ok := e.(leyline.CommandProposed)
		if !ok {
			continue
		}
		signer := l.plane.opts.Signer
		id := leyline.EffectID{Seq: rec.Seq, Index: uint16(i)}
		cmd := leyline.Command{
			Issuer:   leyline.IssuerTamiyo,
			Audience: leyline.Audience{Origin: l.plane.opts.Origin, Run: x.Run},
			ID:       l.unspent("cmd-" + id.String()),
			Sequence: l.state.Kasmina.High(signer.KeyID()) + 1,
			IssuedAt: at, Kind: x.Kind, Seed: x.Seed, Pause: x.Pause, Optimizer: x.Optimizer, Metadata: x.Metadata,
		}
		payload, err := wire.EncodeCommand(cmd)
		if err != nil {
			panic(fmt.Sprintf("plane: command %s cannot be encoded: %v", cmd.ID, err)) // Invariant: proposals are bounded by the contracts
		}
		in := leyline.CommandReceived{
			Envelope: signer.Sign(leyline.PayloadCommand, payload), Peer: leyline.PeerPlane, PeerName: leyline.IssuerTamiyo, Cause: id,
		}
		l.proof, _, in.VerifyNs = l.plane.proven(in.Envelope)
		l.decide(in, at, wall, c)
	}
}

// unspent makes a command id out of one that somebody may have guessed and spent, so
// that nobody can hold Tamiyo's commands back by using their ids first.
func (l *loop) unspent(id string) leyline.CommandID {
	out := leyline.CommandID(id)
	for n := 2; l.state.Kasmina.Spent(out) || l.state.Kasmina.PendingCommand(out) != nil; n++ {
		out = leyline.CommandID(fmt.Sprintf("%s-%d", id, n))
	}
	return out
}

// send hands the pending group to the committer when it is idle.
func (l *loop) send() {
	if len(l.pending) == 0 || len(l.flying) > 0 {
		return
	}
	l.flying, l.pending = l.pending, nil
	group := make([]Entry, len(l.flying))
	for i := range l.flying {
		group[i] = l.flying[i].entry
	}
	l.flew = time.Now()
	l.commit <- group
}

// committer makes groups durable, one at a time.
func committer(log Log, groups <-chan []Entry, results chan<- error) {
	for g := range groups {
		results <- log.Append(context.Background(), g[0].Seq, g)
	}
}

// release is the moment after the commit point: the group is durable, its
// actions start.
func (l *loop) release() {
	group := l.flying
	l.flying = nil
	for i := range group {
		d := &group[i]
		l.durable = d.record.Seq
		l.probe(PointDurable, d.record)
		for _, f := range d.actions {
			l.act(f)
		}
		if l.plane.opts.Released != nil {
			l.plane.opts.Released(d.record)
		}
		l.probe(PointReleased, d.record)
	}
	l.saver.maybe(l)
}

func (l *loop) probe(at Point, r leyline.Record) {
	if l.plane.opts.Probe != nil {
		l.plane.opts.Probe(at, r)
	}
}

// fail ends the plane after the log failed. Nothing that was not durable is
// released.
func (l *loop) fail(cause error) {
	err := fmt.Errorf("%w: %w", leyline.ErrStorage, cause)
	l.log.Error("the log failed, the plane stops", "err", cause)
	if serr := l.plane.opts.Signal.Set(leyline.EmergencyHalt, "storage failed"); serr != nil {
		l.log.Error("cannot set the emergency signal", "err", serr)
	}
	l.saver.abandon()
	l.plane.end(err)
}
