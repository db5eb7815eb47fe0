package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// example reads one of the documents that PROTOCOL.md shows.
func example[T any](t *testing.T, name string) T {
	t.Helper()
	var v T
	b, err := os.ReadFile(filepath.Join("..", "protocol", "testdata", "examples", name+".json"))
	if err == nil {
		err = protocol.Decode(protocol.MediaJSON, b, &v)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// sends has the client make one report out of an example, against a plane that answers
// with its other half, and holds both against the documents.
func sends[B any](t *testing.T, name string, report func(context.Context, *Client, B) (leyline.Answer, error)) {
	t.Helper()
	want, answer := example[B](t, name+".request"), example[leyline.Answer](t, name+".answer")
	s := newStub(t, func(_ int, q seen) (int, any) {
		if strings.HasPrefix(q.path, "POST /v1/runs ") || q.path == "POST /v1/runs" {
			return 200, opened()
		}
		return 200, &answer
	}).start(true)
	c := s.client(asExample)
	if _, err := c.Open(t.Context(), example[protocol.OpenRequest](t, "open.request").RunOpened); err != nil {
		t.Fatal(err)
	}
	got, err := report(t.Context(), c, want)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if d := cmp.Diff(answer, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: another answer: %s", name, d)
	}
	all := s.requests()
	var sent B
	if err := protocol.Decode(protocol.MediaMsgpack, []byte(all[len(all)-1].body), &sent); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	reflect.ValueOf(&sent).Elem().Field(0).FieldByName("Run").SetString("") // the document leaves it to the path
	if d := cmp.Diff(want, sent, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: another request: %s", name, d)
	}
}

const exampleRun = "digits-7"

// asExample makes a client that does without a plane what the run of the examples says.
func asExample(o *Options) { o.AwayFor = 600 * time.Second }

// TestExamples sends and hears what PROTOCOL.md shows.
func TestExamples(t *testing.T) {
	step := func(ctx context.Context, c *Client, b protocol.Step) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Step(ctx, b.StepObserved, b.After)
	}
	sends(t, "step", step)
	sends(t, "step-seed", step)
	sends(t, "epoch", func(ctx context.Context, c *Client, b protocol.Epoch) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Epoch(ctx, b.EpochObserved, b.After)
	})
	sends(t, "snapshot", func(ctx context.Context, c *Client, b protocol.Snapshot) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Snapshot(ctx, b.SnapshotTaken, b.After)
	})
	sends(t, "probe", func(ctx context.Context, c *Client, b protocol.Probe) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Probe(ctx, b.SeedProbed, b.After)
	})
	sends(t, "ack", func(ctx context.Context, c *Client, b protocol.Ack) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Ack(ctx, b.CommandAcked, b.After)
	})
	sends(t, "rollback", func(ctx context.Context, c *Client, b protocol.Rollback) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Rollback(ctx, b.RollbackReported, b.After)
	})
	sends(t, "fallback", func(ctx context.Context, c *Client, b protocol.Fallback) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Fallback(ctx, b.CompileFallback, b.After)
	})
	sends(t, "profiled", func(ctx context.Context, c *Client, b protocol.Profile) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Profiled(ctx, b.ProfileReported, b.After)
	})
	sends(t, "close", func(ctx context.Context, c *Client, b protocol.Close) (leyline.Answer, error) {
		b.Run = exampleRun
		return c.Close(ctx, b.RunClosed)
	})
}

// TestOpenExamples opens, resumes and polls with what PROTOCOL.md shows.
func TestOpenExamples(t *testing.T) {
	for _, name := range []string{"open", "resume"} {
		ask, answer := example[protocol.OpenRequest](t, name+".request"), example[protocol.OpenAnswer](t, name+".answer")
		polled := example[leyline.Answer](t, "directives.answer")
		s := newStub(t, func(_ int, q seen) (int, any) {
			if strings.HasPrefix(q.path, "GET ") {
				return 200, &polled
			}
			return 200, &answer
		}).start(true)
		c := s.client(asExample)
		got, err := c.Open(t.Context(), ask.RunOpened)
		if d := cmp.Diff(answer.OpenAnswer, got, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d)
		}
		if d := cmp.Diff(answer, c.Info(), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		heard, err := c.Directives(t.Context(), exampleRun, got.Cursor)
		if d := cmp.Diff(polled, heard, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("directives: %v %s", err, d)
		}
	}
}

// TestProblemExamples makes errors of the problems that PROTOCOL.md shows.
func TestProblemExamples(t *testing.T) {
	files, err := filepath.Glob("../protocol/testdata/examples/*.problem.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d problems, %v", len(files), err)
	}
	for _, f := range files {
		p := example[protocol.Problem](t, strings.TrimSuffix(filepath.Base(f), ".json"))
		err, away := errorOf(p)
		var said *ProblemError
		if r, ok := leyline.AsRefusal(err); ok {
			if r.Kind.String() != p.Kind || r.Field != p.Field || r.Hint != p.Hint || r.Reason == "" {
				t.Errorf("%s: %+v", f, r)
			}
		} else if !errors.As(err, &said) || said.Kind != p.Kind {
			t.Errorf("%s: %v", f, err)
		}
		if away != (p.Kind == "stopping") {
			t.Errorf("%s: passes by itself: %v", f, away)
		}
	}
}
