package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func check(name string, look func(context.Context) error) Check { return Check{name, look} }

func fine(context.Context) error { return nil }

// TestProbes: live checks are part of both probes, and both name every check.
func TestProbes(t *testing.T) {
	var loop, disk atomic.Value
	from := func(v *atomic.Value) func(context.Context) error {
		return func(context.Context) error { err, _ := v.Load().(error); return err }
	}
	o := options()
	o.Live, o.Ready = []Check{check("loop", from(&loop))}, []Check{check("disk", from(&disk)), check("log", fine)}
	s := start(t, o)
	var got Health
	if a := ask(t, "GET", url(s, "/readyz"), nil, nil); a.status != 200 || json.Unmarshal([]byte(a.body), &got) != nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if d := cmp.Diff(Health{"ready", []Result{{"loop", "ok", ""}, {"disk", "ok", ""}, {"log", "ok", ""}}}, got); d != "" {
		t.Error(d)
	}
	disk.Store(errors.New("1 byte is free"))
	a := ask(t, "GET", url(s, "/readyz"), nil, nil)
	a.wants(t, 503, "not_ready")
	if d := cmp.Diff([]Result{{"loop", "ok", ""}, {"disk", "failed", "1 byte is free"}, {"log", "ok", ""}}, a.doc.Checks); d != "" || a.doc.Detail != "disk: 1 byte is free" {
		t.Errorf("%s %s", a.doc.Detail, d)
	}
	if a := ask(t, "GET", url(s, "/healthz"), nil, nil); a.status != 200 || !strings.Contains(a.body, `"alive"`) || strings.Contains(a.body, "disk") {
		t.Errorf("%d %s", a.status, a.body)
	}
	loop.Store(errors.New("it hangs"))
	ask(t, "GET", url(s, "/healthz"), nil, nil).wants(t, 503, "not_alive")
	if a := ask(t, "HEAD", url(s, "/healthz"), nil, nil); a.status != 503 {
		t.Errorf("HEAD: %d", a.status)
	}
}

// TestACheckThatHangsIsAskedOnce: it fails in time, no pile of looks builds up behind
// it, and when it answers again the next probe knows.
func TestACheckThatHangsIsAskedOnce(t *testing.T) {
	leave := make(chan struct{})
	var looks atomic.Int32
	o := options()
	o.CheckTimeout = 20 * time.Millisecond
	o.Ready = []Check{check("stubborn", func(context.Context) error { looks.Add(1); <-leave; return nil })}
	s := start(t, o)
	for range 3 {
		a := ask(t, "GET", url(s, "/readyz"), nil, nil)
		a.wants(t, 503, "not_ready")
		if !strings.Contains(a.doc.Detail, "stubborn: no answer within 20ms") {
			t.Error(a.doc.Detail)
		}
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("%d looks are under way", n)
	}
	close(leave)
	for i := 0; ; i++ {
		if a := ask(t, "GET", url(s, "/readyz"), nil, nil); a.status == 200 {
			break
		} else if i > 100 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// TestACheckThatPanics has failed, and takes nothing with it.
func TestACheckThatPanics(t *testing.T) {
	o := options()
	o.Ready = []Check{check("wild", func(context.Context) error { panic("oh") }), check("tame", fine)}
	s := start(t, o)
	a := ask(t, "GET", url(s, "/readyz"), nil, nil)
	if d := cmp.Diff([]Result{{"wild", "failed", "the check panicked: oh"}, {"tame", "ok", ""}}, a.doc.Checks); d != "" {
		t.Error(d)
	}
	for i := range 3 {
		if got := fmt.Sprint(ask(t, "GET", url(s, "/readyz"), nil, nil).status); got != "503" {
			t.Errorf("%d: %s", i, got)
		}
	}
}
