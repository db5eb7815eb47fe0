package trainer_test

import (
	"net/http"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// TestMistakesForEver: a trainer that sends the same mistake again and again is refused
// at the door when it has had its share of records; its neighbour is not.
func TestMistakesForEver(t *testing.T) {
	d := start(t)
	for _, run := range []leyline.RunID{"run-1", "run-2"} {
		open := openBody()
		open.Run = run
		must[protocol.OpenAnswer](d, d.post("/v1/runs", open))
	}
	door := 0
	for range 2 * trainer.RefusalsAMinute {
		switch a := d.post("/v1/runs/run-1/steps", stepBody(7)); a.status {
		case http.StatusConflict:
		case http.StatusTooManyRequests:
			door++
		default:
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if door == 0 {
		t.Error("the door refuses nothing")
	}
	must[leyline.Answer](d, d.post("/v1/runs/run-2/steps", stepBody(1)))
	if a := d.post("/v1/runs/run-9/steps", stepBody(1)); a.status != http.StatusNotFound {
		t.Errorf("a run that there is not: %d %s", a.status, a.body)
	}
}
