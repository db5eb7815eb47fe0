package workload

import (
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// netGroup names the one parameter group of this trainer's optimizer: the trunk, the
// heads and every seed follow one rate. It is declared with those that are there when
// the run is opened.
const netGroup = "net"

// order is an order about the optimizer that was heard and not carried out.
type order struct {
	id    leyline.EffectID
	kind  leyline.EffectKind // RATES or REBUILD
	rates []float64
}

// optimize carries out the orders that were heard, in order. What came of them
// travels with the next report: training goes on either way.
func (t *trainer) optimize() {
	for _, o := range t.orders {
		began := time.Now()
		ack := leyline.OrderAck{Order: o.id, Kind: o.kind, Outcome: leyline.OutcomeOK}
		t.drags.apply.pull()
		var err error
		if o.kind == leyline.EffectRebuild {
			ack.Before, ack.After, err = t.net.RebuildOptimizer()
		} else {
			err = t.setRates(o.rates)
		}
		if err != nil {
			ack.Outcome, ack.Reason = leyline.OutcomeFailed, clipReason(err)
		}
		t.meters.applied.clock(began)
		ack.TookNs = uint64(time.Since(began))
		t.acks = append(t.acks, ack)
	}
	t.orders = t.orders[:0]
}

// setRates sets the learning rate of every group.
func (t *trainer) setRates(rates []float64) error {
	if len(rates) != 1 {
		return fmt.Errorf("%d learning rates came, this optimizer has 1 group", len(rates))
	}
	return t.net.SetLearningRate(rates[0])
}

// reported takes the acknowledgements that a report is to carry.
func (t *trainer) reported() []leyline.OrderAck {
	acks := t.acks
	t.acks = nil
	return acks
}
