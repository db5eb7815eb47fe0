package leyline_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// enum is what every enum of the package offers.
type enum interface {
	String() string
	Known() bool
	Validate() error
	MarshalText() ([]byte, error)
}

func enums() map[string]enum {
	return map[string]enum{
		"Stage": leyline.StageTerminated, "Gate": leyline.GateReset, "CommandKind": leyline.CommandPolicy,
		"SeedOperation": leyline.OpCancel, "BlendMode": leyline.BlendConfidence, "LogitSource": leyline.LogitsPolicy, "SeedFailure": leyline.SeedFailureLogits, "SeedHealth": leyline.SeedCritical, "EmergencyLevel": leyline.EmergencyHalt,
		"Level": leyline.LevelCritical, "Priority": leyline.PriorityCritical, "Subsystem": leyline.SubsystemTrainer,
		"Aggregation": leyline.AggregationAlignedMTL, "AlignedScale": leyline.ScaleRMSE, "DType": leyline.DTypeFloat64, "RuleMode": leyline.RuleEnforce, "Tier": leyline.TierFull,
		"Attribution": leyline.AttributionReported, "Health": leyline.HealthCollapsed, "RollbackPhase": leyline.PhaseConfirm, "Outcome": leyline.OutcomeUnknown,
		"EffectKind": leyline.EffectPolicyFile, "TimerKind": leyline.TimerReport, "PeerKind": leyline.PeerPolicy,
		"EvictReason": leyline.EvictEnded, "RunStatus": leyline.RunStatusHalted, "RejectReason": leyline.RejectPolicyInForce,
		"RiskReason": leyline.RiskUnusable, "RiskEvaluator": leyline.EvaluatorRecovery, "RiskEffect": leyline.EffectConservative, "FaultReason": leyline.FaultOperator,
		"RefusalKind": leyline.RefusalStepConflict, "InputKind": leyline.InputPolicyLoaded,
		"EventKind": leyline.EventStepOvertaken, "Switch": leyline.SwitchOn, "Demand": leyline.DemandAny,
		"MatmulPrecision": leyline.MatmulMedium, "FallbackStage": leyline.FallbackRecompileLimit,
		"BreakerState": leyline.BreakerHalfOpen, "BreakerID": leyline.BreakerMetadata, "BreakerAction": leyline.BreakerForced, "BreakerReason": leyline.BreakerMetadataFailed,
		"MetricKind": leyline.MetricCounter, "NameStatus": leyline.NameReserved, "Stream": leyline.StreamBoth, "TrainingMetric": leyline.TrainCPUUtil, "ScoreKind": leyline.ScoreCoverage, "ReportOutcome": leyline.ReportAborted, "ReportClosure": leyline.ReportByOverflow, "ReportStatus": leyline.ReportGivenUp,
		"EpochReason": leyline.EpochHookBudget, "LRPolicy": leyline.LRStep,
		"EmergencyAction": leyline.EmergencyCleanup, "Ownership": leyline.CountMismatch, "RegistryAction": leyline.RegistryForget, "Fence": leyline.FenceCommand, "RebuildStage": leyline.RebuildLate, "RebuildReason": leyline.RebuildClosed,
		"Party": leyline.PartyPlane, "PauseAction": leyline.PauseEnd, "PauseScope": leyline.PauseRun, "OptimizerAction": leyline.OptimizerScale,
		"BlueprintTier": leyline.BlueprintHighRisk, "HazardBand": leyline.HazardCritical, "HandlingClass": leyline.HandlingQuarantine,
		"ResourceProfile": leyline.ResourceMixed, "Provenance": leyline.ProvenanceExternal, "KernelOrigin": leyline.KernelFromCache,
		"PolicyRule": leyline.TermUnhealthy, "ChoiceSource": leyline.SourceRule, "Feature": leyline.FeatureEdgeLayers, "FeatureGroup": leyline.GroupLayerConnects, "NormKey": leyline.NormBlueprintScore,
		"SheetFault": leyline.SheetContradicted, "BudgetMode": leyline.BudgetsLearned,
		"PolicyFormat": leyline.PolicySafetensors, "PolicyOrigin": leyline.PolicyTrained, "RegistryKind": leyline.RegistryBlueprints,
		"PolicyAction": leyline.PolicyRollback, "PolicyScope": leyline.PolicyOfAll, "PolicyFault": leyline.PolicyFileUnreadable,
		"PolicyKind": leyline.PolicyRandom,
		"Away":       leyline.AwayWait,
	}
}

