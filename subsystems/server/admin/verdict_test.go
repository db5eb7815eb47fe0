package admin

import (
	"net/http"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestEveryReasonHasAStatus says for each reason whose turn it is. What is not in the
// table depends on the state of the run: 409.
func TestEveryReasonHasAStatus(t *testing.T) {
	want := map[string]int{
		"too_large": http.StatusRequestEntityTooLarge,
		"malformed": http.StatusBadRequest, "missing_command_id": http.StatusBadRequest, "missing_timestamp": http.StatusBadRequest,
		"unknown_key": http.StatusForbidden, "key_revoked": http.StatusForbidden, "missing_signature": http.StatusForbidden,
		"invalid_signature": http.StatusForbidden, "not_permitted": http.StatusForbidden, "operator_only": http.StatusForbidden,
		"wrong_audience": http.StatusUnprocessableEntity, "issued_in_future": http.StatusUnprocessableEntity, "stale_command": http.StatusUnprocessableEntity,
		"unsupported_kind": http.StatusUnprocessableEntity, "unsupported_operation": http.StatusUnprocessableEntity,
		"missing_mesh": http.StatusUnprocessableEntity, "unknown_blend_mode": http.StatusUnprocessableEntity,
		"invalid_blend_plan": http.StatusUnprocessableEntity, "confidence_gate_missing_logits": http.StatusUnprocessableEntity,
		"parameter_out_of_bounds": http.StatusUnprocessableEntity, "breaker_command_invalid": http.StatusUnprocessableEntity,
		"rates_undeclared": http.StatusUnprocessableEntity, "pruning_not_offered": http.StatusUnprocessableEntity,
		"replay_ledger_full": http.StatusServiceUnavailable, "nonce_quota_full": http.StatusServiceUnavailable,
		"rate_limited": http.StatusTooManyRequests,
		"unknown_run":  http.StatusNotFound, "unknown_seed": http.StatusNotFound, "unknown_blueprint": http.StatusNotFound, "unknown_teacher": http.StatusNotFound,
		"policy_unknown": http.StatusNotFound, "policy_architecture": http.StatusUnprocessableEntity, "policy_registry_mismatch": http.StatusUnprocessableEntity,
	}
	for _, r := range leyline.RejectNone.Members() {
		status, hint := statusOf(r)
		if w, told := want[r.String()]; told && status != w || !told && status != http.StatusConflict {
			t.Errorf("%s is a %d (%s)", r, status, hint)
		}
		delete(want, r.String())
	}
	if len(want) > 0 {
		t.Errorf("no such reasons: %v", want)
	}
}
