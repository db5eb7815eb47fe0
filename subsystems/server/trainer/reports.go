package trainer

import (
	"fmt"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// readers reads the body of each op: what it reports, and the cursor of the latest
// answer.
var readers = map[Op]func(*Call) (leyline.Input, leyline.Seq, error){
	frame.OpStep: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Step
		err := c.read(&b, &b.Run)
		return b.StepObserved, b.After, err
	},
	frame.OpEpoch: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Epoch
		err := c.read(&b, &b.Run)
		return b.EpochObserved, b.After, err
	},
	frame.OpSnapshot: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Snapshot
		err := c.read(&b, &b.Run)
		return b.SnapshotTaken, b.After, err
	},
	frame.OpProbe: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Probe
		err := c.read(&b, &b.Run)
		return b.SeedProbed, b.After, err
	},
	frame.OpAck: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Ack
		err := c.read(&b, &b.Run)
		return b.CommandAcked, b.After, err
	},
	frame.OpRollback: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Rollback
		err := c.read(&b, &b.Run)
		return b.RollbackReported, b.After, err
	},
	frame.OpFallback: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Fallback
		err := c.read(&b, &b.Run)
		return b.CompileFallback, b.After, err
	},
	frame.OpProfile: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Profile
		err := c.read(&b, &b.Run)
		return b.ProfileReported, b.After, err
	},
	frame.OpClose: func(c *Call) (leyline.Input, leyline.Seq, error) {
		var b protocol.Close
		err := c.read(&b, &b.Run)
		return b.RunClosed, b.After, err
	},
}

// report reads what a call reports.
func (c *Call) report() (leyline.Input, leyline.Seq, error) {
	read, ok := readers[c.Op]
	if !ok {
		return nil, 0, server.Mistake(http.StatusBadRequest, "unknown_op", "op", fmt.Sprintf("there is no op %d", uint8(c.Op)), "ops are 1 to 9; PROTOCOL.md lists them")
	}
	return read(c)
}

// read reads the body into a report, which is about the run of the call.
func (c *Call) read(to any, run *leyline.RunID) error {
	if err := protocol.Decode(c.Media, c.Body, to); err != nil {
		return err
	}
	return ofRun(run, c.Run, "run")
}

// ofRun holds the run that a body names in a field against that of its path.
func ofRun(run *leyline.RunID, path leyline.RunID, field string) error {
	switch *run {
	case path:
	case "":
		*run = path
	default:
		return server.Mistake(http.StatusBadRequest, leyline.RefusalInvalidField.String(), field,
			fmt.Sprintf("the body is about run %.128q, the path about run %.128q", *run, path), "leave run out, or name the run of the path")
	}
	return nil
}
