package admin_test

import (
	"net/http"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// TestTeacherOfAnother: the teacher of a run that a trainer has opened over the protocol
// is nobody's but that trainer's.
func TestTeacherOfAnother(t *testing.T) {
	const token = "0123456789abcdef"
	d := start(t, true, token)
	for _, owner := range []string{"token:ada", "token:other"} {
		run := leyline.RunID("of-" + owner)
		_, err := d.plane.Open(t.Context(), leyline.RunOpened{
			Run: run, Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu"},
			Tasks: []leyline.TaskID{"a"}, Parameters: 10, Steps: 100, Away: leyline.AwayStop, Principal: owner,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if a := d.ask("POST", "/v1/runs/of-token:ada/teacher", admin.MediaJSON, []byte(teacher), token); a.status != http.StatusOK {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
	for _, method := range []string{"POST", "DELETE"} {
		a := d.ask(method, "/v1/runs/of-token:other/teacher?id=t1", admin.MediaJSON, []byte(teacher), token)
		if a.status != http.StatusForbidden || a.Kind != "not_authorized" || a.Field != "run" {
			t.Errorf("%s of another's: %d %s", method, a.status, a.body)
		}
	}
}
