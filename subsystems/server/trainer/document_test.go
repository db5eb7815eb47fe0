package trainer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../leyline/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestDocumentSession runs the commands of PROTOCOL.md, word by word, against a plane
// that is served where they look for it.
func TestDocumentSession(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	d := start(t)
	d.anyone.Store("uid:1000")
	dir := filepath.Dir(filepath.Dir(d.socket))
	if err := os.Rename(filepath.Dir(d.socket), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	d.socket = filepath.Join(dir, "data", filepath.Base(d.socket))
	var script strings.Builder
	blocks := shellBlock.FindAllStringSubmatch(document(t), -1)
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	if len(blocks) < 5 {
		t.Fatalf("only %d blocks of shell are in the document", len(blocks))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", withoutFailures(script.String()))
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v := must[protocol.RunView](d, d.send("GET", "/v1/runs/by-hand", "", nil))
	if v.Status != leyline.RunStatusEnded || v.Step != 3 {
		t.Errorf("the run that the document makes: %+v\n%s", v, out)
	}
	if !strings.Contains(string(out), `"kind":"step_conflict"`) {
		t.Errorf("the conflict is not said:\n%s", out)
	}
}

// withoutFailures lets the one command that the document means to fail do so: what it
// prints is looked at behind a pipe, whose failure a shell of people does not mind.
func withoutFailures(script string) string {
	lines := strings.Split(script, "\n")
	for i, l := range lines {
		if strings.HasSuffix(l, "| grep step_conflict") {
			lines[i] = "set +o pipefail; " + l + "; set -o pipefail"
		}
	}
	return strings.Join(lines, "\n")
}

var errorRow = regexp.MustCompile("(?m)^\\| (\\d{3}(?:, \\d{3})*) \\| (`.*?) \\|")

// TestDocumentErrors holds the table of errors against the statuses that the server
// gives: what is a kind of refusal has the status of its row, and every kind of refusal
// that a report can meet with such a status is a kind that there is.
func TestDocumentErrors(t *testing.T) {
	rows := errorRow.FindAllStringSubmatch(document(t), -1)
	if len(rows) < 8 {
		t.Fatalf("only %d rows of errors are in the document", len(rows))
	}
	own := strings.Fields("malformed unknown_field duplicate_field protocol_version unknown_op unauthorized cross_origin not_found " +
		"method_not_allowed not_acceptable body_too_large unsupported_media_type unknown_host header_too_large internal starting stopping storage timeout length_required unsupported_encoding too_many_streams too_many_lanes too_many_refusals")
	for _, row := range rows {
		for _, quoted := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			var kind leyline.RefusalKind
			if err := kind.UnmarshalText([]byte(quoted[1])); err != nil {
				if !slices.Contains(own, quoted[1]) {
					t.Errorf("there is no kind %s", quoted[1])
				}
				continue
			}
			if p := server.ProblemOf(&leyline.Refusal{Kind: kind}); !strings.Contains(row[1], strconv.Itoa(p.Status)) {
				t.Errorf("%s has the status %d, the document says %s", kind, p.Status, row[1])
			}
		}
	}
}

// TestTeacherExample holds the example of a teacher against the reader of its route.
func TestTeacherExample(t *testing.T) {
	b, err := os.ReadFile("../../../leyline/protocol/testdata/examples/teacher.request.json")
	if err != nil {
		t.Fatal(err)
	}
	if x, err := admin.ParseTeacher(b); err != nil || x.ID != "teacher-1" || len(x.Parameters) != 1 {
		t.Errorf("%+v, %v", x, err)
	}
}

// TestExamplesOverTheSocket sends every example of a request to a plane that knows no
// such run: each is read to its end, and refused for what the plane knows alone.
func TestExamplesOverTheSocket(t *testing.T) {
	d := start(t)
	for name, path := range map[string]string{
		"step": "steps", "step-seed": "steps", "epoch": "epochs", "snapshot": "snapshots", "probe": "probes", "ack": "acks",
		"rollback": "rollbacks", "fallback": "fallbacks", "profiled": "profiles", "close": "close",
	} {
		b, err := os.ReadFile(fmt.Sprintf("../../../leyline/protocol/testdata/examples/%s.request.json", name))
		if err != nil {
			t.Fatal(err)
		}
		if a := d.send("POST", "/v1/runs/digits-7/"+path, protocol.MediaJSON, bytes.TrimSpace(b)); a.status != http.StatusNotFound || a.Kind != "unknown_run" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	b, err := os.ReadFile("../../../leyline/protocol/testdata/examples/open.request.json")
	if err != nil {
		t.Fatal(err)
	}
	if a := d.send("POST", "/v1/runs", protocol.MediaJSON, b); a.status != http.StatusOK {
		t.Errorf("open: %d %s", a.status, a.body)
	}
}

// TestRoutesAreDescribed holds the routes that are served against those of openapi.json
// and of the table in PROTOCOL.md.
func TestRoutesAreDescribed(t *testing.T) {
	s, err := trainer.New(trainer.Options{Plane: func() trainer.Plane { return nil }, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, r := range s.Routes() {
		served = append(served, r.Pattern)
	}
	slices.Sort(served)
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(protocol.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	described := []string{"GET /v1/openapi.json"} // which does not describe itself
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(described)
	if d := cmp.Diff(described, served); d != "" {
		t.Error("openapi.json and the routes: " + d)
	}
	_, table, _ := strings.Cut(document(t), "## Routes")
	table, _, _ = strings.Cut(table, "## Repeats")
	for _, r := range served {
		method, path, _ := strings.Cut(r, " ")
		if !strings.Contains(table, "`"+r) && !(method == "POST" && strings.Contains(table, "`/"+filepath.Base(path)+"`")) {
			t.Errorf("%s is not in the table of routes", r)
		}
	}
}

// TestTheLaneSpeaksTheProtocol: what the framed lane has of its own, because its package
// knows no other, is what the rest of the protocol says.
func TestTheLaneSpeaksTheProtocol(t *testing.T) {
	if frame.Version != protocol.Version || frame.MaxFrame != server.DefaultMaxBody {
		t.Errorf("version %d and %d, at most %d and %d bytes", frame.Version, protocol.Version, frame.MaxFrame, server.DefaultMaxBody)
	}
	hello := frame.Hello{Protocol: frame.Version, Run: "run-1", Media: protocol.MediaJSON}
	var got protocol.Hello
	if err := protocol.Decode(protocol.MediaJSON, hello.Encode(), &got); err != nil {
		t.Fatal(err)
	}
	if want := (protocol.Hello{Protocol: protocol.Version, Run: "run-1", Media: protocol.MediaJSON}); got != want {
		t.Errorf("the hello %+v, want %+v", got, want)
	}
	welcome := frame.Welcome{Protocol: frame.Version, Run: "run-1"}
	if err := protocol.Decode(protocol.MediaJSON, welcome.Encode(), new(protocol.Hello)); err != nil {
		t.Error(err)
	}
	for op := frame.OpStep; op.Known(); op++ {
		row := regexp.MustCompile(fmt.Sprintf(`\| %d \| %s \|`, op, op))
		if !row.MatchString(document(t)) {
			t.Errorf("PROTOCOL.md does not have %v as %d", op, op)
		}
	}
}
