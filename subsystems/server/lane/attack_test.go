package lane_test

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/lane"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// length is the first bytes of a frame.
func length(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

// TestSlowHellos: whoever does not say hello in time, in one piece or in none, is told so
// and goes.
func TestSlowHellos(t *testing.T) {
	b := start(t, &stub{}, func(o *lane.Options) { o.HelloTimeout = 30 * time.Millisecond })
	for _, sent := range []string{"", "\x31", length(50) + `{"protocol":1`} {
		c := b.dial()
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if said := readAll(c); !strings.Contains(said, `"kind":"timeout"`) {
			t.Errorf("after %q it says %q", sent, said)
		}
	}
	until(t, "all have gone", func() bool { return b.Connections() == 0 })
}

// TestSlowFrames: a frame that has begun must end, however its bytes trickle; between
// frames a trainer with an open run may be silent for longer than that.
func TestSlowFrames(t *testing.T) {
	b := start(t, &stub{}, func(o *lane.Options) { o.ReadTimeout, o.IdleTimeout = 60*time.Millisecond, 60*time.Millisecond })
	p := b.connect()
	if err := p.Send(frame.OpStep, []byte("x")); err != nil {
		t.Fatal(err)
	}
	p.wants(200, "x")
	time.Sleep(200 * time.Millisecond) // longer than both
	if err := p.Send(frame.OpStep, []byte("y")); err != nil {
		t.Fatal(err)
	}
	p.wants(200, "y")
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		if _, err := io.WriteString(p.net, length(1000)); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(p.net, "x"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	p.problem(408, "timeout")
	p.ends()
	<-stop
}

// TestIdleness: without an open run a connection goes after IdleTimeout, without a word.
func TestIdleness(t *testing.T) {
	status := 409
	s := &stub{submit: func(context.Context, trainer.Call) func() trainer.Reply {
		return func() trainer.Reply { return trainer.Reply{Status: status} }
	}}
	b := start(t, s, func(o *lane.Options) { o.IdleTimeout = 40 * time.Millisecond })
	b.connect().ends()
	p := b.connect()
	if err := p.Send(frame.OpStep, nil); err != nil {
		t.Fatal(err)
	}
	p.wants(409, "")
	p.ends()
	status = 200
	p = b.connect()
	for _, op := range []frame.Op{frame.OpStep, frame.OpClose} {
		if err := p.Send(op, nil); err != nil {
			t.Fatal(err)
		}
		p.wants(200, "")
	}
	p.ends()
}

// TestBadFrames end their connection with a problem; those before them were answered.
func TestBadFrames(t *testing.T) {
	b := start(t, &stub{}, nil)
	for _, c := range []struct {
		bytes  string
		status int
		kind   string
	}{
		{length(0), 400, "malformed"},
		{length(frame.MaxFrame + 1), 413, "body_too_large"},
		{"\xff\xff\xff\xff", 413, "body_too_large"},
		{"GET / HTTP/1.1\r\n", 413, "body_too_large"},
	} {
		p := b.connect()
		if err := p.Send(frame.OpStep, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p.net, c.bytes); err != nil {
			t.Fatal(err)
		}
		p.wants(200, "x")
		p.problem(c.status, c.kind)
		p.ends()
	}
}

// TestPeersThatVanish in the middle of a frame, or with answers that nobody reads, leave
// nothing behind; what was whole was handed over.
func TestPeersThatVanish(t *testing.T) {
	s := &stub{}
	b := start(t, s, nil)
	for range 20 {
		p := b.connect()
		if err := p.Send(frame.OpStep, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p.net, length(100)+"half"); err != nil {
			t.Fatal(err)
		}
		if err := p.net.Close(); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all have gone", func() bool { return b.Connections() == 0 })
	if n := len(s.seen()); n != 20 {
		t.Errorf("%d reports were handed over", n)
	}
}

// TestHalfClosedPeers, who write no more but still read, get their answers.
func TestHalfClosedPeers(t *testing.T) {
	b := start(t, &stub{}, nil)
	p := b.connect()
	if err := p.Send(frame.OpStep, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := p.net.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.wants(200, "x")
	p.ends()
}

// TestPeersThatDoNotRead are cut when their answers find no room, and no longer hold what
// waits for the plane.
func TestPeersThatDoNotRead(t *testing.T) {
	var waiting atomic.Int32
	s := &stub{submit: func(ctx context.Context, _ trainer.Call) func() trainer.Reply {
		waiting.Add(1)
		return func() trainer.Reply {
			defer waiting.Add(-1)
			return trainer.Reply{Status: 200, Body: make([]byte, 1<<20)}
		}
	}}
	b := start(t, s, func(o *lane.Options) { o.WriteTimeout = 40 * time.Millisecond })
	p := b.connect()
	for range 4 {
		if err := p.Send(frame.OpStep, nil); err != nil {
			break
		}
	}
	until(t, "it is cut", func() bool { return b.Connections() == 0 && waiting.Load() == 0 })
	p = b.connect()
	if err := p.Send(frame.OpStep, nil); err != nil {
		t.Fatal(err)
	}
	if status, body, err := p.Receive(); err != nil || status != 200 || len(body) != 1<<20 {
		t.Errorf("one who reads gets %d, %d bytes, %v", status, len(body), err)
	}
}

// TestShares: one process has at most its share.
func TestShares(t *testing.T) {
	b := start(t, &stub{}, func(o *lane.Options) { o.MaxConnections, o.MaxPerPeer = 3, 2 })
	first := b.connect()
	b.connect()
	if status, doc := b.refusal(hello(protocol.MediaJSON)); status != 503 || doc["kind"] != "too_many_lanes" || !strings.Contains(doc["detail"].(string), "the process") {
		t.Errorf("one more of the same process: %d %v", status, doc)
	}
	first.net.Close()
	until(t, "its place is free", func() bool { return b.Connections() == 1 })
	b.connect()
}

// TestFullLanes: whoever has waited longest without an open run makes way for the next;
// where all have one, the next is refused and nobody loses its connection.
func TestFullLanes(t *testing.T) {
	b := start(t, &stub{}, func(o *lane.Options) { o.MaxConnections, o.MaxPerPeer = 2, 2 })
	report := func(p peer) {
		t.Helper()
		if err := p.Send(frame.OpStep, []byte("x")); err != nil {
			t.Fatal(err)
		}
		p.wants(200, "x")
	}
	silent, first := b.dial(), b.connect()
	report(first)
	var second peer
	until(t, "a place is made", func() bool {
		c := b.dial()
		f, err := frame.Open(c, hello(protocol.MediaJSON))
		second = peer{t, f, c}
		return err == nil
	})
	if said := readAll(silent); said != "" {
		t.Errorf("whoever makes way hears %q", said)
	}
	report(second)
	time.Sleep(150 * time.Millisecond) // longer than the respite
	if status, doc := b.refusal(hello(protocol.MediaJSON)); status != 503 || doc["kind"] != "too_many_lanes" {
		t.Errorf("where all have open runs: %d %v", status, doc)
	}
	report(first)
	report(second)
}
