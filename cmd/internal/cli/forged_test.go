package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/plane"
)

// TestForgedEventIsRefusedByEveryReader appends a record that no plane writes, as
// somebody can who has the directory: it is whole for the log, and one of its
// events lacks who signed a command. Whatever reads records says so and exits with
// the code of a damaged log.
func TestForgedEventIsRefusedByEveryReader(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "10")
	log := records(t, data)
	last := log[len(log)-1]
	forged := leyline.Record{
		Seq: last.Seq + 1, At: last.At + 1, Wall: last.Wall + 1, Input: leyline.DiskMeasured{Total: 1},
		Events: []leyline.Event{leyline.CommandVerified{Run: "run-1", Command: "cmd-1", Key: "k", Kind: leyline.CommandSeed}},
	}
	payload, err := wire.AppendRecord(nil, forged)
	if err != nil {
		t.Fatal(err)
	}
	d, err := datadir.Open(data, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: hclog.NewNullLogger(), Log: leyline.DefaultConfig().Log})
	if err != nil {
		t.Fatal(err)
	}
	forged.Seq = d.Log().Next()
	if err := d.Log().Append(t.Context(), forged.Seq, []plane.Entry{{Seq: forged.Seq, At: forged.At, Payload: payload}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"audit", data}, {"replay", data}, {"replay", data, "--mode", "fold"}, {"run", "--data", data, "--steps", "20"},
	} {
		var out, errs bytes.Buffer
		code := run(append(args, "--json"), &app{out: &out, err: &errs, shm: os.Getenv(envShm)})
		if code != exitDamaged || !strings.Contains(out.String()+errs.String(), "events[0] is a command.verified whose issuer is missing") {
			t.Errorf("esper %v exits with %d: %s%s", args, code, &out, &errs)
		}
		var doc failure
		lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
		if err := json.Unmarshal(lines[len(lines)-1], &doc); err != nil || doc.Kind != "record_damaged" || doc.Exit != exitDamaged || doc.Hint == "" {
			t.Errorf("esper %v: the last line is %s (%v)", args, lines[len(lines)-1], err)
		}
	}
}
