package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// compiling is a plane as a trainer sees it that compiles the code of its seeds, which
// the built-in one does not: it says so when it opens the run, and reports at a step
// that the compiled code of the seed was given up. All else is the built-in trainer's.
type compiling struct {
	*plane.Plane
	at leyline.Step
}

func (c *compiling) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	in.Posture.Compile, in.Posture.CompileMode = leyline.SwitchOn, "default"
	return c.Plane.Open(ctx, in)
}

func (c *compiling) Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	a, err := c.Plane.Step(ctx, in, after)
	if err == nil && in.Step == c.at {
		_, err = c.Plane.Fallback(ctx, leyline.CompileFallback{
			Run: in.Run, Incarnation: in.Incarnation, Step: in.Step, Seed: in.Seeds[0].Seed, Stage: leyline.FallbackRuntime,
			Reason: "compiled for 32 rows, 31 came",
		}, a.Cursor)
	}
	return a, err
}

// TestFallbackIsSeenByAll follows a fallback that a trainer reports through one run on
// a real log: Tolaria tells it, Tamiyo holds its proposals for one window because of
// it, and Kasmina's next gate does not let the seed pass.
func TestFallbackIsSeenByAll(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	const at = 115
	j := &job{served: served{app: &app{out: t.Output(), err: t.Output(), level: "error"}, at: placeFlags{data: data}}, flags: runFlags{steps: 160, stepsSet: true, seed: 1, workload: "penguins"}}
	if err := j.preflight(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.show = newDisplay(j.app)
	sup, err := j.assemble(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	failed, stopping := sup.Run(t.Context(), func(ctx context.Context) error {
		j.show.begin(j.run, leyline.Step(j.flags.steps))
		_, err := workload.Train(ctx, &compiling{j.plane, at}, j.training())
		return err
	})
	if failed != nil || stopping != nil {
		t.Fatal(failed, stopping)
	}

	log := records(t, data)
	// Where each of the three saw it, in the order in which they did.
	seen := []struct {
		who string
		is  func(leyline.Record) bool
	}{
		{"Tolaria's event", func(r leyline.Record) bool {
			return slices.ContainsFunc(telemetry.Packets(r), func(p leyline.Packet) bool {
				return slices.ContainsFunc(p.Events, func(e leyline.TelemetryEvent) bool {
					return e.Name == leyline.NameCompileRuntime && e.Level == leyline.LevelWarning
				})
			})
		}},
		{"Tamiyo's reason", func(r leyline.Record) bool {
			return evaluatorLive{by: leyline.EvaluatorDevice, why: leyline.RiskFallback, effect: leyline.EffectHold, reason: leyline.RiskFallback, out: "nothing: runtime_fallback"}.fired(r) &&
				slices.ContainsFunc(telemetry.Packets(r), func(p leyline.Packet) bool {
					return tells(p, leyline.NameTamiyoFallback, leyline.LevelCritical)
				})
		}},
		{"Kasmina's gate", func(r leyline.Record) bool {
			return slices.ContainsFunc(r.Events, func(e leyline.Event) bool {
				g, ok := e.(leyline.GateEvaluated)
				return ok && g.Seed == "seed-a" && !g.Passed && g.Reason == leyline.ReasonFallback
			})
		}},
	}
	last := -1
	for _, x := range seen {
		i := slices.IndexFunc(log, x.is)
		if i <= last {
			t.Errorf("%s is record %d of the log, behind %d\n%s", x.who, i, last, windows(log))
			continue
		}
		last = i
		if why := esper(t, exitOK, "replay", "--explain", fmt.Sprint(log[i].Seq), data); !strings.Contains(why, "fallback") {
			t.Errorf("%s is explained without a word of the fallback:\n%s", x.who, why)
		}
	}
	if out := esper(t, exitOK, "replay", data); !strings.Contains(out, "identical") {
		t.Errorf("replay says %s", out)
	}
}
