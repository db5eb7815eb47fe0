package plane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/sheetstore"
	"github.com/esper-plane/esper/subsystems/worker"
)

// Catalogue is where safety sheets of blueprints are looked up.
type Catalogue interface {
	// Sheet returns the newest sheet of a blueprint as it is signed. It gives up when
	// ctx is done. One that there is not is fs.ErrNotExist; a *sheetstore.Error says
	// what is wrong with one that there is.
	Sheet(ctx context.Context, id leyline.BlueprintID) (leyline.Envelope, error)
	// String names the catalogue for the log, at most leyline.MaxPath bytes.
	String() string
}

func (o *Options) catalogue() string {
	if o.Catalogue == nil {
		return ""
	}
	return o.Catalogue.String()
}

// lookUp fetches the safety sheet of a blueprint. What was signed is judged when its
// answer is decided.
func (l *loop) lookUp(ctx context.Context, f effect.Effect, c *completion) (err error) {
	if l.plane.opts.Catalogue == nil {
		return errors.New("this process has no catalogue")
	}
	sheet, err := l.plane.opts.Catalogue.Sheet(ctx, f.Blueprint)
	if err == nil {
		c.sheet = sheet
	}
	return err
}

// metadataInput is the result of a lookup. One that nobody waits for any more is
// recorded too, unless it is only that it was cancelled or that its run is over.
func (l *loop) metadataInput(c *completion) leyline.Input {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	if l.forgotten(c, func() leyline.EffectID { return l.state.Tamiyo.Run(f.Run).Lookup.Effect }) {
		return nil
	}
	failed := leyline.MetadataFailed{
		Request: f.ID, Run: f.Run, Outcome: outcomeOf(c.outcome), Fault: sheetFault(c.outcome), Reason: clip(c.outcome.Err), TookNs: took,
	}
	if c.outcome.State != worker.Done {
		return failed
	}
	in, err := storable(leyline.MetadataAnswered{Request: f.ID, Run: f.Run, Envelope: c.sheet, TookNs: took})
	if err == nil {
		err = in.Validate()
	}
	if err != nil {
		failed.Outcome, failed.Fault, failed.Reason = leyline.OutcomeFailed, leyline.SheetMalformed, clip(fmt.Errorf("the sheet cannot be recorded: %w", err))
		return failed
	}
	return in
}

// forgotten reports whether a completion says nothing that is worth a record: its run
// is over, or nobody waits for it any more and it was only given up.
func (l *loop) forgotten(c *completion, waits func() leyline.EffectID) bool {
	run := l.state.Tolaria.Run(c.effect.Run)
	if run == nil || run.Status != leyline.RunStatusOpen {
		return true
	}
	over := c.outcome.State != worker.Done && c.outcome.State != worker.Failed
	return over && waits() != c.effect.ID
}

// sheetFault says what kind of failure a lookup has met.
func sheetFault(o worker.Outcome) leyline.SheetFault {
	var bad *sheetstore.Error
	switch {
	case o.State == worker.TimedOut:
		return leyline.SheetTimeout
	case errors.As(o.Err, &bad):
		return bad.Fault
	case errors.Is(o.Err, fs.ErrNotExist):
		return leyline.SheetMissing
	}
	return leyline.SheetUnavailable
}
