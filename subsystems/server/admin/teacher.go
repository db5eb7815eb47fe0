package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/strictjson"
)

// TeacherDoc is the body that registers a teacher. Parameters may come in any order.
type TeacherDoc struct {
	ID         leyline.TeacherID `json:"id"`
	Parameters []ParameterDoc    `json:"parameters"`
	Bytes      Whole             `json:"bytes"`
	Digest     leyline.Digest    `json:"digest"` // SHA-256 of the weights, 64 hex digits
}

// ParameterDoc is one named tensor.
type ParameterDoc struct {
	Name string `json:"name"`
	Size Whole  `json:"size"` // numbers that it holds
}

// Whole is a 64-bit number; as text it keeps all of its digits in any implementation of
// JSON.
type Whole uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Whole) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("%.40s is no whole number from 0 to 18446744073709551615", b)
	}
	*n = Whole(v)
	return nil
}

// ParseTeacher reads the body that registers a teacher, and puts its parameters in
// order. The error is a *strictjson.Error; what is missing or wrong in the teacher is
// for the plane to say.
func ParseTeacher(b []byte) (leyline.Teacher, error) {
	var d TeacherDoc
	if err := strictjson.Decode(b, &d); err != nil {
		return leyline.Teacher{}, err
	}
	t := leyline.Teacher{ID: d.ID, Bytes: uint64(d.Bytes), Digest: d.Digest}
	for _, p := range d.Parameters {
		t.Parameters = append(t.Parameters, leyline.Parameter{Name: p.Name, Size: uint64(p.Size)})
	}
	leyline.SortParameters(t.Parameters)
	return t, nil
}

// maxTeacher bounds the body that registers a teacher: as many names as may be, each as
// long as it may be, escaped.
const maxTeacher = leyline.MaxParameters * (2*leyline.MaxParameterName + 64)

func (h handler) teach(w http.ResponseWriter, r *http.Request) error {
	body, media, err := read(r, maxTeacher)
	if err != nil {
		return err
	}
	if media != MediaJSON {
		return unsupported(MediaJSON)
	}
	t, err := ParseTeacher(body)
	if err != nil {
		return err
	}
	seq, err := h.Plane().Teach(r.Context(), leyline.TeacherRegistered{
		Run: leyline.RunID(r.PathValue("run")), Teacher: t, Peer: leyline.PeerTrainer, PeerName: from(r),
	})
	if err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, Recorded{seq})
	return nil
}

func (h handler) forget(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return server.Mistake(http.StatusBadRequest, leyline.RefusalMissingField.String(), "id", "the request does not name the teacher", "add ?id= and the teacher's id")
	}
	seq, err := h.Plane().Forget(r.Context(), leyline.TeacherDeregistered{
		Run: leyline.RunID(r.PathValue("run")), Teacher: leyline.TeacherID(id), Peer: leyline.PeerTrainer, PeerName: from(r),
	})
	if err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, Recorded{seq})
	return nil
}
