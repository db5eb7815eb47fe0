package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/sheetstore"
)

// shelves looks a kernel up in one store after the other.
type shelves [2]fs.FS

// Open implements fs.FS.
func (s shelves) Open(name string) (fs.File, error) {
	f, err := s[0].Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s[1].Open(name)
	}
	return f, err
}

// playVoid has a run wait for a safety sheet from a pipe, resumes the run meanwhile,
// and lets the sheet come after that.
func playVoid(ctx context.Context, s Site, spec workload.Spec, r *Result) error {
	config := timeoutConfig(spec)
	config.Tamiyo.PolicyInline, config.Tamiyo.MetadataBudget = true, 60_000
	p, err := s.Open("tamiyo-timeout-void", spec, config)
	if err != nil {
		return err
	}
	r.Data = append(r.Data, p.Path)
	sheets := p.Path + "-sheets"
	if err = os.MkdirAll(sheets, 0o700); err == nil {
		err = resumeMeanwhile(ctx, p, leyline.BlueprintID(spec.Blueprints[0].ID), sheetstore.Dir(sheets), r)
	}
	return errors.Join(err, p.Close(), os.RemoveAll(sheets))
}

func resumeMeanwhile(ctx context.Context, p *Place, kind leyline.BlueprintID, sheets sheetstore.Dir, r *Result) error {
	if err := unix.Mkfifo(sheets.File(kind), 0o600); err != nil {
		return fmt.Errorf("cannot make a named pipe: %w", err)
	}
	w, o := newWatch(), p.Options
	o.Released, o.Catalogue = w.released, sheets
	pl, err := plane.Start(ctx, o)
	if err != nil {
		return err
	}
	steps, err := walk(ctx, pl, w, p, kind, sheets)
	if err = errors.Join(err, pl.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return judgeVoid(ctx, p, steps, r)
}

// walk reports steps until the catalogue is asked and for two windows more, resumes the
// run, and then serves the sheet that nobody waits for any more.
func walk(ctx context.Context, pl *plane.Plane, w *watch, p *Place, kind leyline.BlueprintID, sheets sheetstore.Dir) (int, error) {
	plan := barePlan(seat{"run-2", "seed-0"}, kind)
	ans, err := pl.Open(ctx, plan)
	if err != nil {
		return 0, err
	}
	steps := 15 // the first window is at step 5
	for i := range steps {
		x := leyline.StepObserved{
			Run: plan.Run, Incarnation: ans.Incarnation, Step: leyline.Step(i + 1), Losses: []float64{1}, Gram: []float64{1}, Seed: 1, Samples: 32, LearnRate: 0.1,
		}
		if _, err := pl.Step(ctx, x, 0); err != nil {
			return i, err
		}
	}
	plan.Resume = true
	if _, err := pl.Open(ctx, plan); err != nil {
		return steps, err
	}
	env, err := sign.MarshalEnvelope(p.Options.Signer.Sign(leyline.PayloadSheet, []byte("late")))
	if err != nil {
		return steps, err
	}
	pipe := kernel{path: sheets.File(kind), bytes: env}
	if got := pipe.serve(); got.err != nil {
		return steps, got.err
	}
	return steps, w.until(ctx, leyline.EventAnswerLate)
}

func judgeVoid(ctx context.Context, p *Place, steps int, r *Result) error {
	var asked []leyline.MetadataAsked
	var late []leyline.AnswerLate
	pending, trained, alone := 0, 0, false
	err := eachEvent(p.Source, func(rec leyline.Record, e leyline.Event) {
		switch x := e.(type) {
		case leyline.MetadataAsked:
			asked = append(asked, x)
		case leyline.TrainingAssessed:
			trained++
		case leyline.ActionNone:
			if x.Reason == leyline.RiskMetadataPending {
				pending++
			}
		case leyline.AnswerLate:
			late, alone = append(late, x), len(rec.Events) == 1
		}
	})
	if err != nil {
		return err
	}
	r.check("steps were answered while the question was open", len(asked) == 1 && pending == 2 && trained == steps, "%d of %d steps, %d windows waited", trained, steps, pending)
	ok := len(late) == 1 && alone && late[0].Effect == leyline.EffectMetadata && late[0].Outcome == leyline.OutcomeOK
	r.check("the answer that came after the run was resumed was recorded as late, and nothing followed", ok, "%+v", late)
	if len(late) == 1 {
		r.metric("how late the answer was", time.Duration(late[0].TookNs).Seconds()*1e3, leyline.UnitMs)
	}
	return sameAgain(ctx, p, r)
}
