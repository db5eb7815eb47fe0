package leyline

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// LogConfig configures the event log and the watch over the disk that it is on.
type LogConfig struct {
	SegmentMiB        uint32   `toml:"segment_mib" comment:"Size of a segment file of the log in MiB, 1 to 1024."`
	CheckpointRecords uint32   `toml:"checkpoint_records" comment:"Records after which a checkpoint is signed, 1 or more."`
	Checkpoint        Millis   `toml:"checkpoint_ms" comment:"Age of an unsigned record after which a checkpoint is signed, 1 or more."`
	CheckpointDir     string   `toml:"checkpoint_dir" comment:"Directory to which every checkpoint is copied as well, which must exist; a relative path begins where esper is started; empty: none."`
	CheckpointCommand []string `toml:"checkpoint_command" comment:"Program and arguments run for each checkpoint, with the note on its standard input; empty: none."`
	MinFreeMiB        uint32   `toml:"min_free_mib" comment:"Free space on the disk of the data directory, in MiB, under which new runs are refused and CRITICAL is raised; 0: the disk is not watched."`
	FreeEvery         Millis   `toml:"free_every_ms" comment:"How often the free space is looked at, 100 or more."`
}

// MinFree is the free space, in bytes, under which new runs are refused; 0 when
// the disk is not watched.
func (c LogConfig) MinFree() uint64 { return uint64(c.MinFreeMiB) << 20 }

func defaultLog() LogConfig {
	return LogConfig{
		SegmentMiB: 20, CheckpointRecords: 4096, Checkpoint: 10_000, MinFreeMiB: 256, FreeEvery: 5_000,
	}
}

func (v *configCheck) log(c LogConfig) {
	v.atLeast("log.segment_mib", uint64(c.SegmentMiB), 1)
	v.atMost("log.segment_mib", uint64(c.SegmentMiB), 1024)
	v.atLeast("log.checkpoint_records", uint64(c.CheckpointRecords), 1)
	v.atLeast("log.checkpoint_ms", uint64(c.Checkpoint), 1)
	v.osText("log.checkpoint_dir", "", c.CheckpointDir)
	v.command("log.checkpoint_command", c.CheckpointCommand)
	v.atLeast("log.free_every_ms", uint64(c.FreeEvery), 100)
}

// command demands a program and arguments that a system can start, or nothing.
func (v *configCheck) command(key string, words []string) {
	if len(words) > MaxArguments {
		v.add(key, fmt.Sprintf("has %d entries", len(words)), fmt.Sprintf("write %d or fewer", MaxArguments))
		return
	}
	if len(words) > 0 && words[0] == "" {
		v.add(key, "names no program", "write the program first, or an empty list")
		return
	}
	for i, w := range words {
		if !v.osText(key, fmt.Sprintf("entry %d ", i), w) {
			return // one problem for a key
		}
	}
}

// osText demands text that can be stored and that a system takes as a path or an
// argument.
func (v *configCheck) osText(key, where, s string) bool {
	switch {
	case len(s) > MaxPath:
		v.add(key, fmt.Sprintf("%sis %d bytes long", where, len(s)), fmt.Sprintf("write %d bytes or fewer", MaxPath))
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		v.add(key, fmt.Sprintf("%sis %q", where, s), "write UTF-8 text without NUL bytes")
	default:
		return true
	}
	return false
}
