package client

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

func isOpen(s seen) bool { return s.path == "POST /v1/runs" }

// step is a report of a step.
func step(n leyline.Step) leyline.StepObserved {
	return leyline.StepObserved{Run: "run-1", Incarnation: 1, Step: n, Losses: []float64{float64(n)}, Gram: []float64{1}}
}

// stepOf reads which step a body reports.
func stepOf(t *testing.T, body string) leyline.Step {
	t.Helper()
	var x protocol.Step
	if err := protocol.Decode(protocol.MediaMsgpack, []byte(body), &x); err != nil {
		t.Fatal(err)
	}
	return x.Step
}

// answers answers every step with itself.
func answers(t *testing.T) func(int, seen) (int, any) {
	return func(_ int, s seen) (int, any) {
		if isOpen(s) {
			return 200, opened()
		}
		n := stepOf(t, s.body)
		return 200, &leyline.Answer{Run: "run-1", Step: n, Seq: leyline.Seq(100 + n), Weights: []float64{1}}
	}
}

func open(t *testing.T, c *Client) {
	t.Helper()
	if _, err := c.Open(t.Context(), leyline.RunOpened{Run: "run-1"}); err != nil {
		t.Fatal(err)
	}
}

// TestBothWays: a step goes over the lane where there is one, over HTTP where there is
// none, and its answer is the same.
func TestBothWays(t *testing.T) {
	for name, framed := range map[string]bool{"step": true, "POST /v1/runs/run-1/steps": false} {
		s := newStub(t, answers(t)).start(framed)
		c := s.client(nil)
		open(t, c)
		a, err := c.Step(t.Context(), step(3), 7)
		if err != nil || a.Step != 3 || a.Seq != 103 || c.Info().Places.Kernels != "/k" || c.Framed() != framed {
			t.Errorf("%s: %+v %v, framed %v", name, a, err, c.Framed())
		}
		if got := s.requests(); len(got) != 2 || got[1].path != name {
			t.Errorf("requests %q", got)
		}
	}
}

// TestLostAnswer: a request whose answer was lost is sent again with the same bytes, on
// both ways, and that is all the caller sees of it.
func TestLostAnswer(t *testing.T) {
	for _, framed := range []bool{true, false} {
		var good func(int, seen) (int, any)
		s := newStub(t, func(n int, x seen) (int, any) {
			if n == 2 || n == 3 {
				return 0, nil
			}
			return good(n, x)
		})
		good = answers(t)
		s.start(framed)
		c := s.client(nil)
		open(t, c)
		a, err := c.Step(t.Context(), step(5), 7)
		if err != nil || a.Step != 5 {
			t.Fatalf("framed %v: %+v %v", framed, a, err)
		}
		got := s.requests()[1:]
		if len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
			t.Errorf("framed %v: requests %q", framed, got)
		}
	}
}

// TestStopping: a plane that says that it stops is asked again, also when that word is
// the last before its connections close.
func TestStopping(t *testing.T) {
	for _, framed := range []bool{true, false} {
		good := answers(t)
		s := newStub(t, func(n int, x seen) (int, any) {
			if n == 2 {
				return 503, &protocol.Problem{Status: 503, Kind: "stopping", Detail: "the plane is stopping"}
			}
			return good(n, x)
		}).start(framed)
		c := s.client(nil)
		open(t, c)
		if a, err := c.Step(t.Context(), step(1), 7); err != nil || a.Step != 1 {
			t.Errorf("framed %v: %+v %v", framed, a, err)
		}
	}
}

