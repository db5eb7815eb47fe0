package cli

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/esper-plane/esper/cmd/internal/metrics"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/sse"
	"github.com/esper-plane/esper/subsystems/telemetry"
	"github.com/esper-plane/esper/subsystems/telemetry/webhook"
)

// outlets is where the telemetry of a run goes beside the file of the emergency
// stream: to those who follow it over HTTP, to Prometheus, to a webhook. A nil
// *outlets has none. Its handlers are made before the data directory is open and
// answer once it is.
type outlets struct {
	config leyline.TelemetryConfig
	notice func(string, ...any)
	url    string              // of the webhook; empty: none
	file   string              // of the emergency stream
	plane  func() *plane.Plane // whose worker is measured; nil before it has started
	free   func() (free, total uint64, err error)
	ended  func(context.Context) // waits for the streams of the hub that has ended

	hub    *telemetry.Hub
	gauges *metrics.Collector
	hook   *webhook.Sender
	events atomic.Pointer[http.Handler]
	scrape atomic.Pointer[http.Handler]
	quit   context.CancelFunc // ends the webhook's posts
	gone   chan struct{}      // closed when they have ended
}

// logRecords is a log as a hub reads it for those who come back.
type logRecords struct{ replay.Source }

// Records implements telemetry.Log.
func (l logRecords) Records(from leyline.Seq) iter.Seq2[leyline.Record, error] {
	return decoded(l.Source, from)
}

// routes are what the outlets answer over HTTP.
func (o *outlets) routes() []server.Route {
	return []server.Route{
		{Pattern: "GET /v1/telemetry", Handler: later(&o.events), Stream: true},
		{Pattern: "GET /metrics", Handler: later(&o.scrape)},
	}
}

// later answers with a handler that is made when the data directory is open. The
// server lets nobody through before.
func later(h *atomic.Pointer[http.Handler]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.Load()).ServeHTTP(w, r) })
}

// start opens the outlets for a log that ends at last. A webhook is told nothing
// about the past, but what the past left open it can close, so the whole log is
// read for it.
func (o *outlets) start(ctx context.Context, log replay.Source, last leyline.Seq) error {
	c := o.config
	var err error
	o.hub, err = telemetry.NewHub(telemetry.HubOptions{
		Lanes:           telemetry.Limits{Critical: int(c.QueueCritical), High: int(c.QueueHigh), Normal: int(c.QueueNormal)},
		EmergencyPerMin: c.EmergencyPerMin, Subscribers: int(c.Subscribers), After: last,
	})
	if err != nil {
		return err
	}
	process := []func() []leyline.Metric{o.hub.Metrics, o.worker, o.kernels, func() []leyline.Metric { return metrics.Process(Version, o.free) }}
	if o.url != "" {
		if err := o.startHook(ctx, log); err != nil {
			return err
		}
		process = append(process, o.hook.Metrics)
	}
	o.gauges = metrics.New(metrics.Options{Process: process})
	events := sse.NewHandler(sse.Options{Hub: o.hub, Log: logRecords{log}, Clients: int(c.Subscribers), Failed: o.failed})
	scrape, err := metrics.NewHandler(o.gauges)
	if err != nil {
		return errors.Join(err, o.stop(ctx))
	}
	o.events.Store(&events)
	o.scrape.Store(&scrape)
	return nil
}

// failed says why the plane ended by itself: its log cannot be written.
func (o *outlets) failed() error {
	if p := o.plane(); p != nil {
		return p.Err()
	}
	return nil
}

// worker measures the shared worker.
func (o *outlets) worker() []leyline.Metric {
	p := o.plane()
	if p == nil {
		return nil
	}
	return metrics.Worker(p.WorkerStats())
}

// kernels measures the kernel cache.
func (o *outlets) kernels() []leyline.Metric {
	p := o.plane()
	if p == nil {
		return nil
	}
	return metrics.Kernels(p.KernelStats())
}

func (o *outlets) startHook(ctx context.Context, log replay.Source) (err error) {
	c := o.config
	if o.hook, err = webhook.New(webhook.Options{URL: o.url, Minimum: c.WebhookPriority, Notice: o.notice}); err != nil {
		return usageError{err}
	}
	for r, err := range decoded(log, 0) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.hook.Restore(telemetry.Packets(r))
	}
	posting, quit := context.WithCancel(context.WithoutCancel(ctx))
	o.quit, o.gone = quit, make(chan struct{})
	go func() {
		defer close(o.gone)
		o.hook.Run(posting)
	}()
	return nil
}

// record hands a released record to every outlet. It waits for nobody.
func (o *outlets) record(r leyline.Record) {
	if o == nil {
		return
	}
	packets := telemetry.Packets(r)
	o.hub.PublishPackets(r.Seq, r.At, packets)
	o.gauges.Add(packets)
	if o.hook != nil {
		o.hook.Offer(packets)
	}
}

// finishHook tells the webhook of a failed log, and that no alert comes any more.
func (o *outlets) finishHook(failed error) {
	if failed != nil {
		o.hook.Tell(leyline.Instant(time.Now().UnixNano()), leyline.TelemetryEvent{
			Name: leyline.NameStorageFailed, Level: leyline.LevelCritical, Attrs: []leyline.Attr{{Key: "reason", Value: failed.Error()}},
		})
	}
	o.hook.Finish()
}

// stop ends the streams, which are told all that was published, and lets the webhook
// post what waits, until ctx ends. When the log has failed no record can say so: the
// outlets do.
func (o *outlets) stop(ctx context.Context) error {
	failed := o.failed()
	o.hub.End(failed)
	if o.hook != nil {
		o.finishHook(failed)
	}
	o.ended(ctx)
	if o.hook == nil {
		return nil
	}
	select {
	case <-o.gone:
	case <-ctx.Done():
	}
	o.quit()
	<-o.gone
	if n := o.hook.Stats().Waiting; n > 0 {
		o.notice("the webhook did not take the last alerts in time (%d); they are not sent again, and are in %s", n, o.file)
	}
	return nil
}

// component is the outlets as a part of a run.
func (o *outlets) component(p *served) supervise.Component {
	return supervise.Component{
		Name: "telemetry", StartBudget: recoveryBudget, StopBudget: quickBudget,
		Start: func(ctx context.Context) error {
			o.free = p.dir.Free
			return o.start(ctx, p.dir.Source(), p.dir.Last())
		},
		Stop: o.stop,
	}
}
