package protocol_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// TestRequired leaves out one member of an example after the other. The schema demands
// those without which the plane says that one is missing, and no others.
func TestRequired(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Required []string `json:"required"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(protocol.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	spared := map[string]json.RawMessage{ // what makes members needless that succeed without it
		"Close": []byte(`{"outcome": "failed", "reason": "it was told to"}`), "Profile": []byte(`{"outcome": "failed", "reason": "no room"}`),
		"Snapshot": []byte(`{"unwritten": "no room"}`),
	}
	for _, e := range examples() {
		if name := reflect.TypeOf(e.body).Elem().Name(); strings.HasSuffix(e.name, ".request") && reflect.TypeOf(e.body).Elem().Field(0).Type.Implements(reflect.TypeFor[leyline.Input]()) || name == "OpenRequest" {
			body := reflect.TypeOf(e.body).Elem()
			also := missed(t, e.name, body, spared[name])
			for _, m := range missed(t, e.name, body, nil) {
				if slices.Contains(also, m) {
					want[name] = append(want[name], m)
				}
			}
		}
	}
	if len(want) < 9 {
		t.Fatalf("only %d bodies", len(want))
	}
	want["OpenRequest"] = append(want["OpenRequest"], "protocol") // which the plane looks at before the run
	for name, fields := range want {
		slices.Sort(fields)
		fields = slices.Compact(fields)
		got := slices.Sorted(slices.Values(doc.Components.Schemas[name].Required))
		if !slices.Equal(got, fields) {
			t.Errorf("%s demands %q, want %q", name, got, fields)
		}
	}
}

// missed are the members of an example that cannot be left out.
func missed(t *testing.T, name string, body reflect.Type, change json.RawMessage) []string {
	t.Helper()
	text, err := os.ReadFile(exampleFile(name))
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		if err := json.Unmarshal(change, &members); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for left := range members {
		b := without(t, members, left)
		to := reflect.New(body)
		if err := protocol.Decode(protocol.MediaJSON, b, to.Interface()); err != nil {
			t.Fatal(err)
		}
		if run := to.Elem().FieldByName("Run"); run.String() == "" && body.Name() != "OpenRequest" {
			run.SetString("run-1") // the path names it
		}
		if r, ok := leyline.AsRefusal(validated(to)); ok && r.Kind == leyline.RefusalMissingField && (r.Field == left || strings.HasPrefix(r.Field, left+".")) {
			out = append(out, left)
		}
	}
	return out
}

func validated(to reflect.Value) error {
	for i := range to.Elem().NumField() {
		if in, ok := to.Elem().Field(i).Interface().(leyline.Input); ok {
			if x, opens := in.(leyline.RunOpened); opens {
				x.Principal = "uid:1000"
				in = x
			}
			return in.Validate()
		}
	}
	return nil
}

func without(t *testing.T, members map[string]json.RawMessage, left string) []byte {
	t.Helper()
	rest := map[string]json.RawMessage{}
	for k, v := range members {
		if k != left {
			rest[k] = v
		}
	}
	b, err := json.Marshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b)
}
