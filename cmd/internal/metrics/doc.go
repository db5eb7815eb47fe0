// Package metrics shows telemetry to Prometheus. A [Collector] folds the packets
// of released records: of a gauge the last value, of a counter the sum. Names,
// units and help texts are those of the catalogue in leyline.
//
// # Names
//
// A series is called "esper_" and the name of the catalogue with underscores for
// dots. Units are base units, as Prometheus asks: what the catalogue gives in
// milliseconds is in seconds here, GiB are bytes and percents ratios. The name ends with the unit, if it is seconds,
// bytes or a ratio, and for a counter with "total":
//
//	tolaria.training.latency_ms   esper_tolaria_training_latency_seconds
//	tolaria.training.accuracy     esper_tolaria_training_accuracy_ratio
//	tolaria.epochs.total          esper_tolaria_epochs_total
//
// Labels are the attribute keys. The help of a metric that holds the code of an enum
// names its codes. leyline/METRICS.md lists every name.
//
// # No OTLP exporter
//
// A collector that wants OTLP scrapes this page: package subsystems/telemetry says
// what an exporter would cost, in modules.
//
// # What a fold can say
//
// Counters begin at zero with the collector. To hold the totals of the whole log
// it is given every record from the first one on before it is shown; given only
// what is released in this process, its counters are reset by a restart, which
// Prometheus expects.
//
// A rollback or a resume rewinds seeds to states that its record does not repeat:
// the gauges of a run's seeds, gates and blends are forgotten then and come back
// as they are reported again.
//
// # Bounds
//
// The series of a run stay until it has ended and a number of other runs have
// ended after it ([Options].Ended), so that a scrape after the end still sees the
// last values. Beyond [Options].Runs runs the one that was heard of least recently
// goes, and beyond [Options].Series no series is added. What was given up is
// counted in esper_plane_telemetry_series_dropped_total. A counter that has lost
// a series starts again at zero.
package metrics
