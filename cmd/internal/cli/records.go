package cli

import (
	"fmt"
	"iter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay"
)

// decoded yields the records of a source from a position on. An error ends it.
func decoded(src replay.Source, from leyline.Seq) iter.Seq2[leyline.Record, error] {
	return func(yield func(leyline.Record, error) bool) {
		for e, err := range src.All(from) {
			var r leyline.Record
			if err == nil {
				if r, err = wire.DecodeRecord(e.Seq, e.At, e.Payload); err != nil {
					err = fmt.Errorf("record %d: %w", e.Seq, err)
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
