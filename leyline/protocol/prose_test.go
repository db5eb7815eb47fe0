package protocol_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline/protocol"
)

const document = "../PROTOCOL.md"

var (
	exampleMark  = regexp.MustCompile(`(?m)^<!-- example: (\S+) -->\n`)
	exampleBlock = regexp.MustCompile("(?m)^<!-- example: (\\S+) -->\n(```json\n(?s:.*?)```\n)?")
)

// TestDocument holds PROTOCOL.md against the examples: each is in it, word by word, and
// every block of JSON behind a mark is one.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := exampleBlock.ReplaceAllStringFunc(string(text), func(block string) string {
		name := exampleMark.FindStringSubmatch(block)[1]
		doc, err := os.ReadFile(exampleFile(name))
		if err != nil {
			t.Error(err)
		}
		return "<!-- example: " + name + " -->\n```json\n" + string(doc) + "```\n"
	})
	golden(t, document, []byte(want))
	if n := len(exampleMark.FindAllString(want, -1)); n < 20 {
		t.Errorf("only %d examples are in the document", n)
	}
}

// TestDocumentNamesEveryMember holds it against the bodies of requests.
func TestDocumentNamesEveryMember(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bodies()[:12] {
		name := reflect.TypeOf(b).Elem().Name()
		for _, member := range membersOf(t, name) {
			if !strings.Contains(string(text), "`"+member+"`") && !strings.Contains(string(text), `"`+member+`"`) {
				t.Errorf("%s of %s is not in %s", member, name, filepath.Base(document))
			}
		}
	}
}

// membersOf lists the members of a body.
func membersOf(t *testing.T, name string) []string {
	t.Helper()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	if err := json.Unmarshal(protocol.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	var out []string
	for member := range doc.Components.Schemas[name].Properties {
		out = append(out, member)
	}
	if len(out) == 0 {
		t.Fatalf("%s has no members", name)
	}
	return out
}
