package cli

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
)

// stolen returns the newest accepted command of a log, as somebody who saw it go by
// would have it.
func stolen(t *testing.T, data string) leyline.Envelope {
	t.Helper()
	var env leyline.Envelope
	for _, r := range records(t, data) {
		if accepted(r, "run-1") {
			env = r.Input.(leyline.CommandReceived).Envelope
		}
	}
	if env.Payload == nil {
		t.Fatal("no command was accepted")
	}
	return env
}

// handIn starts a plane on a data directory, hands a command in and returns why it was
// rejected.
func handIn(t *testing.T, data string, env leyline.Envelope) (why leyline.RejectReason) {
	t.Helper()
	a := &app{out: t.Output(), err: t.Output(), level: "error"}
	d, err := datadir.Open(data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: hclog.NewNullLogger(), Log: leyline.DefaultConfig().Log})
	if err != nil {
		t.Fatal(err)
	}
	j := &served{app: a, dir: d, config: leyline.DefaultConfig()}
	o, err := j.planeOptions(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	o.Admit, o.Policy, o.Free = nil, nil, nil
	o.Bootstrap = func(*projections.State) ([]leyline.Input, error) { return nil, nil }
	o.Released = func(r leyline.Record) {
		for _, e := range r.Events {
			if x, ok := e.(leyline.CommandRejected); ok {
				why = x.Reason
			}
		}
	}
	p, err := plane.Start(t.Context(), o)
	if err == nil {
		_, err = p.Command(t.Context(), leyline.CommandReceived{Envelope: env, Peer: leyline.PeerTrainer, PeerName: "thief"})
		err = errors.Join(err, p.Shutdown(t.Context()))
	}
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	return why
}

// TestReplayAfterKill9 kills a real process right behind the record that accepted a
// command, at the moment before it is carried out, and hands the command in again.
func TestReplayAfterKill9(t *testing.T) {
	for _, moment := range []string{"durable command.verified 1", "released command.verified 2"} {
		data := filepath.Join(t.TempDir(), "data")
		if p := live(t, data, moment, 0); !killed(p.err) {
			t.Fatalf("%s: not killed: %v\n%s", moment, p.err, p.errs)
		}
		if why := handIn(t, data, stolen(t, data)); why != leyline.RejectNonceReplayed {
			t.Errorf("%s: the replay is rejected as %s", moment, why)
		}
		esper(t, exitOK, "audit", "recompute", data)
		esper(t, exitOK, "replay", data)
	}
}

// TestReplayAfterRestore hands a command in to a log that was restored from a backup of
// before it was accepted, where its id and its sequence are new: it is for another log.
func TestReplayAfterRestore(t *testing.T) {
	dir := t.TempDir()
	data, backup, back := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	esper(t, exitOK, "run", "--data", data, "--steps", "60")
	esper(t, exitOK, "log", "backup", data, backup)
	esper(t, exitOK, "run", "--data", data, "--steps", "300")
	env := stolen(t, data)
	esper(t, exitOK, "log", "restore", "--keys", filepath.Join(data, "keys"), backup, back)
	if why := handIn(t, back, env); why != leyline.RejectWrongAudience {
		t.Errorf("the replay is rejected as %s", why)
	}
	if why := handIn(t, data, env); why != leyline.RejectNonceReplayed {
		t.Errorf("where it came from it is rejected as %s", why)
	}
	esper(t, exitOK, "audit", "recompute", back)
}
