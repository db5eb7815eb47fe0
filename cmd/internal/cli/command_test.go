package cli

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// operatorKey writes the key of an operator.
func operatorKey(t *testing.T, path string) sign.Signer {
	t.Helper()
	key, err := sign.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sign.MarshalPrivate(key)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// vouched writes the envelope in which the admin key of a data directory enrols a key.
func vouched(t *testing.T, data string, key sign.Signer, path string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "keys", "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := sign.ParsePrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.EncodeKey(leyline.Key{
		ID: key.KeyID(), Public: key.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandEmergency, leyline.CommandRegistry},
	})
	if err == nil {
		err = writeEnvelope(path, master.Sign(leyline.PayloadKey, body))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// planeAt is an `esper run` in a process of its own, in which only an operator acts.
type planeAt struct {
	*testing.T
	data, socket, key string
	cmd               *exec.Cmd
	ended             chan string // what it said
}

func startPlane(t *testing.T) *planeAt {
	t.Helper()
	p := &planeAt{T: t, data: filepath.Join(t.TempDir(), "data"), socket: filepath.Join(shortDir(t), "own", "s"), ended: make(chan string, 1)}
	p.key = filepath.Join(t.TempDir(), "ada.key")
	p.cmd = command(t, "run", "--steps", "1000000", "--data", p.data, "--http", "unix:"+p.socket, "--set", "tamiyo.enabled=false", "--set", "tolaria.snapshot_every=1000")
	errs, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	trains := make(chan struct{})
	go func() {
		said, once := "", sync.Once{}
		for in := bufio.NewScanner(errs); in.Scan(); {
			said += in.Text() + "\n"
			if strings.Contains(in.Text(), "/1000000 ") {
				once.Do(func() { close(trains) })
			}
		}
		p.ended <- said
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, unless the test failed
		if t.Failed() {
			t.Logf("it said\n%s", <-p.ended)
		}
	})
	select {
	case <-trains:
	case said := <-p.ended:
		t.Fatalf("it ended: %s", said)
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not train")
	}
	return p
}

// stop ends the process in order.
func (p *planeAt) stop() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
	said := <-p.ended
	if code := exitOf(p.cmd.Wait()); code != exitInterrupted {
		p.Fatalf("exit %d\n%s", code, said)
	}
}

// commands runs `esper command` against the plane.
func (p *planeAt) commands(want int, args ...string) string {
	p.Helper()
	return esper(p.T, want, append([]string{"command"}, append(args, "--to", "unix:"+p.socket)...)...)
}

// signs runs it with the operator's key, again while the trainer has not answered what
// came before.
func (p *planeAt) signs(want int, args ...string) (verdict admin.Verdict) {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		var out, errs bytes.Buffer
		args := append([]string{"command"}, append(args, "--to", "unix:"+p.socket, "--key", p.key, "--json")...)
		code := run(args, &app{out: &out, err: &errs})
		waits := strings.Contains(out.String(), `"kind":"command_pending"`) || strings.Contains(out.String(), `"kind":"kernel_pending"`)
		if waits && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err := json.Unmarshal(out.Bytes(), &verdict); code != want || err != nil {
			p.Fatalf("esper %v exits with %d, want %d (%v)\n%s%s", args, code, want, err, &out, &errs)
		}
		return verdict
	}
}

// seeds says in which stage the seeds of the only run are.
func (p *planeAt) seeds() (stages []leyline.Stage, doc admin.RunDoc) {
	p.Helper()
	r, err := (&remoteFlags{to: "unix:" + p.socket}).open()
	if err != nil {
		p.Fatal(err)
	}
	d, err := r.planeDoc(p.Context())
	if err != nil || len(d.Runs) != 1 {
		p.Fatalf("%+v, %v", d, err)
	}
	for _, s := range d.Runs[0].Seeds {
		stages = append(stages, s.Stage)
	}
	return stages, d.Runs[0]
}

