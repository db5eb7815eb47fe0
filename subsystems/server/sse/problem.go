package sse

import (
	"encoding/json"
	"net/http"
)

// problem is a refusal as RFC 9457 writes it, with the members of the trainer
// protocol.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Kind   string `json:"kind"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
}

func refuse(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	body, err := json.Marshal(p)
	if err != nil {
		panic("sse: a problem cannot be written: " + err.Error()) // Invariant: it holds texts and a number
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "5")
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client is refused either way
}

func badParameter(name, why string) *problem {
	return &problem{Status: http.StatusBadRequest, Kind: "invalid_field", Field: name, Detail: name + " " + why}
}

func unavailable(kind, why string) problem {
	return problem{Status: http.StatusServiceUnavailable, Kind: kind, Detail: why}
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
