package admin

import (
	"fmt"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/server"
)

// PlaneDoc says which plane this is: what a command must be addressed to.
type PlaneDoc struct {
	Origin string   `json:"origin"` // name of the log
	At     string   `json:"at"`     // plane time of the last record, RFC 3339
	Record uint64   `json:"record"` // the last one
	Runs   []RunDoc `json:"runs"`
}

// RunDoc is one run of a plane.
type RunDoc struct {
	Run       leyline.RunID          `json:"run"`
	Status    leyline.RunStatus      `json:"status"`
	Step      leyline.Step           `json:"step"`
	Emergency leyline.EmergencyLevel `json:"emergency"`
	Seeds     []SeedDoc              `json:"seeds"`
	Teacher   leyline.TeacherID      `json:"teacher,omitempty"`
}

// SeedDoc is one slot of a run.
type SeedDoc struct {
	Seed        leyline.SeedID      `json:"seed"`
	Stage       leyline.Stage       `json:"stage"`
	Blueprint   leyline.BlueprintID `json:"blueprint,omitempty"`
	Since       leyline.Step        `json:"since_step"` // at which it entered the stage
	Alpha       float64             `json:"alpha"`
	AlphaSteps  uint32              `json:"alpha_steps"`       // of its schedule that it has taken
	TotalSteps  uint32              `json:"alpha_total_steps"` // of its schedule; 0: there is none yet
	Temperature float64             `json:"alpha_temperature"` // of its schedule, in steps
	Parameters  uint64              `json:"parameters"`        // numbers that it owns, or owned when it was kept; 0: none, or not told
}

// KeyDoc is an enrolled key.
type KeyDoc struct {
	Key      leyline.KeyID         `json:"key"`
	Public   []byte                `json:"public"` // Ed25519, 32 bytes: for a trainer that verifies what it is told
	Issuer   string                `json:"issuer"`
	Kinds    []leyline.CommandKind `json:"kinds"`
	Sequence uint64                `json:"sequence"` // the highest that it has spent
}

func (h handler) look(w http.ResponseWriter, r *http.Request) error {
	var d PlaneDoc
	if err := h.Plane().View(r.Context(), func(s *projections.State) { d = planeDoc(s) }); err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, d)
	return nil
}

func planeDoc(s *projections.State) PlaneDoc {
	d := PlaneDoc{Origin: s.Plane.Origin, At: s.At.String(), Record: uint64(s.Seq), Runs: []RunDoc{}}
	for i := range s.Tolaria.Runs {
		run := &s.Tolaria.Runs[i]
		slots := s.Kasmina.Run(run.ID)
		x := RunDoc{Run: run.ID, Status: run.Status, Step: run.Track.Step, Emergency: run.Emergency, Teacher: slots.Teacher.ID, Seeds: []SeedDoc{}}
		for j := range slots.Seeds {
			seed := &slots.Seeds[j]
			x.Seeds = append(x.Seeds, SeedDoc{
				Seed: seed.ID, Stage: seed.Stage, Blueprint: seed.Blueprint, Since: seed.Since, Alpha: seed.Alpha,
				AlphaSteps: seed.AlphaStep, TotalSteps: seed.Plan.TotalSteps, Temperature: seed.Plan.Temperature, Parameters: leyline.ParameterCount(seed.Parameters),
			})
		}
		d.Runs = append(d.Runs, x)
	}
	return d
}

func (h handler) lookKey(w http.ResponseWriter, r *http.Request) error {
	id := leyline.KeyID(r.PathValue("key"))
	var d *KeyDoc
	err := h.Plane().View(r.Context(), func(s *projections.State) {
		if k := s.Plane.Key(id); k != nil {
			d = &KeyDoc{Key: k.ID, Public: append([]byte(nil), k.Public...), Issuer: k.Issuer, Kinds: append([]leyline.CommandKind(nil), k.Kinds...), Sequence: s.Kasmina.High(k.ID)}
		}
	})
	if err != nil {
		return err
	}
	if d == nil {
		return server.Mistake(http.StatusNotFound, leyline.RefusalUnknownKey.String(), "key", fmt.Sprintf("no key %.64q is enrolled", id), "enroll it: POST /v1/keys")
	}
	write(w, MediaJSON, http.StatusOK, d)
	return nil
}