// TestOperator commands a real run from a shell: from the enrolment of a key, over an
// emergency, a cull and a reset, to a replay that is refused. Then the audit lists it all
// and the log decides the same again.
func TestOperator(t *testing.T) {
	p := startPlane(t)
	key := operatorKey(t, p.key)
	p.commands(exitRefused, "emergency", "raise", "L2", "--reason", "x", "--key", p.key) // not enrolled
	enrol := filepath.Join(t.TempDir(), "ada.json")
	vouched(t, p.data, key, enrol)
	if out := p.commands(exitOK, "send", enrol); !strings.HasPrefix(out, "recorded as record ") {
		t.Errorf("enrolled: %s", out)
	}

	if v := p.signs(exitOK, "emergency", "raise", "L2", "--reason", "a drill"); !v.Settled || v.Verdict != admin.VerdictAccepted {
		t.Errorf("raised: %+v", v)
	}
	if _, doc := p.seeds(); doc.Emergency != leyline.EmergencyElevated {
		t.Errorf("the level is %s", doc.Emergency)
	}
	p.signs(exitRefused, "emergency", "raise", "L2", "--reason", "again")
	p.signs(exitOK, "emergency", "clear", "L1", "--reason", "over")
	if _, doc := p.seeds(); doc.Emergency != leyline.EmergencyNotice {
		t.Errorf("the level is %s", doc.Emergency)
	}

	plan := p.plan()
	slot, blueprint, layer := string(plan.Seeds[0]), string(plan.Blueprints[0]), plan.Layers[0]
	germinate := []string{"seed", "germinate", slot, "--blueprint", blueprint, "--layer", layer}
	p.signs(exitOK, germinate...)
	p.signs(exitOK, "seed", "train", slot)
	p.signs(exitOK, "seed", "cull", slot, "--reason", "by hand")
	if stages, _ := p.seeds(); stages[0] != leyline.StageEmbargoed {
		t.Errorf("culled, and the seeds are %v", stages)
	}

	slot = string(plan.Seeds[len(plan.Seeds)-1])
	stolen := filepath.Join(t.TempDir(), "stolen.json")
	p.afterEmbargo(plan, func() {
		germinate[2] = slot
		p.signs(exitOK, append(germinate, "--out", stolen)...)
		p.signs(exitOK, "seed", "train", slot)
	})
	teacher := filepath.Join(t.TempDir(), "teacher.json")
	doc := `{"id":"t1","parameters":[{"name":"teacher.w","size":4}],"bytes":16,"digest":"` + leyline.Digest{1}.String() + `"}`
	if err := os.WriteFile(teacher, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signs(exitOK, "teacher", "register", teacher, "--reason", "to learn from")
	if _, doc := p.seeds(); doc.Teacher != "t1" {
		t.Errorf("the run is %+v", doc)
	}
	p.signs(exitOK, "registry", "reset", "--reason", "begin anew")
	stages, after := p.seeds()
	if slices.ContainsFunc(stages, leyline.OnTrial) || after.Teacher != "" {
		t.Errorf("reset, and the run is %+v", after)
	}

	out := p.commands(exitRefused, "send", stolen, "--json")
	if !strings.Contains(out, `"kind":"nonce_replayed"`) || !strings.Contains(out, `"verdict":"rejected"`) {
		t.Errorf("a replay after the reset: %s", out)
	}
	p.stop()
	p.judged(key)
}

// plan is what the only run was opened with.
func (p *planeAt) plan() leyline.RunOpened {
	p.Helper()
	for _, r := range records(p.T, p.data) {
		if x, ok := r.Input.(leyline.RunOpened); ok {
			return x
		}
	}
	p.Fatal("no run was opened")
	return leyline.RunOpened{}
}

// afterEmbargo calls f once a seed can be planted again, where the run has one slot.
func (p *planeAt) afterEmbargo(plan leyline.RunOpened, f func()) {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); len(plan.Seeds) == 1; time.Sleep(10 * time.Millisecond) {
		if stages, _ := p.seeds(); stages[0] == leyline.StageDormant {
			break
		}
		if time.Now().After(deadline) {
			p.Fatal("the embargo does not end")
		}
	}
	f()
}

