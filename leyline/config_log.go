package leyline

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