// TestRefusals: what the plane refuses arrives as the refusal that it was, and is not
// asked again.
func TestRefusals(t *testing.T) {
	for _, want := range []*leyline.Refusal{
		{Subsystem: leyline.SubsystemTolaria, Kind: leyline.RefusalStepOrder, Field: "step", Identifier: "9", Reason: "is not the next step", Hint: "report 8"},
		{Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalMissingField, Field: "seeds[2].alpha", Reason: "is missing", Hint: "send it; nothing is substituted"},
		{Subsystem: leyline.SubsystemKasmina, Kind: leyline.RefusalUnknownSeed, Identifier: `a "quoted" seed`, Reason: "is unknown"},
		{Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalRunNotOpen, Field: "run"},
	} {
		for _, framed := range []bool{true, false} {
			good := answers(t)
			s := newStub(t, func(n int, x seen) (int, any) {
				if n == 2 {
					return 409, problemOf(want)
				}
				return good(n, x)
			}).start(framed)
			c := s.client(nil)
			open(t, c)
			_, err := c.Step(t.Context(), step(1), 7)
			got, ok := leyline.AsRefusal(err)
			if !ok {
				t.Fatalf("framed %v: %v is no refusal", framed, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("framed %v: %s", framed, d)
			}
			if a, err := c.Step(t.Context(), step(2), 7); err != nil || a.Step != 2 {
				t.Errorf("afterwards %+v %v", a, err)
			}
		}
	}
}

// TestOtherProblems are errors with their kind, and are not asked again.
func TestOtherProblems(t *testing.T) {
	s := newStub(t, func(int, seen) (int, any) {
		return 401, &protocol.Problem{Status: 401, Kind: "unauthorized", Detail: "the token is wrong", Hint: "send another"}
	}).start(false)
	_, err := s.client(nil).Open(t.Context(), leyline.RunOpened{Run: "run-1"})
	var p *ProblemError
	if !errors.As(err, &p) || p.Kind != "unauthorized" || p.Status != 401 || !strings.Contains(err.Error(), "send another") {
		t.Errorf("%v", err)
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestWhatPasses: the kinds after which the client comes again are those of PROTOCOL.md.
func TestWhatPasses(t *testing.T) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| 503 \| (.*) \| come again`).FindStringSubmatch(string(text))
	if row == nil {
		t.Fatal("the document has no row of them")
	}
	want := map[string]bool{}
	for _, kind := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
		want[kind[1]] = true
	}
	if d := cmp.Diff(want, passing); d != "" {
		t.Error(d)
	}
}

// TestLostOpen: the answer to an open was lost; the run that it has opened is resumed.
// A run that was there before is a refusal, also when the plane was away at first.
func TestLostOpen(t *testing.T) {
	exists := &leyline.Refusal{Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalRunExists, Field: "run", Reason: "is known"}
	for name, c := range map[string]struct {
		lost    bool
		held    protocol.RunView
		refused bool
	}{
		"answered":          {false, protocol.RunView{Incarnation: 1, Status: leyline.RunStatusOpen}, true},
		"lost":              {true, protocol.RunView{Incarnation: 1, Status: leyline.RunStatusOpen}, false},
		"lost, and trained": {true, protocol.RunView{Incarnation: 1, Step: 30, Status: leyline.RunStatusOpen}, true},
		"lost, and resumed": {true, protocol.RunView{Incarnation: 2, Status: leyline.RunStatusOpen}, true},
		"lost, and closed":  {true, protocol.RunView{Incarnation: 1, Status: leyline.RunStatusEnded}, true},
	} {
		s := newStub(t, func(n int, x seen) (int, any) {
			if c.lost && n == 1 {
				return 0, nil
			}
			if !isOpen(x) {
				return 200, &c.held
			}
			var o protocol.OpenRequest
			if err := protocol.Decode(protocol.MediaMsgpack, []byte(x.body), &o); err != nil {
				t.Error(err)
			}
			if o.Resume {
				return 200, opened()
			}
			return 409, problemOf(exists)
		}).start(false)
		_, err := s.client(nil).Open(t.Context(), leyline.RunOpened{Run: "run-1"})
		r, refused := leyline.AsRefusal(err)
		if !c.refused && err != nil || c.refused && (!refused || r.Kind != leyline.RefusalRunExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPoll: a poll that found nothing is made again.
func TestPoll(t *testing.T) {
	s := newStub(t, func(n int, x seen) (int, any) {
		if n < 3 {
			return 204, nil
		}
		return 200, &leyline.Answer{Run: "run-1", Seq: 9}
	}).start(false)
	a, err := s.client(nil).Directives(t.Context(), "run-1", 8)
	if err != nil || a.Seq != 9 {
		t.Errorf("%+v %v", a, err)
	}
	if got := s.requests(); len(got) != 3 || got[2].path != "GET /v1/runs/run-1/directives?after=8" {
		t.Errorf("%q", got)
	}
}

// TestOptions: what is missing or wrong is said before anything is dialled.
func TestOptions(t *testing.T) {
	good := Options{Address: "unix:/s", Away: leyline.AwayStop}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Address = "/s" }, "write unix:PATH"},
		{func(o *Options) { o.Address = "unix:" }, "has no path"},
		{func(o *Options) { o.Address = "http://h/x" }, "write unix:PATH"},
		{func(o *Options) { o.Address = "ftp://h" }, "write unix:PATH"},
		{func(o *Options) { o.Away = leyline.AwayUnspecified }, "no Away"},
		{func(o *Options) { o.AwayFor = 1 }, "only a trainer that waits"},
		{func(o *Options) { o.Away, o.AwayFor = leyline.AwayWait, -1 }, "negative"},
		{func(o *Options) { o.Media = "text/plain" }, "text/plain"},
		{func(o *Options) { o.Address, o.Token = "http://plane.example:80", "t" }, "in the clear"},
	} {
		o := good
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	for _, at := range []string{"http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://plane.example:443/", "unix:/s"} {
		good.Address, good.Token = at, "t"
		if _, err := New(good); err != nil {
			t.Error(err)
		}
	}
}
