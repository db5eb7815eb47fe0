package cli

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
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
	p := &planeAt{T: t, data: filepath.Join(t.TempDir(), "data"), socket: filepath.Join(shortDir(t), "own", "s")}
	p.key = filepath.Join(t.TempDir(), "ada.key")
	p.begin()
	return p
}

// begin starts the process, on existing data again.
func (p *planeAt) begin() {
	t := p.T
	t.Helper()
	ended := make(chan string, 1)
	p.ended = ended
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
		ended <- said
	}()
	process := p.cmd.Process
	t.Cleanup(func() {
		_ = process.Kill() // it has ended, unless the test failed
		if t.Failed() && len(ended) > 0 {
			t.Logf("it said\n%s", <-ended)
		}
	})
	select {
	case <-trains:
	case said := <-p.ended:
		t.Fatalf("it ended: %s", said)
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not train")
	}
}

// crash ends the process as kill -9 does.
func (p *planeAt) crash() {
	p.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.Fatal(err)
	}
	<-p.ended
	_ = p.cmd.Wait() // it was killed
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
	if stages, _ := p.seeds(); leyline.OnTrial(stages[0]) {
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

	for _, when := range []string{"after the reset", "after kill -9"} {
		out := p.commands(exitRefused, "send", stolen, "--json")
		if !strings.Contains(out, `"kind":"nonce_replayed"`) || !strings.Contains(out, `"verdict":"rejected"`) {
			t.Errorf("a replay %s: %s", when, out)
		}
		if when == "after the reset" {
			p.crash()
			p.begin()
		}
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
		"REGISTRY UNKNOWN accepted", "REGISTRY UNKNOWN accepted", "SEED GERMINATE rejected nonce_replayed", "SEED GERMINATE rejected nonce_replayed",
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
