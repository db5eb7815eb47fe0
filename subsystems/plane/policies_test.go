package plane_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/policyfile"
)

// library is a garden with a real policy store.
type library struct {
	*garden
	store *policyfile.Store
	dir   string
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	l := &library{dir: filepath.Join(t.TempDir(), "policies")}
	var err error
	if l.store, err = policyfile.MakeStore(l.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.store.Close() })
	b := newBench(t)
	b.policies = l.store
	l.garden = newGarden(t, b, 1)
	return l
}

// adds stores and imports a policy whose weights differ from version to version.
func (l *library) adds(t *testing.T, version int) leyline.PolicyArtifact {
	t.Helper()
	weights := l.config.Rules
	weights.Plateau = float64(version)
	file, err := policyfile.MarshalRules(weights)
	if err != nil {
		t.Fatal(err)
	}
	a := leyline.PolicyArtifact{
		ID: "careful", Version: fmt.Sprint(version), Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Digest: sha256.Sum256(file),
		Bytes: uint64(len(file)), Origin: leyline.PolicyHandWritten, Created: "2026-11-26T21:00:00Z", Registries: leyline.FixedRegistries(),
	}
	if err := l.store.Put(&a, file); err != nil {
		t.Fatal(err)
	}
	body, err := wire.EncodePolicy(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.p.Vouch(t.Context(), l.admin.Sign(leyline.PayloadPolicy, body), "test"); err != nil {
		t.Fatal(err)
	}
	return a
}

// steers sends a POLICY command for the run and returns what is installed once the file
// was read.
func (l *library) steers(t *testing.T, action leyline.PolicyAction, ref leyline.PolicyRef) projections.Installed {
	t.Helper()
	l.send(t, leyline.Command{Kind: leyline.CommandPolicy, Policy: leyline.PolicyCommand{Action: action, Scope: leyline.PolicyOfRun, Policy: ref, Reason: "test"}})
	return l.settled(t)
}

func (l *library) settled(t *testing.T) projections.Installed {
	t.Helper()
	for {
		var out projections.Installed
		err := l.p.View(t.Context(), func(s *projections.State) {
			if i := s.Tamiyo.Scope("run-1"); i != nil {
				out = *i
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.Loading.Request.IsZero() && out.Proving.IsZero() {
			return out
		}
		time.Sleep(time.Millisecond)
	}
}

// TestPolicyIsReadBeforeItDecides and again after a restart, when its bytes were swapped
// in between: it is suspended, and a rollback finds the one before it whole.
func TestPolicyIsReadBeforeItDecides(t *testing.T) {
	l := newLibrary(t)
	first, second := l.adds(t, 2), l.adds(t, 3)
	if i := l.steers(t, leyline.PolicyActivate, first.Ref()); i.InForce() != first.Ref() || i.Rules.Plateau != 2 {
		t.Fatalf("installed %+v", i)
	}
	at := filepath.Join(l.dir, second.File())
	whole, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	swapped := append([]byte(nil), whole...)
	swapped[len(swapped)-2] ^= 1
	if err := os.WriteFile(at, swapped, 0o600); err != nil {
		t.Fatal(err)
	}
	if i := l.steers(t, leyline.PolicyActivate, second.Ref()); i.InForce() != first.Ref() || !i.Usable() || i.Rules.Plateau != 2 {
		t.Errorf("after bytes that were swapped %+v", i)
	}
	if err := os.WriteFile(at, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if i := l.steers(t, leyline.PolicyActivate, second.Ref()); i.InForce() != second.Ref() || i.Rules.Plateau != 3 {
		t.Errorf("once it is whole %+v", i)
	}
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	l.end(t)
	l.begin(t)
	var plan leyline.RunOpened
	if err := l.p.View(t.Context(), func(s *projections.State) { plan = s.Tolaria.Run("run-1").Plan }); err != nil {
		t.Fatal(err)
	}
	plan.Resume = true
	if _, err := l.p.Open(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if i := l.settled(t); i.InForce() != second.Ref() || i.Fault != leyline.PolicyFileMissing || i.Usable() {
		t.Errorf("after a restart without its file %+v", i)
	}
	if i := l.steers(t, leyline.PolicyRollback, leyline.PolicyRef{}); i.InForce() != first.Ref() || !i.Usable() || i.Rules.Plateau != 2 {
		t.Errorf("after the rollback %+v", i)
	}
}

// stuck is a policy store on a disk that never answers.
type stuck struct{}

func (stuck) Load(ctx context.Context, _ string, _ leyline.Digest, _ uint64) (policyfile.Found, error) {
	<-ctx.Done()
	return policyfile.Found{}, context.Cause(ctx)
}

// TestStoreThatHangsOrIsNotThere: the command has its deadline, and what decides goes on.
func TestStoreThatHangsOrIsNotThere(t *testing.T) {
	for _, c := range []struct {
		name  string
		store plane.Policies
		want  leyline.PolicyFault
	}{{"hangs", stuck{}, leyline.PolicyFileLate}, {"is not there", nil, leyline.PolicyFileMissing}} {
		t.Run(c.name, func(t *testing.T) {
			faults := make(chan leyline.PolicyFault, 1)
			l := newLibrary(t)
			a := l.adds(t, 2)
			l.end(t)
			l.policies = c.store
			l.config.Kasmina.PrefetchTimeout, l.config.Kasmina.CommandDeadline, l.config.Kasmina.KernelLatency = 40, 50, 10
			l.released = func(r leyline.Record) {
				for _, e := range r.Events {
					if x, ok := e.(leyline.PolicyRejected); ok {
						faults <- x.Fault
					}
				}
			}
			l.log = l.newLog()
			l.begin(t)
			a = l.again(t, a)
			if i := l.steers(t, leyline.PolicyActivate, a.Ref()); !i.InForce().IsZero() {
				t.Errorf("installed %+v", i)
			}
			if got := <-faults; got != c.want {
				t.Errorf("refused for %s, want %s", got, c.want)
			}
		})
	}
}

// again opens a run in a new log and imports a policy there.
func (l *library) again(t *testing.T, a leyline.PolicyArtifact) leyline.PolicyArtifact {
	t.Helper()
	_, err := l.p.Open(t.Context(), leyline.RunOpened{
		Run: "run-1", Workload: "penguins", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"}, Parameters: 1, Seed: 1, Steps: 10,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	body, berr := wire.EncodePolicy(a)
	_, verr := l.p.Vouch(t.Context(), l.admin.Sign(leyline.PayloadPolicy, body), "test")
	if err := errors.Join(err, berr, verr); err != nil {
		t.Fatal(err)
	}
	return a
}
