package plane_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/sheetstore"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// shelf is a catalogue in this process.
type shelf func(ctx context.Context, id leyline.BlueprintID) (leyline.Envelope, error)

func (s shelf) Sheet(ctx context.Context, id leyline.BlueprintID) (leyline.Envelope, error) {
	return s(ctx, id)
}
func (s shelf) String() string { return "shelf" }

// sheet signs what is known of a shipped blueprint.
func (b *bench) sheet(id leyline.BlueprintID, risk float64) leyline.Envelope {
	b.t.Helper()
	record, err := workload.Shipped(workload.Blueprint{ID: string(id), Risk: 0.1})
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := wire.EncodeSheet(leyline.SafetySheet{
		Blueprint: id, Kernel: record.Digest, Serial: 1, IssuedAt: 1, Tier: record.Tier, Risk: risk, Hazard: record.Hazard,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.admin.Sign(leyline.PayloadSheet, body)
}

// trained trains a run of some steps and returns its log, which is decided again.
func (b *bench) trained(steps leyline.Step) []leyline.Record {
	b.t.Helper()
	log := b.newLog()
	p, err := b.start(b.t.(*testing.T).Context(), log)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.train(context.Background(), p, steps); err != nil {
		b.t.Fatal(err)
	}
	if err := p.Shutdown(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	mustRedecide(b.t, log)
	return records(b.t, log)
}

// TestSheetsAreLookedUpOnTheWorker: a real run waits for the sheet of what it would
// germinate, in lockstep, and germinates in the step that asked.
func TestSheetsAreLookedUpOnTheWorker(t *testing.T) {
	b := newBench(t)
	b.config.Tamiyo.MetadataBudget = 10_000
	var asked atomic.Int32
	b.sheets = shelf(func(_ context.Context, id leyline.BlueprintID) (leyline.Envelope, error) {
		asked.Add(1)
		return b.sheet(id, 0.2), nil
	})
	rs := b.trained(12)
	if booted := only[leyline.PlaneBooted](rs); booted[0].Catalogue != "shelf" {
		t.Errorf("booted %+v", booted[0])
	}
	got, want := only[leyline.MetadataSettled](rs), only[leyline.MetadataAsked](rs)
	if len(got) != 1 || len(want) != 1 || asked.Load() != 1 || got[0].Facts.Risk != 0.2 || got[0].TookNs == 0 {
		t.Fatalf("asked %d times: %+v, settled %+v", asked.Load(), want, got)
	}
	proposed := only[leyline.CommandProposed](rs)
	if len(proposed) == 0 || proposed[0].Seed.Operation != leyline.OpGerminate || proposed[0].Step != want[0].Step {
		t.Errorf("proposed %+v", proposed)
	}
}

// TestSheetsThatCannotBeHad: whatever a catalogue does instead of giving a sheet, it is
// told for what it is, and nothing is germinated.
func TestSheetsThatCannotBeHad(t *testing.T) {
	for name, x := range map[string]struct {
		give  shelf
		fault leyline.SheetFault
		why   leyline.RiskReason
	}{
		"slow": {func(ctx context.Context, _ leyline.BlueprintID) (leyline.Envelope, error) {
			<-ctx.Done()
			return leyline.Envelope{}, ctx.Err()
		}, leyline.SheetTimeout, leyline.RiskMetadataTimeout},
		"missing": {func(context.Context, leyline.BlueprintID) (leyline.Envelope, error) {
			return leyline.Envelope{}, fmt.Errorf("no such sheet: %w", fs.ErrNotExist)
		}, leyline.SheetMissing, leyline.RiskMetadataFailed},
		"malformed": {func(context.Context, leyline.BlueprintID) (leyline.Envelope, error) {
			return leyline.Envelope{}, &sheetstore.Error{Fault: leyline.SheetMalformed, File: "x", Err: errors.New("torn")}
		}, leyline.SheetMalformed, leyline.RiskMetadataFailed},
		"down": {func(context.Context, leyline.BlueprintID) (leyline.Envelope, error) {
			return leyline.Envelope{}, errors.New("connection refused")
		}, leyline.SheetUnavailable, leyline.RiskMetadataFailed},
		"too large to record": {func(context.Context, leyline.BlueprintID) (leyline.Envelope, error) {
			return leyline.Envelope{Payload: make([]byte, leyline.MaxCommandBytes+1)}, nil
		}, leyline.SheetMalformed, leyline.RiskMetadataFailed},
		"empty": {func(context.Context, leyline.BlueprintID) (leyline.Envelope, error) { return leyline.Envelope{}, nil }, leyline.SheetMalformed, leyline.RiskMetadataFailed},
	} {
		b := newBench(t)
		b.sheets = x.give
		rs := b.trained(12)
		missed, none := only[leyline.MetadataMissed](rs), only[leyline.ActionNone](rs)
		if len(missed) != 3 || missed[0].Fault != x.fault || missed[0].Reason == "" || none[0].Reason != x.why {
			t.Errorf("%s: missed %+v, nothing is done for %+v", name, missed, none)
		}
		if last := none[len(none)-1]; last.Reason != leyline.RiskMetadataBreaker {
			t.Errorf("%s: after three of them nothing is done for %s", name, last.Reason)
		}
		if n := len(only[leyline.CommandProposed](rs)); n != 0 {
			t.Errorf("%s: %d proposals", name, n)
		}
	}
}

// TestLateAnswerIsRecorded: a policy that answers although its deadline has passed is
// told as late, and nothing follows.
func TestLateAnswerIsRecorded(t *testing.T) {
	b := newBench(t)
	b.config.Tamiyo.PolicyInline, b.config.Tamiyo.PolicyBudget = false, 100
	var asked atomic.Int32
	b.policy = func(ctx context.Context, q policy.Question) (policy.Choice, error) {
		if asked.Add(1) == 2 {
			<-ctx.Done() // and answers all the same
		}
		return policy.Next(q), nil
	}
	rs := b.trained(20)
	missed, late := only[leyline.PolicyMissed](rs), only[leyline.AnswerLate](rs)
	if len(missed) != 1 || len(late) != 1 || late[0].Request != missed[0].Request || late[0].Effect != leyline.EffectPolicy || late[0].Outcome != leyline.OutcomeOK {
		t.Errorf("missed %+v, late %+v", missed, late)
	}
	if n := len(only[leyline.DependencyViolated](rs)); n != 0 {
		t.Errorf("%d refusals", n)
	}
}
