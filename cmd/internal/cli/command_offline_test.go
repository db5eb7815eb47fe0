package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// TestSequence spends the numbers of one key from many shells at once.
func TestSequence(t *testing.T) {
	key := filepath.Join(t.TempDir(), "k")
	id := operatorKey(t, key).KeyID()
	var all []uint64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				unlock, err := lockKey(key)
				if err != nil {
					t.Error(err)
					return
				}
				n, err := spend(key, id, 3, true, 0)
				unlock()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) != 80 || all[0] != 4 || all[79] != 83 || len(slices.Compact(all)) != 80 {
		t.Errorf("spent %v", all)
	}
	if n, err := spend(key, id, 100, true, 0); n != 101 || err != nil {
		t.Errorf("behind the plane: %d, %v", n, err)
	}
	if n, err := spend(key, id, 0, false, 200); n != 200 || err != nil {
		t.Errorf("a number by hand: %d, %v", n, err)
	}
	for name, c := range map[string]struct {
		text, says string
		want       uint64
	}{
		"spent":       {string(id) + " 200\n", "is spent already", 200},
		"damaged":     {string(id), "is damaged", 0},
		"no number":   {string(id) + " x\n", "is damaged", 0},
		"another key": {"abc 7\n", "belongs to key abc", 0},
		"the last":    {string(id) + " 18446744073709551615\n", "has spent its last number", 0},
	} {
		if err := os.WriteFile(key+sequenceSuffix, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := spend(key, id, 0, true, c.want); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if err := os.Remove(key + sequenceSuffix); err != nil {
		t.Fatal(err)
	}
	if n, err := spend(key, id, 0, false, 0); err == nil || !strings.Contains(err.Error(), "--sequence") {
		t.Errorf("a lost file: %d, %v", n, err)
	}
	if n, err := spend(key, id, 7, true, 0); n != 8 || err != nil {
		t.Errorf("a lost file, and the plane was asked: %d, %v", n, err)
	}
}

// TestCommandOffline writes every command that there is to a file, and reads back what
// was signed.
func TestCommandOffline(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	key := operatorKey(t, path)
	teacher := filepath.Join(dir, "teacher.json")
	doc := `{"id":"t1","parameters":[{"name":"b","size":4},{"name":"a","size":"5"}],"bytes":16,"digest":"` + leyline.Digest{1}.String() + `"}`
	if err := os.WriteFile(teacher, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"SLOT": "seed-a", "LEVEL": "L3", "FILE": teacher, "ID": "t1", "FACTOR": "0.5", "BREAKER": "kernel", "STATE": "OPEN", "TO": "7", "MODE": "on"}
	flags := map[string]string{"blueprint": "bp", "layer": "trunk", "mode": "RESIDUAL", "steps": "20", "temperature": "2", "reason": "why", "set": "depth=2"}
	seq := uint64(0)
	for _, o := range orders {
		args := slices.DeleteFunc([]string{"command", o.group, o.name}, func(s string) bool { return s == "" })
		for _, a := range strings.Fields(o.args) {
			args = append(args, values[a])
		}
		for _, f := range strings.Fields(o.flags) {
			if v, given := flags[strings.TrimSuffix(f, "?")]; given {
				args = append(args, "--"+strings.TrimSuffix(f, "?"), v)
			}
		}
		seq++
		out := filepath.Join(dir, o.group+o.name+".json")
		args = append(args, "--key", path, "--origin", "esper-1", "--run", "run-1", "--issuer", "ada", "--out", out, "--not-after", "1m")
		if seq == 1 {
			esper(t, exitUsage, args...) // nobody knows which numbers are spent
			args = append(args, "--sequence", "1")
		}
		esper(t, exitOK, args...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		env, err := parseEnvelope(b)
		if err == nil {
			err = sign.Verify(key.Public(), env)
		}
		c, derr := wire.DecodeCommand(env.Payload)
		if err != nil || derr != nil {
			t.Fatalf("%s: %v, %v", o.title(), err, derr)
		}
		if c.Kind != o.kind || c.Sequence != seq || c.Issuer != "ada" || c.Audience != (leyline.Audience{Origin: "esper-1", Run: "run-1"}) || c.NotAfter.Sub(c.IssuedAt) != time.Minute || !strings.HasPrefix(string(c.ID), "op-") {
			t.Errorf("%s is signed as %+v", o.title(), c)
		}
		packed, err := wire.EncodeEnvelope(env)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseEnvelope(packed); err != nil || !bytes.Equal(again.Payload, env.Payload) {
			t.Errorf("%s as msgpack: %v", o.title(), err)
		}
	}
}

func TestCommandMistakes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	operatorKey(t, path)
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"emergency", "raise", "L2", "--key", path, "--to", "unix:/none"},                                                                      // no reason
		{"emergency", "raise", "L9", "--reason", "x", "--key", path, "--to", "unix:/none"},                                                     // no such level
		{"seed", "cull", "s", "--reason", "x", "--to", "unix:/none"},                                                                           // no key
		{"seed", "cull", "s", "--reason", "x", "--key", open, "--to", "unix:/none"},                                                            // a key that others can read
		{"seed", "cull", "s", "--reason", "x", "--key", path},                                                                                  // neither plane nor file
		{"seed", "cull", "s", "--reason", "x", "--key", path, "--out", filepath.Join(dir, "o")},                                                // no audience
		{"seed", "cull", "s", "--reason", "x", "--key", path, "--to", "nowhere"},                                                               // no address
		{"seed", "graft", "s", "--steps", "3", "--mode", "ODD", "--key", path, "--to", "unix:/none"},                                           // no such mode
		{"seed", "graft", "s", "--steps", "3", "--mode", "CHANNEL", "--key", path, "--to", "unix:/none"},                                       // no channels
		{"seed", "graft", "s", "--steps", "3", "--gate-k", "2", "--key", path, "--to", "unix:/none"},                                           // a gate that RESIDUAL has not
		{"seed", "germinate", "s", "--blueprint", "b", "--layer", "l", "--set", "depth", "--reason", "x", "--key", path, "--to", "unix:/none"}, // no number
		{"teacher", "register", open, "--reason", "x", "--key", path, "--to", "unix:/none"},                                                    // no teacher
		{"teacher", "deregister", "a b", "--reason", "x", "--key", path, "--to", "unix:/none"},                                                 // no id
		{"send", open, "--to", "unix:/none"},                                                                                                   // no envelope
		{"sow", "s"},                                                                                                                           // no such command
	} {
		esper(t, exitUsage, append([]string{"command"}, args...)...)
	}
	var errs bytes.Buffer
	args := []string{"command", "seed", "cull", "s", "--reason", "x", "--key", path, "--to", "unix:" + filepath.Join(dir, "none")}
	if code := run(args, &app{out: io.Discard, err: &errs}); code != exitFailed || !strings.Contains(errs.String(), "cannot reach the plane at") {
		t.Errorf("no plane: exit %d, %s", code, &errs)
	}
	if _, err := os.Stat(path + sequenceSuffix); err == nil {
		t.Error("a command that could not be addressed has spent a number")
	}
}

