package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/recheck"
	"github.com/esper-plane/esper/subsystems/plane"
)

// TestRecomputeARealLogAndAForgedOne derives the verdicts of a real run, one of which
// is a replay, and then of the same log with one more record, which accepts a command
// whose signature is wrong and which is whole for the log.
func TestRecomputeARealLogAndAForgedOne(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "120", "--fault", "replayed-command@100")
	var rep recheck.Report
	unmarshal(t, esper(t, exitOK, "audit", "recompute", "--json", data), &rep)
	if rep.Rejected != 1 || rep.Accepted == 0 || rep.InFull != rep.Commands || rep.Keys != 1 || rep.Configs != 1 || rep.Differences != 0 {
		t.Fatalf("a real log: %+v", rep)
	}
	var real leyline.Record
	for _, r := range records(t, data) {
		if accepted(r, "run-1") {
			real = r
		}
	}
	seq := appendRecord(t, data, func(seq leyline.Seq, at leyline.Instant) leyline.Record {
		x := real.Input.(leyline.CommandReceived)
		x.Envelope.Signature = bytes.Clone(x.Envelope.Signature)
		x.Envelope.Signature[9] ^= 1
		return leyline.Record{Seq: seq, At: at, Wall: at, Input: x, Events: real.Events}
	})
	out := esper(t, exitDiverged, "audit", "recompute", "--json", data)
	unmarshal(t, out, &rep)
	if rep.Differences != 1 || rep.Listed[0].Seq != seq || rep.Listed[0].Recorded != "accepted" || !strings.Contains(rep.Listed[0].Derived, "invalid_signature") {
		t.Errorf("a forged log: %+v", rep)
	}
	if text := esper(t, exitDiverged, "audit", "recompute", data); !strings.Contains(text, "1 DIFFERENCES") {
		t.Errorf("for people: %s", text)
	}
}

func unmarshal(t *testing.T, out string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
}

// appendRecord adds a record to a log that nobody has open, and returns its position.
func appendRecord(t *testing.T, data string, make func(leyline.Seq, leyline.Instant) leyline.Record) leyline.Seq {
	t.Helper()
	log := records(t, data)
	d, err := datadir.Open(data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: hclog.NewNullLogger(), Log: leyline.DefaultConfig().Log})
	if err != nil {
		t.Fatal(err)
	}
	seq, at := d.Log().Next(), log[len(log)-1].At+1
	payload, err := wire.AppendRecord(nil, make(seq, at))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Log().Append(t.Context(), seq, []plane.Entry{{Seq: seq, At: at, Payload: payload}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return seq
}
