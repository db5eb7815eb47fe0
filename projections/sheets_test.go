package projections_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/projections"
)

// A safety sheet takes the place of what the registration said, and of nothing else.
func TestFactsAreThoseOfTheSheet(t *testing.T) {
	s := &projections.State{}
	if _, ok := s.Plane.Facts("bp-1"); ok {
		t.Error("an unknown blueprint has facts")
	}
	bp := leylinetest.Blueprint("bp-1", []byte("kernel"))
	s.Apply(leyline.Meta{Seq: 1}, 0, leyline.BlueprintAdmitted{Blueprint: bp})
	if f, ok := s.Plane.Facts("bp-1"); !ok || f.Serial != 0 || f.Risk != bp.Risk || f.Tier != bp.Tier || f.Quarantine {
		t.Errorf("as registered: %+v", f)
	}
	s.Apply(leyline.Meta{Seq: 2}, 0, leyline.RunStarted{Run: "r", Plan: leyline.RunOpened{Run: "r"}})
	sheet := leyline.SafetySheet{Blueprint: "bp-1", Serial: 3, Risk: 0.9, Quarantine: true, Approval: true, Hazard: bp.Hazard}
	s.Apply(leyline.Meta{Seq: 3}, 0, leyline.MetadataSettled{Run: "r", Facts: sheet.Facts("k")})
	if f, _ := s.Plane.Facts("bp-1"); f.Serial != 3 || f.Risk != 0.9 || !f.Quarantine || !f.Approval || f.Key != "k" {
		t.Errorf("after the sheet: %+v", f)
	}
	if got := s.Plane.Blueprint("bp-1"); got.Risk != bp.Risk {
		t.Errorf("the registration says %v now", got.Risk)
	}
}
