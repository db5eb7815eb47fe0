package cli

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestJSONForm(t *testing.T) {
	type inner struct{ GradEWMA float64 }
	type doc struct {
		inner
		At      leyline.Instant
		TookNs  uint64
		Losses  []float64
		Stage   leyline.Stage
		Effect  leyline.EffectID
		Key     []byte
		Digest  *leyline.Digest
		Event   leyline.Event
		Named   int    `json:"other"`
		Empty   string `json:",omitempty"`
		private int
	}
	got, err := json.Marshal(jsonForm(reflect.ValueOf(doc{
		inner: inner{0.1}, At: 1, Losses: []float64{math.NaN(), math.Inf(1), math.Inf(-1), 2}, Stage: leyline.StageBlending,
		Effect: leyline.EffectID{Seq: 4, Index: 1}, Key: []byte{0xab}, Event: leyline.RunEnded{Step: 7}, private: 1,
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"grad_ewma":0.1,"at":"1970-01-01T00:00:00.000000Z","took_ns":0,"losses":["NaN","Infinity","-Infinity",2],` +
		`"stage":"BLENDING","effect":"4.1","key":"ab","digest":null,"event":{"run":"","step":7,"outcome":"unspecified",` +
		`"digest":"0000000000000000000000000000000000000000000000000000000000000000"},"other":0}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
