package cli

import (
	"sync"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// servedPlaces is where a served plane can be reached.
type servedPlaces struct {
	Socket string   `json:"socket"`
	Lane   string   `json:"lane,omitempty"` // of framed steps
	HTTP   []string `json:"http,omitempty"`
	Data   string   `json:"data"`
}

// teller says what happens in a served plane: on stderr to people, with --json as
// lines on stdout. A record is told by its packets; it keeps nothing of a run, so
// that a plane may serve for a year.
type teller struct {
	app *app
	mu  sync.Mutex
	why string // it ended
}

// ready says that trainers are let in.
func (t *teller) ready(p servedPlaces) error {
	t.say("ready: trainers connect to unix:%s", p.Socket)
	if !t.app.json {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.app.line(map[string]any{"ready": p})
}

// stopped says why it has ended, when everything is closed.
func (t *teller) stopped() error {
	t.say("stopped: %s; the log is closed", t.why)
	if !t.app.json {
		return nil
	}
	return t.app.line(map[string]any{"stopped": map[string]any{"reason": t.why}})
}

func (t *teller) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.app.notice(format, args...)
}

// record tells of runs that are opened, resumed and closed, and of everything on the
// emergency stream. It is called by the plane's loop.
func (t *teller) record(r leyline.Record) {
	for _, p := range telemetry.Packets(r) {
		for i := range p.Events {
			if e := &p.Events[i]; leyline.PriorityOf(e.Level) > leyline.PriorityNormal || aboutRun(e.Name) {
				t.event(&p, e)
			}
		}
	}
}

// aboutRun says that an event tells of the begin or end of a run.
func aboutRun(n leyline.EventName) bool {
	return n == leyline.NameRunStarted || n == leyline.NameRunResumed || n == leyline.NameRunEnded
}

// event tells of one event.
func (t *teller) event(p *leyline.Packet, e *leyline.TelemetryEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.app.json {
		t.app.notice("record %d  %s  %s %s%s", p.Seq, p.Run, e.Level, e.Name, attrWords(e.Attrs))
		return
	}
	if err := t.app.line(map[string]any{"event": map[string]any{"seq": p.Seq, "run": p.Run, "level": e.Level, "name": e.Name, "attrs": attrMap(e.Attrs)}}); err != nil {
		t.app.notice("esper: stdout cannot be written: %v", err)
	}
}

func attrWords(as []leyline.Attr) string {
	s := ""
	for _, a := range as {
		s += " " + a.Key + "=" + printable(a.Value)
	}
	return s
}

func attrMap(as []leyline.Attr) map[string]string {
	m := map[string]string{}
	for _, a := range as {
		m[a.Key] = a.Value
	}
	return m
}
