package trainer_test

import (
	"context"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// null is a plane that has an answer to everything at once.
type null struct{ trainer.Plane }

// Submit implements trainer.Plane.
func (null) Submit(context.Context, leyline.Input, leyline.Seq) func() (leyline.Answer, error) {
	return func() (leyline.Answer, error) {
		return leyline.Answer{
			Seq: 7, Run: "run-1", Incarnation: 1, Step: 1, Weights: []float64{0.75, 1.25}, Emergency: leyline.EmergencyNotice, Cursor: 7,
			Seeds: []leyline.SeedView{{Seed: "seed-a", Stage: leyline.StageBlending, Alpha: 0.5}},
		}, nil
	}
}

// Principal implements trainer.Plane.
func (null) Principal(leyline.RunID) (string, bool) { return "uid:1000", true }

// BenchmarkService is what the service adds to a step: reading the body, the owner of
// the run, and writing the answer.
func BenchmarkService(b *testing.B) {
	s, err := trainer.New(trainer.Options{Plane: func() trainer.Plane { return null{} }, Logger: hclog.NewNullLogger()})
	if err != nil {
		b.Fatal(err)
	}
	for _, media := range []string{protocol.MediaJSON, protocol.MediaMsgpack} {
		body, err := protocol.AppendRequest(nil, media, stepBody(1))
		if err != nil {
			b.Fatal(err)
		}
		c := trainer.Call{Op: frame.OpStep, Run: "run-1", Media: media, Body: body, Peer: trainer.Peer{Kind: leyline.PeerTrainer, Name: "uid:1000"}}
		b.Run(media, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := s.Do(b.Context(), c); r.Status != 200 {
					b.Fatal(string(r.Body))
				}
			}
		})
	}
}
