package sse

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// The defaults of Options.
const (
	DefaultClients   = 32
	DefaultHeartbeat = 15 * time.Second
	DefaultWrite     = 10 * time.Second
)

// Options configure a handler.
type Options struct {
	Hub       *telemetry.Hub
	Log       telemetry.Log // from which clients are served that come back
	Clients   int           // at a time; 0: DefaultClients
	Heartbeat time.Duration // between comments on a quiet stream; 0: DefaultHeartbeat
	Write     time.Duration // in which a client must take what is written; 0: DefaultWrite
	Failed    func() error  // why no record comes any more, nil while one may or when all is stopped in order; nil: never asked
}

// flushAt bounds how much is written at once.
const flushAt = 32 << 10

// retryMs is how long a browser waits before it comes back.
const retryMs = "2000"

type handler struct {
	Options
	room chan struct{} // one token per client that is admitted
}

// NewHandler makes the handler of the telemetry streams. What wraps it must pass
// on http.ResponseController.
func NewHandler(o Options) http.Handler {
	if o.Clients <= 0 {
		o.Clients = DefaultClients
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.Write <= 0 {
		o.Write = DefaultWrite
	}
	if o.Failed == nil {
		o.Failed = func() error { return nil }
	}
	return &handler{o, make(chan struct{}, o.Clients)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, server.NewProblem(http.StatusMethodNotAllowed, "method_not_allowed", "the streams can only be read", "use GET, HEAD"))
		return
	}
	q, bad := parse(r)
	if bad == nil && q.after != nil {
		bad = h.beyond(*q.after)
	}
	if bad != nil {
		refuse(w, *bad)
		return
	}
	if r.Method == http.MethodHead {
		begin(w.Header())
		return
	}
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	default:
		refuse(w, unavailable("too_many_clients", "the telemetry streams have as many clients as they may"))
		return
	}
	sub, err := h.subscribe(q)
	switch {
	case errors.Is(err, telemetry.ErrFull):
		refuse(w, unavailable("too_many_clients", err.Error()))
		return
	case err != nil:
		refuse(w, unavailable("stopping", err.Error()))
		return
	}
	defer sub.Close()
	h.stream(w, r, sub)
}

// beyond refuses a cursor from past the end of the log. What is durable may not be
// published yet, so the log itself is asked; one that cannot be read is told of in
// the stream.
func (h *handler) beyond(c telemetry.Cursor) *server.Problem {
	last := h.Hub.Stats().Published
	at := c.Critical
	for _, p := range []telemetry.Position{c.High, c.Normal} {
		if p.Compare(at) > 0 {
			at = p
		}
	}
	if at.Compare(telemetry.Position{Seq: last + 1}) <= 0 {
		return nil
	}
	for r, err := range h.Log.Records(max(last, 1)) {
		if err != nil || at.Compare(telemetry.Position{Seq: r.Seq + 1}) <= 0 {
			return nil
		}
		last = max(last, r.Seq)
	}
	p := server.NewProblem(http.StatusNotFound, "unknown_cursor", (&telemetry.BeyondError{After: c, Last: last}).Error(), "come back without a cursor, or with one of this log")
	p.Field = "after"
	return &p
}

func (h *handler) subscribe(q query) (*telemetry.Subscription, error) {
	if q.after == nil {
		return h.Hub.Subscribe(q.filter)
	}
	return h.Hub.SubscribeFrom(h.Log, *q.after, q.filter)
}

// stream writes events until the client goes, does not take them, or the
// subscription ends.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, sub *telemetry.Subscription) {
	out := writer{w: w, control: http.NewResponseController(w), limit: h.Write}
	if err := out.open(); err != nil {
		refuse(w, server.NewProblem(http.StatusInternalServerError, "no_deadlines", "the server cannot limit how long a write takes, so it cannot stream: "+err.Error(), ""))
		return
	}
	for {
		d, err := h.next(r.Context(), sub)
		switch {
		case err == nil:
			out.packet(&d)
		case r.Context().Err() != nil: // the client has gone, and this reaches nobody, or the server stops
			out.last(telemetry.Ended(h.Failed()))
			_ = out.flush()
			return
		case errors.Is(err, context.DeadlineExceeded):
			out.comment(h.Heartbeat.String())
		default:
			out.last(err)
			_ = out.flush() // the client may be gone; there is nobody else to tell
			return
		}
		if len(out.buf) < flushAt && sub.Waiting() {
			continue
		}
		if out.flush() != nil {
			return
		}
	}
}

