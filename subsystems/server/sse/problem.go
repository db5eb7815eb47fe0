package sse

import (
	"encoding/json"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
)

// refuse answers with a problem document, which no cache may keep.
func refuse(w http.ResponseWriter, p server.Problem) {
	w.Header().Set("Cache-Control", "no-store")
	p.Write(w)
}

func badParameter(name, why string) *server.Problem {
	p := server.ProblemOf(&leyline.Refusal{
		Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalInvalidField, Field: name, Reason: why,
		Hint: "the parameters are stream, priority, run and after",
	})
	return &p
}

func unavailable(kind, why string) server.Problem {
	return server.NewProblem(http.StatusServiceUnavailable, kind, why, "come back with the last id")
}

// appendDetail appends an object that says why a stream ends.
func appendDetail(dst []byte, why string) []byte {
	body, err := json.Marshal(struct {
		Detail string `json:"detail"`
	}{why})
	if err != nil {
		panic("sse: a text cannot be written: " + err.Error()) // Invariant: every text can be
	}
	return append(dst, body...)
}
