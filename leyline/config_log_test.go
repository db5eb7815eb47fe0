package leyline_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestLogConfigBounds takes every value at its bounds and refuses the next one,
// by its key and with what to write instead.
func TestLogConfigBounds(t *testing.T) {
	words := func(n int) []string { return slices.Repeat([]string{"x"}, n) }
	long := strings.Repeat("x", leyline.MaxPath)
	for _, c := range []struct {
		change func(*leyline.LogConfig)
		key    string // empty: it is accepted
	}{
		{func(l *leyline.LogConfig) { l.SegmentMiB = 1 }, ""},
		{func(l *leyline.LogConfig) { l.SegmentMiB = 1024 }, ""},
		{func(l *leyline.LogConfig) { l.SegmentMiB = 0 }, "log.segment_mib"},
		{func(l *leyline.LogConfig) { l.SegmentMiB = 1025 }, "log.segment_mib"},
		{func(l *leyline.LogConfig) { l.CheckpointRecords = 1 }, ""},
		{func(l *leyline.LogConfig) { l.CheckpointRecords = 0 }, "log.checkpoint_records"},
		{func(l *leyline.LogConfig) { l.Checkpoint = 1 }, ""},
		{func(l *leyline.LogConfig) { l.Checkpoint = 0 }, "log.checkpoint_ms"},
		{func(l *leyline.LogConfig) { l.CheckpointDir = long }, ""},
		{func(l *leyline.LogConfig) { l.CheckpointDir = long + "x" }, "log.checkpoint_dir"},
		{func(l *leyline.LogConfig) { l.CheckpointDir = "a\xff" }, "log.checkpoint_dir"},
		{func(l *leyline.LogConfig) { l.CheckpointDir = "a\x00" }, "log.checkpoint_dir"},
		{func(l *leyline.LogConfig) { l.CheckpointCommand = []string{"cp", "", "a b"} }, ""},
		{func(l *leyline.LogConfig) { l.CheckpointCommand = words(leyline.MaxArguments) }, ""},
		{func(l *leyline.LogConfig) { l.CheckpointCommand = words(leyline.MaxArguments + 1) }, "log.checkpoint_command"},
		{func(l *leyline.LogConfig) { l.CheckpointCommand = []string{"", "a"} }, "log.checkpoint_command"},
		{func(l *leyline.LogConfig) { l.CheckpointCommand = []string{"cp", "\x00", "\xff"} }, "log.checkpoint_command"},
		{func(l *leyline.LogConfig) { l.MinFreeMiB = 0 }, ""},
		{func(l *leyline.LogConfig) { l.MinFreeMiB = 1<<32 - 1 }, ""},
		{func(l *leyline.LogConfig) { l.FreeEvery = 100 }, ""},
		{func(l *leyline.LogConfig) { l.FreeEvery = 99 }, "log.free_every_ms"},
	} {
		all := leyline.DefaultConfig()
		c.change(&all.Log)
		err := all.Validate()
		var bad *leyline.ConfigError
		switch {
		case c.key == "" && err != nil:
			t.Errorf("%+v: %v", all.Log, err)
		case c.key != "" && (!errors.As(err, &bad) || len(bad.Problems) != 1 || bad.Problems[0].Key != c.key || bad.Problems[0].Fix == ""):
			t.Errorf("%+v: %v, want one problem with %s", all.Log, err, c.key)
		}
	}
	if got := (leyline.LogConfig{MinFreeMiB: 1<<32 - 1}).MinFree(); got != (1<<32-1)*1024*1024 {
		t.Errorf("the largest limit is %d bytes", got)
	}
}

func TestDiskMeasuredIsAMeasurement(t *testing.T) {
	for in, field := range map[leyline.DiskMeasured]string{
		{Free: 0, Total: 1}: "", {Free: 2, Total: 2}: "", {Free: 3, Total: 2}: "free", {}: "total",
	} {
		r, refused := leyline.AsRefusal(in.Validate())
		if refused != (field != "") || refused && r.Field != field {
			t.Errorf("%+v: refused for %+v, want field %q", in, r, field)
		}
	}
}
