package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// page is a report as a parser sees it.
type page struct {
	ids, links []string
	tags       map[string]int
}

// parse reads a report as XML would be read, with the liberties of HTML. What is
// not closed or not nested is an error.
func parse(t *testing.T, text []byte) page {
	t.Helper()
	p := page{tags: map[string]int{}}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page cannot be parsed: %v", err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			open = append(open, x.Name.Local)
			p.tags[x.Name.Local]++
			p.attributes(t, x)
		case xml.EndElement:
			if n := len(open); n == 0 || open[n-1] != x.Name.Local {
				t.Fatalf("</%s> closes %v", x.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) != 0 {
		t.Fatalf("never closed: %v", open)
	}
	return p
}

func (p *page) attributes(t *testing.T, e xml.StartElement) {
	t.Helper()
	for _, a := range e.Attr {
		switch name := strings.ToLower(a.Name.Local); {
		case name == "id":
			p.ids = append(p.ids, a.Value)
		case name == "href":
			p.links = append(p.links, a.Value)
		case slices.Contains([]string{"src", "srcset", "data", "action", "background", "poster", "ping"}, name), strings.HasPrefix(name, "on"):
			t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
		}
	}
}

// selfContained checks that a page asks nobody for anything and links to places
// that it has.
func (p *page) selfContained(t *testing.T, text []byte) {
	t.Helper()
	for _, tag := range []string{"script", "link", "img", "iframe", "object", "embed", "base", "form"} {
		if p.tags[tag] > 0 {
			t.Errorf("there is a <%s>", tag)
		}
	}
	for _, l := range p.links {
		if !strings.HasPrefix(l, "#") || !slices.Contains(p.ids, l[1:]) {
			t.Errorf("a link to %q", l)
		}
	}
	if m := regexp.MustCompile(`(?i)url\(|@import|https?://`).Find(text); m != nil {
		t.Errorf("the page holds %q", m)
	}
	if p.tags["svg"] == 0 || p.tags["svg"] != p.tags["desc"] || p.tags["title"] <= p.tags["svg"] {
		t.Errorf("%d charts, %d descriptions, %d titles", p.tags["svg"], p.tags["desc"], p.tags["title"])
	}
	if p.tags["table"] != p.tags["thead"] {
		t.Errorf("%d tables, %d heads", p.tags["table"], p.tags["thead"])
	}
}

// TestReport writes the report of a run with a rollback, a seed and a comparison.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	out := esper(t, exitOK, "run", "--data", filepath.Join(dir, "data"), "--fault", "nan@120", "--fault", "replayed-command@170",
		"--compare", "--set", "tamiyo.blend_steps=19", "--report", path)
	if !strings.Contains(out, "report      "+path) {
		t.Errorf("the summary does not name it:\n%s", out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, text)
	p.selfContained(t, text)
	for _, id := range []string{"accuracy", "compared", "training", "seeds", "rollbacks", "timeline", "commands", "telemetry", "cost", "next"} {
		if !slices.Contains(p.ids, id) {
			t.Errorf("there is no section %s", id)
		}
	}
	for _, want := range []string{
		"nan@120", "R1: rb-", "first good step", "ms (fast tier): met", "nonce_replayed", "tamiyo.blend_steps", "FOSSILIZED",
		"tolaria.rollback.started", "esper replay --explain ", "prefers-color-scheme: dark", "no-seeds", "step 120 is non_finite",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if p.tags["svg"] < 5 {
		t.Errorf("%d charts", p.tags["svg"])
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".report*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestReportOfAnything renders what a log can hold at its worst: hostile names,
// figures that are not finite, a long run with many tasks and marks.
func TestReportOfAnything(t *testing.T) {
	const evil = `<script>alert(1)</script>"'&` + "\x1b[2J"
	s := newStory(evil)
	plan := leyline.RunOpened{Run: evil, Workload: evil}
	for i := range leyline.MaxTasks {
		plan.Tasks = append(plan.Tasks, leyline.TaskID(fmt.Sprint(evil, i)))
		plan.Seeds = append(plan.Seeds, leyline.SeedID(fmt.Sprint(evil, i)))
	}
	at := leyline.Instant(1)
	tell := func(in leyline.Input, events ...leyline.Event) {
		at++
		s.add(leyline.Record{Seq: leyline.Seq(at), At: at, Run: evil, Input: in, Events: events})
	}
	tell(leyline.TimerFired{}, leyline.RunStarted{Run: evil, Plan: plan})
	for i := range 20_000 {
		losses := make([]float64, leyline.MaxTasks)
		for k := range losses {
			losses[k] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e300, 1e-300}[(i*7+k+i/100)%7]
		}
		x := leyline.StepObserved{Run: evil, Step: leyline.Step(i), Losses: losses}
		events := []leyline.Event{leyline.TrainingAssessed{Run: evil, Step: x.Step, Health: leyline.HealthNonFinite, Loss: math.NaN(), Limit: math.Inf(1)}}
		if i%50 == 0 {
			events = append(events, leyline.RollbackStarted{Run: evil, Rollback: evil, Cause: leyline.FaultNonFinite})
			events = append(events, leyline.SeedMoved{Run: evil, Seed: plan.Seeds[i/50%8], To: leyline.Stage(i / 50 % 12), Blueprint: evil, Cause: evil})
			events = append(events, leyline.ContributionMeasured{Run: evil, Seed: plan.Seeds[i/50%8], Accuracy: []float64{math.NaN(), math.Inf(1), 1}[i/50%3]})
			events = append(events, leyline.GateEvaluated{Run: evil, Seed: plan.Seeds[0], Reason: evil, Checks: []leyline.Check{{Name: evil, Value: math.NaN()}}})
			events = append(events, leyline.RiskAssessed{Run: evil, Kind: leyline.CommandSeed, Effect: leyline.EffectPause, Subject: leyline.RiskSubject{Seed: evil},
				Checks: []leyline.RiskCheck{{Value: math.NaN(), Limit: math.Inf(1), Mode: leyline.RuleEnforce, Effect: leyline.EffectPause, Changed: true}}})
			events = append(events, leyline.CommandRejected{Run: evil, Command: evil, Issuer: evil, Seed: evil, Detail: evil})
		}
		tell(x, events...)
	}
	j := &job{run: evil, served: served{config: leyline.DefaultConfig()}}
	j.dir = dirAt(evil)
	doc := j.document(s, workload.Result{
		Tasks: []workload.TaskResult{{Task: evil, Loss: math.NaN(), Accuracy: math.Inf(1)}},
		Seeds: []workload.SeedResult{{Seed: evil, Blueprint: evil, Gain: math.NaN()}},
	})
	doc.Comparison = &comparison{Runs: []comparedRun{{Name: evil, Tasks: doc.Tasks, Data: evil}}, Effects: []effectOf{{Of: evil, Tasks: []taskEffect{{Task: evil, Low: -1}}}}}
	doc.Next = doc.next(evil)
	text, err := doc.html()
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, text)
	p.selfContained(t, text)
	if bytes.Contains(text, []byte("alert(1)</script>")) || bytes.Contains(text, []byte("<script")) {
		t.Error("a name got through")
	}
	if m := regexp.MustCompile(`(points|d|x|y|x1|x2|y1|y2|width|height|cx)="[^"]*(NaN|Inf)[^"]*"`).Find(text); m != nil {
		t.Errorf("a coordinate is not finite: %.80s", m)
	}
	if len(text) > 1_000_000 {
		t.Errorf("%d bytes", len(text))
	}
	var out bytes.Buffer
	if err := doc.print(&out); err != nil || bytes.ContainsRune(out.Bytes(), 0x1b) {
		t.Errorf("%v, or the summary moves the cursor", err)
	}
}

// TestReportSize holds a long but ordinary run to the size of a mail attachment.
func TestReportSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.html")
	esper(t, exitOK, "run", "--data", filepath.Join(t.TempDir(), "data"), "--steps", "3000", "--report", path)
	info, err := os.Stat(path)
	if err != nil || info.Size() > 500_000 {
		t.Errorf("%v, %d bytes", err, info.Size())
	}
}

// TestReportNowhere asks for a report that cannot be written: one that is known
// before the run is a mistake, one that is found after it leaves the run whole.
func TestReportNowhere(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for _, path := range []string{filepath.Join(dir, "no", "such.html"), dir} {
		esper(t, exitUsage, "run", "--data", data, "--report", path)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("a run was begun")
	}
	var out, errs bytes.Buffer
	path := filepath.Join(dir, "r.html")
	removed := false
	a := &app{out: &out, err: &errs, shm: os.Getenv(envShm)}
	a.probe = blockReport(path, &removed)
	if code := run([]string{"run", "--data", data, "--steps", "5", "--report", path}, a); code != exitFailed {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	if !removed || !strings.Contains(errs.String(), "its report "+path+" cannot be written") || !strings.Contains(out.String(), "run-1 finished: 5 steps") {
		t.Errorf("out:\n%s\nerr:\n%s", &out, &errs)
	}
	esper(t, exitOK, "replay", data)
}
