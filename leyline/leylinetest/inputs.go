package leylinetest

import (
	"strings"

	"github.com/esper-plane/esper/leyline"
)

const (
	envelope  = "payload_type payload key_id signature"
	blueprint = "blueprint kernel digest bytes risk? quarantine? tier stage? framework? mesh mesh[0] parameters? parameters[0].name parameters[0].min? parameters[0].max" +
		" guard hazard.score? hazard.band hazard.handling hazard.resource hazard.provenance hazard.recommendation?" +
		" hazard.mitigations? hazard.mitigations[0].action hazard.mitigations[0].rationale description?"
	prewarmed = " prewarm.samples? prewarm.p50_ns? prewarm.p95_ns?"
	posture   = " posture.version posture.device posture.compile? posture.compile_mode? posture.inference? posture.matmul? posture.tf32?" +
		" posture.cudnn.benchmark? posture.cudnn.deterministic? posture.cudnn.tf32? posture.weights_only?" + extras
	extras  = " posture.amp? posture.foreach? posture.pin_memory?"
	planned = " tasks tasks[0] chance? seeds? seeds[0] layers? layers[0] blueprints? blueprints[0]" +
		" parameters seed? steps lockstep? drills? drills[0].name drills[0].step damaged? damaged[0].snapshot damaged[0].tier task_weights? owners? owners[0]?" +
		" optimizer? groups? groups[0].name groups[0].rate? groups[0].parameters?" +
		" host_parameters? host_parameters[0].name host_parameters[0].size" +
		" lag? away away_seconds? ranks? principal"
	acks = " acks? acks[0].order acks[0].kind acks[0].outcome acks[0].reason? acks[0].took_ns?" +
		" acks[0].before.groups? acks[0].before.parameters? acks[0].before.digest? acks[0].after.groups? acks[0].after.parameters? acks[0].after.digest?"
	plan     = "run resume? workload framework" + posture + planned
	metadata = " metadata.policy metadata.reason metadata.conservative? metadata.asked? metadata.scores? metadata.scores[0].kind" +
		" metadata.scores[0].value? metadata.coverage? metadata.coverage[0].group metadata.coverage[0].ratio? metadata.version? metadata.digest? metadata.blend? metadata.risk_index?"
	blend = "blend.mode? blend.total_steps? blend.temperature? blend.channels? blend.channel_count?" +
		" blend.gate.k? blend.gate.tau? blend.gate.lo? blend.gate.hi? blend.source? blend.logits?"
	teacher    = "id parameters parameters[0].name parameters[0].size bytes digest"
	parameters = " parameters? parameters[0].name? parameters[0].value?"
)

