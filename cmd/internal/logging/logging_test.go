package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func fixed() time.Time { return time.Date(2026, 11, 22, 10, 20, 30, 456e6, time.UTC) }

func build(t *testing.T, level string, asJSON bool) (hclog.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	log, err := New(Options{Name: "esper", Level: level, JSON: asJSON, Output: &out, Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	return log, &out
}

func TestText(t *testing.T) {
	log, out := build(t, "", false)
	log.Debug("not shown")
	log.Named("eventlog").Info("opened", "records", 7)
	want := "2026-11-22T10:20:30.456Z [INFO]  esper.eventlog: opened: records=7\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	log, out := build(t, "DEBUG", true)
	slog.New(NewHandler(log)).With("run", "r1").WithGroup("step").Debug("taken", "n", 3)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"@level": "debug", "@message": "taken", "@module": "esper", "@timestamp": "2026-11-22T10:20:30.456Z",
		"run": "r1", "step.n": 3.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := New(Options{Level: "loud", Output: &bytes.Buffer{}}); err == nil || !strings.Contains(err.Error(), `"loud"`) {
		t.Errorf("unknown level: error %v does not name it", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no output: no error")
	}
	for _, level := range Levels {
		if _, err := New(Options{Level: level, Output: &bytes.Buffer{}}); err != nil {
			t.Errorf("level %s: %v", level, err)
		}
	}
}

func TestLevels(t *testing.T) {
	names := map[slog.Level]string{
		slog.LevelDebug - 1: "trace", slog.LevelDebug: "debug", slog.LevelDebug + 1: "debug",
		slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error", slog.LevelError + 4: "error",
	}
	for level, want := range names {
		log, out := build(t, "trace", true)
		slog.New(NewHandler(log)).Log(t.Context(), level, "m")
		if !strings.Contains(out.String(), `"@level":"`+want+`"`) {
			t.Errorf("level %v: wrote %s, want %s", level, out, want)
		}
	}
}

// TestEnabled compares Enabled with what is written, for all pairs of levels.
func TestEnabled(t *testing.T) {
	for _, at := range Levels {
		for _, level := range []slog.Level{slog.LevelDebug - 1, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			log, out := build(t, at, false)
			h := NewHandler(log)
			enabled := h.Enabled(context.Background(), level)
			if err := h.Handle(t.Context(), slog.NewRecord(time.Time{}, level, "m", 0)); err != nil {
				t.Fatal(err)
			}
			if enabled != (out.Len() > 0) {
				t.Errorf("logger at %s, record at %v: enabled %v, wrote %q", at, level, enabled, out)
			}
		}
	}
}

// TestSlog runs the conformance test of the standard library. Its case
// zero-time wants no time for a record without one; hclog stamps a time of its
// own on every line, which the documentation of Handler states.
func TestSlog(t *testing.T) {
	var out *bytes.Buffer
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		if strings.HasSuffix(t.Name(), "/zero-time") {
			t.Skip("hclog stamps a time of its own on every line")
		}
		var log hclog.Logger
		log, out = build(t, "trace", true)
		return NewHandler(log)
	}, func(t *testing.T) map[string]any {
		var flat map[string]any
		if err := json.Unmarshal(out.Bytes(), &flat); err != nil {
			t.Fatal(err)
		}
		return nested(flat)
	})
}

// nested undoes the dots of keys and the names that hclog gives its own.
func nested(flat map[string]any) map[string]any {
	own := map[string]string{"@message": slog.MessageKey, "@level": slog.LevelKey, "@timestamp": slog.TimeKey}
	root := map[string]any{}
	for key, value := range flat {
		if name, ok := own[key]; ok {
			key = name
		}
		at, parts := root, strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			if at[part] == nil {
				at[part] = map[string]any{}
			}
			at = at[part].(map[string]any)
		}
		at[parts[len(parts)-1]] = value
	}
	return root
}