// judged looks at the log that the operator has left.
func (p *planeAt) judged(key sign.Signer) {
	p.Helper()
	var done []string
	for line := range strings.Lines(esper(p.T, exitOK, "audit", "--json", "--issuer", "ada", p.data)) {
		var row struct{ Kind, Operation, Verdict, Reason, Key string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			p.Fatal(err)
		}
		if row.Key != string(key.KeyID()) {
			p.Errorf("row %s", line)
		}
		if !strings.HasSuffix(row.Reason, "_pending") {
			done = append(done, strings.TrimSpace(row.Kind+" "+row.Operation+" "+row.Verdict+" "+row.Reason))
		}
	}
	want := []string{
		"EMERGENCY UNKNOWN accepted", "EMERGENCY UNKNOWN rejected wrong_level", "EMERGENCY UNKNOWN accepted",
		"SEED GERMINATE accepted", "SEED START_TRAINING accepted", "SEED CULL accepted", "SEED GERMINATE accepted", "SEED START_TRAINING accepted",
		"REGISTRY UNKNOWN accepted", "REGISTRY UNKNOWN accepted", "SEED GERMINATE rejected nonce_replayed",
	}
	if !slices.Equal(done, want) {
		p.Errorf("audit lists\n%s\nwant\n%s", strings.Join(done, "\n"), strings.Join(want, "\n"))
	}
	if table := esper(p.T, exitOK, "audit", p.data); !strings.Contains(table, " REGISTRY ") || !strings.Contains(table, " EMERGENCY ") {
		p.Errorf("the table hides what the commands did:\n%s", table)
	}
	esper(p.T, exitOK, "replay", p.data)
	owned := 0
	for _, r := range records(p.T, p.data) {
		for _, e := range r.Events {
			switch x := e.(type) {
			case leyline.RegistryConflicted:
				p.Errorf("record %d: %+v", r.Seq, x)
			case leyline.ParametersRegistered:
				owned++
			}
		}
	}
	if owned != 2 {
		p.Errorf("%d seeds were given parameters, want 2", owned)
	}
}

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
	values := map[string]string{"SLOT": "seed-a", "LEVEL": "L3", "FILE": teacher, "ID": "t1"}
	flags := map[string]string{"blueprint": "bp", "layer": "trunk", "mode": "RESIDUAL", "steps": "20", "temperature": "2", "reason": "why"}
	seq := uint64(0)
	for _, o := range orders {
		args := []string{"command", o.group, o.name}
		for _, a := range strings.Fields(o.args) {
			args = append(args, values[a])
		}
		for _, f := range strings.Fields(o.flags) {
			f = strings.TrimSuffix(f, "?")
			args = append(args, "--"+f, flags[f])
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
		{"emergency", "raise", "L2", "--key", path, "--to", "unix:/none"},                            // no reason
		{"emergency", "raise", "L9", "--reason", "x", "--key", path, "--to", "unix:/none"},           // no such level
		{"seed", "cull", "s", "--reason", "x", "--to", "unix:/none"},                                 // no key
		{"seed", "cull", "s", "--reason", "x", "--key", open, "--to", "unix:/none"},                  // a key that others can read
		{"seed", "cull", "s", "--reason", "x", "--key", path},                                        // neither plane nor file
		{"seed", "cull", "s", "--reason", "x", "--key", path, "--out", filepath.Join(dir, "o")},      // no audience
		{"seed", "cull", "s", "--reason", "x", "--key", path, "--to", "nowhere"},                     // no address
		{"seed", "graft", "s", "--steps", "3", "--mode", "ODD", "--key", path, "--to", "unix:/none"}, // no such mode
		{"teacher", "register", open, "--reason", "x", "--key", path, "--to", "unix:/none"},          // no teacher
		{"teacher", "deregister", "a b", "--reason", "x", "--key", path, "--to", "unix:/none"},       // no id
		{"send", open, "--to", "unix:/none"},                                                         // no envelope
		{"sow", "s"},                                                                                 // no such command
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
