package protocol_test

import (
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// TestAnswersMaySayMore: what a newer plane says beside what is known is passed over in
// answers, in both forms, and never in requests.
func TestAnswersMaySayMore(t *testing.T) {
	novel := map[string]any{
		"step": 7, "novel": map[string]any{"a": []any{1, "x", nil, true, 1.5, map[string]any{}, []byte{1}}, "b": -3},
		"last": nil, "seeds": []any{map[string]any{"seed": "seed-a", "alpha": 0.5, "mood": "good"}},
	}
	packed, err := msgpack.Marshal(novel)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"step":"7","novel":{"a":[1,"x",null,true,1.5,{},"AQ=="],"b":-3},"last":null,"seeds":[{"seed":"seed-a","alpha":0.5,"mood":"good"}]}`
	for media, doc := range map[string][]byte{protocol.MediaJSON: []byte(text), protocol.MediaMsgpack: packed} {
		var a leyline.Answer
		if err := protocol.DecodeAnswer(media, doc, &a); err != nil || a.Step != 7 || len(a.Seeds) != 1 || a.Seeds[0].Alpha != 0.5 {
			t.Errorf("%s: %+v %v", media, a, err)
		}
		if protocol.Decode(media, doc, new(leyline.Answer)) == nil {
			t.Errorf("%s: Decode takes it too", media)
		}
	}
	for _, bad := range []string{`{"novel":nul}`, `{"novel":[1,]}`, `{"novel":{"a"}}`, `{"novel":01}`, `{"novel":"`, `{"novel":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, `{"novel":}`} {
		if protocol.DecodeAnswer(protocol.MediaJSON, []byte(bad), new(leyline.Answer)) == nil {
			t.Errorf("%.40s is taken", bad)
		}
	}
	for _, bad := range []string{"\x81\xa1n", "\x81\xa1n\xc7\x01\x01\x01", "\x81\xa1n\x92\x01", "\x81\xa1n" + strings.Repeat("\x91", 100) + "\x01"} {
		if protocol.DecodeAnswer(protocol.MediaMsgpack, []byte(bad), new(leyline.Answer)) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
