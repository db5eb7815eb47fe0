package decider

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Disk decides what a measurement changes: leyline.DiskLow, leyline.DiskRecovered
// or, when it changes nothing, nil. low is what was decided last. limit is
// log.min_free_mib in bytes; with 0 the disk is not watched, which ends a
// shortage. A shortage also ends at a quarter more than the limit, so that a disk
// at the limit does not fill the log with its ups and downs.
//
// The plane asks the same question before it records a measurement.
func Disk(low bool, limit uint64, x leyline.DiskMeasured) leyline.Event {
	switch {
	case !low && x.Free < limit:
		return leyline.DiskLow{Free: x.Free, Total: x.Total, Threshold: limit}
	case low && x.Free >= enough(limit):
		return leyline.DiskRecovered{Free: x.Free, Total: x.Total, Threshold: limit}
	}
	return nil
}

// enough is the free space that ends a shortage.
func enough(limit uint64) uint64 { return limit + limit/4 }

func measureDisk(t *projections.Turn, x leyline.DiskMeasured) {
	if e := Disk(t.State.Plane.DiskLow, t.Config().Log.MinFree(), x); e != nil {
		t.Emit(e)
	}
}

// room refuses a new run on a disk that is nearly full. It is not asked for a run
// that was begun, which may be resumed: what that still writes is little beside
// what stopping it would lose.
func room(s *projections.State, x leyline.RunOpened) *leyline.Refusal {
	p := &s.Plane
	if !p.RefusesRuns() {
		return nil
	}
	limit := p.Config.Log.MinFree()
	return refuse(leyline.RefusalDiskLow, "run", string(x.Run),
		fmt.Sprintf("would begin on a disk that is nearly full: %d bytes were free when that was noticed, under the %d of log.min_free_mib = %d",
			p.DiskFree, limit, p.Config.Log.MinFreeMiB),
		fmt.Sprintf("make room on the disk of the data directory until %d bytes are free, or lower log.min_free_mib", enough(limit)))
}
