package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type doc struct {
	Name  string `json:"name"`
	Bytes []byte `json:"bytes"`
	List  []part `json:"list"`
	Part  part   `json:"part,omitempty"`
}

type part struct {
	Size uint64 `json:"size"`
}

func TestDecode(t *testing.T) {
	var d doc
	if err := Decode([]byte(` {"name":"n","bytes":"AQI=","list":[{"size":1},{"size":18446744073709551615}],"part":{"size":3}} `), &d); err != nil {
		t.Fatal(err)
	}
	if d.Name != "n" || len(d.Bytes) != 2 || d.List[1].Size != ^uint64(0) || d.Part.Size != 3 {
		t.Errorf("decoded %+v", d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for in, want := range map[string]Error{
		``:                                       {KindMalformed, "", "ends within a value"},
		`{"name":"n"`:                            {KindMalformed, "", "ends within a value"},
		`{"name":"n"} x`:                         {KindMalformed, "", "has something behind its end"},
		`{"name":"n"}{}`:                         {KindMalformed, "", "has something behind its end"},
		"{\"name\":\"\xff\"}":                    {KindMalformed, "", "is not UTF-8"},
		`{"other":1}`:                            {KindUnknown, "other", "is not known"},
		`{"Name":"n"}`:                           {KindUnknown, "Name", "is not known"},
		`{"":"n"}`:                               {KindUnknown, "", "is not known"},
		`{"name":"n","name":"m"}`:                {KindDuplicate, "name", "comes twice"},
		`{"name":"n","na\u006de":"m"}`:           {KindDuplicate, "name", "comes twice"},
		`{"list":[{"size":1},{"size":1,"x":2}]}`: {KindUnknown, "list[1].x", "is not known"},
		`{"list":[{"size":1,"size":2}]}`:         {KindDuplicate, "list[0].size", "comes twice"},
		`{"name":null}`:                          {KindInvalid, "name", "is null; leave it out"},
		`null`:                                   {KindInvalid, "", "is null; leave it out"},
		`{"part":{"size":-1}}`:                   {KindInvalid, "part.size", "holds a number -1; uint64 is wanted"},
		`{"name":{"a":1}}`:                       {KindInvalid, "name", "holds a object; string is wanted"},
	} {
		var d doc
		var got *Error
		if err := Decode([]byte(in), &d); !errors.As(err, &got) || *got != want {
			t.Errorf("%s: %#v", in, got)
		}
	}
	var d doc
	var got *Error
	if err := Decode([]byte(`{"name":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`), &d); !errors.As(err, &got) || got.Kind != KindMalformed || !strings.Contains(got.Reason, "deeper") {
		t.Errorf("deep lists: %v", got)
	}
	if err := Decode([]byte(`{"bytes":"!"}`), &d); !errors.As(err, &got) || got.Kind != KindInvalid {
		t.Errorf("bad base64: %v", err)
	}
}

// FuzzDecode: whatever is decoded says the same when it is written and read again, and
// is what encoding/json makes of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"n","bytes":"AQI=","list":[{"size":1}],"part":{"size":3}}`))
	f.Add([]byte(`{"name":"n","name":"m"}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again, loose doc
		if Decode(b, &d) != nil {
			return
		}
		if err := json.Unmarshal(b, &loose); err != nil {
			t.Fatalf("%q: encoding/json refuses it: %v", b, err)
		}
		one, _ := json.Marshal(d)
		other, _ := json.Marshal(loose)
		if string(one) != string(other) {
			t.Fatalf("%q: %s and %s", b, one, other)
		}
		if d.List != nil && d.Bytes != nil {
			if err := Decode(one, &again); err != nil {
				t.Fatalf("%s: %v", one, err)
			}
		}
	})
}
