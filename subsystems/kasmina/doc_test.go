package kasmina_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// row is a transition as the documentation has it.
func row(from string, e leyline.Edge) string {
	what, gate, who := e.Cause, "none", "plane"
	if e.Operation != leyline.OpUnknown {
		what, who = e.Operation.String(), "policy, operator"
	}
	if e.Operator {
		who = "operator"
	}
	if e.Gate != leyline.GateUnknown {
		gate = e.Gate.String()
	}
	return strings.Join([]string{what, from, gate, e.To.String(), who}, "; ")
}

// TestDocumentationHasEveryTransition holds the table in the package's documentation
// against the one in leyline. Transitions that differ only in where they start are
// one row there.
func TestDocumentationHasEveryTransition(t *testing.T) {
	var want []string
	var from string
	edges := leyline.Edges()
	for i, e := range edges {
		if from != "" {
			from += ", "
		}
		from += e.From.String()
		if i+1 < len(edges) && row("", e) == row("", edges[i+1]) {
			continue
		}
		want = append(want, row(from, e))
		from = ""
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(string(doc), "\n") {
		if cells, ok := strings.CutPrefix(line, "//\t"); ok {
			got = append(got, cells)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