// Inputs returns the cases of every kind of input, in the order of kinds.
func Inputs() []Case[leyline.Input] {
	return append([]Case[leyline.Input]{
		input("", "boot origin previous? admin_key"+
			within("build", "version? go? os? arch? amd64? tags? modules? modules[0]?")+
			" decider clean? torn_bytes? signal? signal_text? signal_problem? fast_free? catalogue?",
			func(x *leyline.PlaneStarted) { x.AdminKey = key() }),
		input("", within("envelope", envelope), func(x *leyline.ConfigApplied) { x.Envelope.PayloadType = leyline.PayloadConfig }),
		input("", within("envelope", envelope), func(x *leyline.KeyAdded) { x.Envelope.PayloadType = leyline.PayloadKey }),
		input[leyline.BlueprintRegistered]("", blueprint, nil),
		input[leyline.BlueprintWithdrawn]("", "blueprint reason", nil),
		input[leyline.PlaneStopping]("", "boot", nil),
		input[leyline.CacheCleared]("", "run effect kernels? bytes? kept? took_ns?", nil),
		input("", plan, waits),
		input("of torch", "run resume? workload framework"+strings.ReplaceAll(strings.TrimSuffix(posture, extras), "?", "")+extras+planned,
			func(x *leyline.RunOpened) {
				x.Framework, x.Posture.Compile = leyline.FrameworkTorch, leyline.SwitchOn
				waits(x)
			}),
		input("that went well", "run incarnation step? outcome digest reason?"+acks, func(x *leyline.RunClosed) { ofRates(x.Acks) }),
		input("that failed", "run incarnation step? outcome digest? reason?"+acks,
			func(x *leyline.RunClosed) {
				x.Outcome = leyline.OutcomeFailed
				ofRates(x.Acks)
			}),
		input("", "run incarnation step losses gram seed? samples microbatches? learn_rate? seeds?"+
			within("seeds[0]", "seed alpha? grad_norm? host_norm? cosine? leak? loss? parameters? attributed? layers? layers[0].layer layers[0].norm? blend.mode blend.source? blend.mean? blend.p95? blend.sparsity? blend.gate_mean? blend.clamped? failure? why? cosine_samples? stage")+" forward_ns? previous_ns? metrics.readings? metrics.readings[0].metric metrics.readings[0].value? metrics.extra? metrics.extra[0].name metrics.extra[0].value?"+
			within(" solution", "method? option? weights? evidence? iterations? problem?")+acks+" applied? barrier_ns?",
			func(x *leyline.StepObserved) {
				x.Gram = []float64{1, 0.5, 0.5, 1}
				for i := range x.Seeds {
					x.Seeds[i].Failure = leyline.SeedFailureNone
				}
				ofRates(x.Acks)
				x.Metrics.Readings, x.Metrics.Extra = x.Metrics.Readings[:1], x.Metrics.Extra[:1] // two would not be ascending
			}),
		input[leyline.EpochObserved]("", "run incarnation step? epoch losses accuracies samples took_ns? hook_ns?", nil),
		input[leyline.CommandReceived]("", within("envelope", "payload_type? payload? key_id? signature?")+" peer peer_name? cause? verify_ns?",
			nil),
		input[leyline.CommandAcked]("", "run incarnation command outcome reason? took_ns? parameters? parameters[0].name parameters[0].size", nil),
		input[leyline.KernelReady]("", "request run seed digest bytes? took_ns? guard? origin wait_ns?"+prewarmed, nil),
		input("", "request run seed outcome reason took_ns? kind?", func(x *leyline.KernelFailed) { x.Outcome = leyline.OutcomeFailed }),
		input("that was verified", "run incarnation step? snapshot tier file bytes digest measured check? problem? unwritten? write_ns? verify_ns?",
			func(x *leyline.SnapshotTaken) { x.Problem = "" }),
		input[leyline.SnapshotTaken]("with a problem", "run incarnation step? snapshot tier file bytes digest measured? check? problem? unwritten? write_ns? verify_ns?", nil),
		input[leyline.RollbackReported]("that went well", "run incarnation rollback phase tier outcome digest? check? bytes? reason? took_ns?", nil),
		input("that failed", "run incarnation rollback phase tier outcome digest? check? bytes? reason took_ns?",
			func(x *leyline.RollbackReported) { x.Outcome = leyline.OutcomeFailed }),
		input[leyline.TimerFired]("", "timer run subject due", nil),
		input[leyline.EmergencyDelivered]("", "run effect level took_ns?", nil),
		input("", "run effect level outcome reason took_ns?", func(x *leyline.EmergencyUndelivered) { x.Outcome = leyline.OutcomeFailed }),
		input[leyline.SeedProbed]("", "run incarnation step seed alpha? losses accuracies losses_at_0 accuracy_at_0 samples took_ns?", nil),
		input[leyline.PolicyAnswered]("with a proposal", "request run"+
			within("command", "operation? seed blueprint? mesh? mesh[0]? reason? "+blend+parameters)+" reason? why? took_ns?"+identity+within("output", answer), func(x *leyline.PolicyAnswered) { brief(x.Output.Candidates) }),
		input("with nothing", "request run"+
			within("command", "operation? seed? blueprint? mesh? mesh[0]? reason? "+blend+parameters)+" reason why? took_ns?"+identity+within("output", answer),
			func(x *leyline.PolicyAnswered) {
				brief(x.Output.Candidates)
				x.Command.Operation = leyline.OpUnknown
			}),
		input("", "request run outcome reason took_ns?", func(x *leyline.PolicyFailed) { x.Outcome = leyline.OutcomeFailed }),
		input("", "free? total", func(x *leyline.DiskMeasured) { x.Free = 1 }),
		input[leyline.CompileFallback]("", "run incarnation step? seed? stage reason", nil),
		input("that was written", "run incarnation first last file bytes outcome reason? took_ns?",
			func(x *leyline.ProfileReported) { x.Outcome = leyline.OutcomeOK }),
		input("that could not be written", "run incarnation first last file? bytes? outcome reason took_ns?",
			func(x *leyline.ProfileReported) { x.Outcome = leyline.OutcomeFailed }),
		input[leyline.SnapshotLost]("", "run snapshot? tier file bytes? problem", nil),
	}, append(append(append(append(verificationInputs(), reportInputs()...), metadataInputs()...), artifactInputs()...),
		input("", "run"+within("teacher", teacher)+" peer peer_name?",
			func(x *leyline.TeacherRegistered) { x.Teacher.Parameters = x.Teacher.Parameters[:1] }),
		input[leyline.TeacherDeregistered]("", "run teacher peer peer_name?", nil),
	)...)
}

// waits makes a plan that of a pipelined trainer which waits for the plane.
func waits(x *leyline.RunOpened) { x.Lag, x.Away = 4, leyline.AwayWait }

// ofRates makes acknowledgements those of orders to set learning rates.
func ofRates(acks []leyline.OrderAck) {
	for i := range acks {
		acks[i].Kind = leyline.EffectRates
	}
}

// key has the length of a public key.
func key() []byte { return []byte("0123456789abcdef0123456789abcdef") }
