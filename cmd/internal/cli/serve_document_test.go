package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/cmd/internal/datadir"
)

// TestServeByHand starts a plane as PROTOCOL.md says and runs its session with curl, as
// somebody would who types it.
func TestServeByHand(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	text, err := os.ReadFile("../../../leyline/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	const start = `esper serve --data data --set 'posture.frameworks=["shell", "torch"]'`
	if !strings.Contains(string(text), "\n"+start+"\n") {
		t.Fatalf("the document starts the plane in another way than %s", start)
	}
	var script strings.Builder
	for _, b := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		script.WriteString(b[1])
	}
	dir := shortDir(t)
	data := filepath.Join(dir, "data")
	p := serving(t, data, datadir.SocketPath(data), "", "--set", `posture.frameworks=["shell", "torch"]`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-e", "-c", script.String())
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"status":"ended"`) || !strings.Contains(string(out), `"kind":"step_conflict"`) {
		t.Errorf("the session: %v\n%s", err, out)
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("the plane exits with %d: %s", code, p.words())
	}
	if !closedInOrder(t, data) {
		t.Error("the log was not closed in order")
	}
}
