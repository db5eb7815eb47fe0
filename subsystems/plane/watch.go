package plane

import (
	"context"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// watcher looks at the free space on the disk of the data directory and hands it
// in as disk.measured when that changes what was decided of the disk. What
// changes nothing is not recorded: a run on a healthy disk has no trace of it.
//
// A look that fails changes nothing either. The first failure is logged, and
// every one that differs from the last.
type watcher struct {
	plane *Plane
	every time.Duration // between two looks
	said  string        // the failure that was logged last; empty after a look that succeeded
}

// watch looks at the disk before the plane is handed out, and from then on until
// it ends. Without Options.Free nobody looks.
func (p *Plane) watch(ctx context.Context) error {
	if p.opts.Free == nil {
		return nil
	}
	w := &watcher{plane: p, every: leyline.DefaultConfig().Log.FreeEvery.Duration()}
	if err := w.look(ctx); err != nil {
		return fmt.Errorf("cannot record the free space on the disk: %w", err)
	}
	gone := make(chan struct{})
	p.watched = gone
	go func() {
		defer close(gone)
		w.follow()
	}()
	return nil
}

// follow ends with the plane, which says why it did.
func (w *watcher) follow() {
	for {
		t := time.NewTimer(w.every)
		select {
		case <-t.C:
		case <-w.plane.ended:
			t.Stop()
			return
		}
		if w.look(context.Background()) != nil {
			return
		}
	}
}

// look looks once. Its error is why the plane has ended, or that of ctx.
func (w *watcher) look(ctx context.Context) error {
	var low bool
	var limit uint64
	err := w.plane.View(ctx, func(s *projections.State) {
		low, limit = s.Plane.DiskLow, s.Plane.Config.Log.MinFree()
		if s.Plane.Configured {
			w.every = s.Plane.Config.Log.FreeEvery.Duration()
		}
	})
	if err != nil || !low && limit == 0 { // nothing to find out
		return err
	}
	x, ok := w.measure()
	if !ok || decider.Disk(low, limit, x) == nil {
		return nil
	}
	_, err = w.plane.submit(ctx, x)
	if r, refused := leyline.AsRefusal(err); refused {
		w.failed(r)
		return nil
	}
	return err
}

// measure reads the free space; false when it cannot be told.
func (w *watcher) measure() (leyline.DiskMeasured, bool) {
	free, total, err := w.plane.opts.Free()
	x := leyline.DiskMeasured{Free: free, Total: total}
	if err == nil {
		err = x.Validate()
	}
	if err != nil {
		w.failed(err)
		return x, false
	}
	if w.said != "" {
		w.plane.log.Info("the free space on the disk can be told again", "free", free, "total", total)
	}
	w.said = ""
	return x, true
}

func (w *watcher) failed(err error) {
	if text := err.Error(); text != w.said {
		w.said = text
		w.plane.log.Error("cannot tell how much of the disk is free", "err", err)
	}
}