// TestEnumsAreComplete catches a constant without a name and a name without a
// constant: the last constant of each enum must be the last name.
func TestEnumsAreComplete(t *testing.T) {
	for name, last := range enums() {
		if err := last.Validate(); err != nil {
			t.Errorf("%s: the last constant %s", name, err)
		}
		next := reflect.New(reflect.TypeOf(last)).Elem()
		next.SetUint(reflect.ValueOf(last).Uint() + 1)
		if e := next.Interface().(enum); e.Known() {
			t.Errorf("%s: name %s has no constant", name, e)
		} else if _, err := e.MarshalText(); err == nil {
			t.Errorf("%s: an unknown code was marshalled", name)
		}
	}
}

func TestEnumText(t *testing.T) {
	for name, e := range enums() {
		text, err := e.MarshalText()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back := reflect.New(reflect.TypeOf(e))
		u := back.Interface().(interface{ UnmarshalText([]byte) error })
		if err := u.UnmarshalText(text); err != nil || back.Elem().Interface() != any(e) {
			t.Errorf("%s: %q came back as %v, %v", name, text, back.Elem(), err)
		}
		if err := u.UnmarshalText([]byte("nonsense")); err == nil || !strings.Contains(err.Error(), string(text)) {
			t.Errorf("%s: the error for an unknown name does not list the known ones: %v", name, err)
		}
	}
	if err := leyline.StageUnknown.Validate(); err == nil {
		t.Error("the unset zero was accepted")
	}
}

// TestSpecNames pins names and codes that are interface (SPEC.md 1.1).
func TestSpecNames(t *testing.T) {
	for code, name := range []string{
		"UNKNOWN", "DORMANT", "GERMINATED", "TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY", "FOSSILIZED", "CULLED",
		"EMBARGOED", "RESETTING", "TERMINATED",
	} {
		if got := leyline.Stage(code).String(); got != name {
			t.Errorf("stage %d is %s, want %s", code, got, name)
		}
	}
	if leyline.GateInterface.String() != "G3_INTERFACE" || leyline.OpCull != 8 || leyline.EmergencyHalt != 4 {
		t.Error("an enum left its specification")
	}
}

func TestConfigReportsEveryMistakeAtOnce(t *testing.T) {
	if err := leyline.DefaultConfig().Validate(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	c := leyline.DefaultConfig()
	c.Tolaria.EWMAAlpha, c.Tolaria.SnapshotKeep = 1.5, 1
	c.Tamiyo.LossMode = 0
	c.Kasmina.Skew = c.Kasmina.Freshness
	c.Plane.Workers = 0
	var bad *leyline.ConfigError
	if err := c.Validate(); !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	want := []string{"tolaria.ewma_alpha", "tolaria.snapshot_keep", "tamiyo.loss_mode", "kasmina.skew_ms", "plane.workers"}
	for i, p := range bad.Problems {
		if i >= len(want) || p.Key != want[i] || p.Fix == "" {
			t.Errorf("problem %d is %+v", i, p)
		}
	}
	if len(bad.Problems) != len(want) {
		t.Errorf("%d problems, want %d:\n%v", len(bad.Problems), len(want), bad)
	}
}

// TestConfigFieldsAreDocumented keeps every setting explained where it is
// written.
func TestConfigFieldsAreDocumented(t *testing.T) {
	root := reflect.TypeFor[leyline.ExecutionConfig]()
	for i := range root.NumField() {
		section := root.Field(i)
		for j := range section.Type.NumField() {
			f := section.Type.Field(j)
			if f.Tag.Get("toml") == "" || len(f.Tag.Get("comment")) < 10 {
				t.Errorf("%s.%s has no key or no comment", section.Name, f.Name)
			}
		}
	}
}

func TestRefusalNamesFieldAndFix(t *testing.T) {
	err := leyline.StepObserved{Run: "run-1", Incarnation: 1}.Validate()
	r, ok := leyline.AsRefusal(err)
	if !ok || r.Field != "step" || r.Kind != leyline.RefusalMissingField || r.Hint == "" {
		t.Errorf("got %#v", err)
	}
	if s := r.Error(); !strings.Contains(s, "step") || strings.Contains(s, "\n") {
		t.Errorf("said as %q", s)
	}
}

func TestTextForms(t *testing.T) {
	id := leyline.EffectID{Seq: 12, Index: 3}
	for _, bad := range []string{"", "12", "12.3x", "012.3", "-1.2", "12.99999999"} {
		if err := new(leyline.EffectID).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("effect id %q was accepted", bad)
		}
	}
	doc, err := json.Marshal(map[string]any{"id": id, "stage": leyline.StageBlending, "d": leyline.Digest{1}})
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		ID    leyline.EffectID
		Stage leyline.Stage
		D     leyline.Digest
	}
	if err := json.Unmarshal(doc, &back); err != nil || back.ID != id || back.Stage != leyline.StageBlending || back.D[0] != 1 {
		t.Errorf("%s came back as %+v, %v", doc, back, err)
	}
}