func (h *handler) next(ctx context.Context, sub *telemetry.Subscription) (telemetry.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, h.Heartbeat)
	defer cancel()
	return sub.Next(ctx)
}

// writer collects events and writes them with a deadline.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	buf     []byte
}

// open begins the stream, so that the client knows at once that it is there. On
// error nothing was written.
func (o *writer) open() error {
	if err := o.control.SetWriteDeadline(time.Now().Add(o.limit)); err != nil {
		return err
	}
	begin(o.w.Header())
	o.w.WriteHeader(http.StatusOK)
	o.buf = append(o.buf, "retry: "+retryMs+"\n\n"...)
	_ = o.flush() // the next write finds out as well
	return nil
}

// begin fills the header of a stream.
func begin(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no") // a proxy must not collect events
	header.Set("X-Content-Type-Options", "nosniff")
}

// flush writes what was collected.
func (o *writer) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	if err := o.control.SetWriteDeadline(time.Now().Add(o.limit)); err != nil {
		return err
	}
	if _, err := o.w.Write(o.buf); err != nil {
		return err
	}
	o.buf = o.buf[:0]
	return o.control.Flush()
}

func (o *writer) packet(d *telemetry.Delivery) {
	o.begin(d.After.String(), d.Packet.Priority.String())
	o.buf = append(telemetry.AppendJSON(o.buf, &d.Packet), "\n\n"...)
}

func (o *writer) begin(id, name string) {
	o.buf = append(o.buf, "id: "+id+"\nevent: "+name+"\ndata: "...)
}

func (o *writer) comment(text string) { o.buf = append(o.buf, ": "+text+"\n\n"...) }

// last says why the stream ends.
func (o *writer) last(err error) {
	var slow *telemetry.SlowError
	var beyond *telemetry.BeyondError
	switch {
	case errors.As(err, &slow):
		o.begin(telemetry.After(slow.After).String(), "cut")
	case errors.As(err, &beyond):
		o.begin("", "failed")
	case errors.Is(err, telemetry.ErrClosed):
		o.buf = append(o.buf, "event: end\ndata: "...)
	default:
		o.buf = append(o.buf, "event: failed\ndata: "...)
	}
	o.buf = append(appendDetail(o.buf, err.Error()), "\n\n"...)
}

// query is what a client asks for.
type query struct {
	filter telemetry.Filter
	after  *telemetry.Cursor // nil: begin with what comes next
}

// parse reads the parameters.
func parse(r *http.Request) (q query, bad *server.Problem) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, badParameter("query", "cannot be read: "+err.Error())
	}
	for name, all := range values {
		if len(all) != 1 {
			return q, badParameter(name, "is given more than once")
		}
		if err := q.set(name, all[0]); err != nil {
			return q, badParameter(name, err.Error())
		}
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if err := q.set("after", id); err != nil {
			return q, badParameter("Last-Event-ID", err.Error())
		}
	}
	return q, nil
}

func (q *query) set(name, value string) (err error) {
	switch name {
	case "stream":
		if err = q.filter.Stream.UnmarshalText([]byte(value)); err == nil {
			err = q.filter.Stream.Validate()
		}
	case "priority":
		if err = q.filter.Minimum.UnmarshalText([]byte(value)); err == nil {
			err = q.filter.Minimum.Validate()
		}
	case "run":
		q.filter.Run = leyline.RunID(value)
		err = leyline.CheckID(value)
	case "after":
		var c telemetry.Cursor
		c, err = telemetry.ParseCursor(value)
		q.after = &c
	default:
		err = errors.New("is not a parameter; want stream, priority, run or after")
	}
	return err
}