// TestGraftPlans reads back the plans that flags make.
func TestGraftPlans(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	operatorKey(t, path)
	schedule := leyline.BlendPlan{TotalSteps: 9, Temperature: 2}
	channel, confidence := schedule, schedule
	channel.Mode, channel.Channels, channel.ChannelCount = leyline.BlendChannel, []float64{0.5, 1}, 2
	confidence.Mode, confidence.Source = leyline.BlendConfidence, leyline.LogitsSeed
	confidence.Gate = leyline.ConfidenceGate{K: 8, Tau: 0.2, Lo: 0.1, Hi: 1}
	for i, c := range []struct {
		flags []string
		want  leyline.BlendPlan
	}{
		{[]string{"--mode", "CHANNEL", "--channels", "0.5,1"}, channel},
		{[]string{"--mode", "CONFIDENCE", "--gate-k", "8", "--alpha-lo", "0.1"}, confidence},
	} {
		out := filepath.Join(dir, strconv.Itoa(i))
		args := []string{"command", "seed", "graft", "s", "--steps", "9", "--key", path, "--origin", "esper-1", "--run", "run-1", "--issuer", "ada", "--out", out}
		esper(t, exitOK, append(append(args, "--sequence", strconv.Itoa(i+1)), c.flags...)...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		env, err := parseEnvelope(b)
		got, derr := wire.DecodeCommand(env.Payload)
		if err != nil || derr != nil || !reflect.DeepEqual(got.Seed.Blend, c.want) {
			t.Errorf("%v: %+v, %v, %v", c.flags, got.Seed.Blend, err, derr)
		}
	}
}
