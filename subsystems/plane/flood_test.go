package plane_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// TestFloodLeavesABoundedLog sends a million commands with invalid signatures from
// more peers than the door tells apart, while two honest issuers go on. Every one of
// them is refused with its reason at once and counted, none has a record of its own,
// and the log grows by the second and not by the command.
func TestFloodLeavesABoundedLog(t *testing.T) {
	flood, peers := 1_000_000, 24
	if testing.Short() || race {
		flood = 100_000
	}
	d := newDesk(t)
	honest := []*person{d.person("ada", 10), d.person("bob", 11)}
	template := honest[0].sign(honest[0].next())
	before, began := d.log.Next(), time.Now()

	var bad, left atomic.Int64
	left.Store(int64(flood))
	var wg sync.WaitGroup
	for hand := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(hand), 7))
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				env := template
				env.Signature = make([]byte, 64)
				for i := range env.Signature { // one in sixteen is canonical and has to be checked in full
					env.Signature[i] = byte(rng.Uint32())
				}
				_, err := d.p.Command(d.ctx(), leyline.CommandReceived{
					Envelope: env, Peer: leyline.PeerTrainer, PeerName: fmt.Sprintf("uid:%d", int(n)%peers),
				})
				if r := (*leyline.Rejection)(nil); !errors.As(err, &r) || r.Reason != leyline.RejectInvalidSignature {
					bad.Add(1)
				}
			}
		})
	}
	asked := uint64(0)
	for left.Load() > 0 {
		for _, o := range honest {
			if why, recorded := d.verdict(o.sign(o.next())); !recorded || !leyline.Authentic(why) {
				t.Fatalf("%s is kept from working: %s, recorded %v", o.name, why, recorded)
			}
			asked++
		}
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
	took := time.Since(began)
	rs := d.records()
	var counted, rows, bytes uint64
	for _, r := range rs {
		if x, ok := r.Input.(leyline.PeerRejected); ok {
			rows++
			for _, c := range x.Counts {
				counted += c.N
			}
		}
	}
	for e, err := range d.log.All(before) {
		d.check(err)
		bytes += uint64(len(e.Payload))
	}
	if bad.Load() != 0 || counted != uint64(flood) {
		t.Errorf("%d of %d commands were answered otherwise, %d are counted", bad.Load(), flood, counted)
	}
	if most := uint64(took/time.Second+2) * 17; rows > most {
		t.Errorf("%d records of counts in %v, at most %d are allowed: 16 peers and all others, each second", rows, took, most)
	}
	t.Logf("%d invalid signatures from %d peers in %v: %d records of counts, %d of honest commands, %d bytes in all", flood, peers, took, rows, asked, bytes)
}

// TestTotalsSurviveAStop counts what was refused within the last second of a process.
func TestTotalsSurviveAStop(t *testing.T) {
	d := newDesk(t)
	ada := d.person("ada", 10)
	for range 5 {
		env := ada.sign(ada.next())
		env.Signature[7] ^= 1
		d.wants("a forged command", env, leyline.RejectInvalidSignature)
	}
	d.records()
	if s := mustRedecide(t, d.log); s.Audit.RejectedTotal() != 5 {
		t.Errorf("%d are counted", s.Audit.RejectedTotal())
	}
}

// TestReplaysOfGoodCommandsAreBoundedToo replays a captured command without end: its
// signature is good, so its key's share of records is what bounds it, and the key's
// own commands go on.
func TestReplaysOfGoodCommandsAreBoundedToo(t *testing.T) {
	d := newDesk(t)
	ada := d.person("ada", 10, func(k *leyline.Key) { k.Rate = 40 })
	stolen := ada.sign(ada.next())
	d.wants("the first time", stolen, leyline.RejectNone)
	recorded := 0
	for range 500 {
		if why, own := d.verdict(stolen); own {
			recorded++
		} else if why != leyline.RejectNonceReplayed {
			t.Fatalf("a replay is rejected as %s", why)
		}
	}
	if recorded == 0 || recorded > 120 { // the test may see the turn of a minute
		t.Errorf("%d of 500 replays have records of their own", recorded)
	}
	if why, own := d.verdict(ada.sign(ada.next())); !own || !leyline.Authentic(why) {
		t.Errorf("the key's own command: %s, recorded %v", why, own)
	}
	d.records()
}
