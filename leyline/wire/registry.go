package wire

import (
	"reflect"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// stored is one version of one kind. I is leyline.Input or leyline.Event.
type stored[I any] struct {
	typ    reflect.Type
	codec  codec
	decode func(*decoder) (I, *DecodeError) // a value, never a pointer
}

// store registers T, which implements I.
func store[T, I any]() stored[I] {
	t := reflect.TypeFor[T]()
	c := mustCodec(t)
	fresh := sync.Pool{New: func() any { return new(T) }}
	return stored[I]{typ: t, codec: c, decode: func(d *decoder) (I, *DecodeError) {
		p := fresh.Get().(*T)
		err := c.decode(d, reflect.ValueOf(p).Elem())
		v := any(*p).(I)
		*p = *new(T)
		fresh.Put(p)
		return v, err
	}}
}

// former registers Old, a stored version that is not written any more. up says
// in terms of New, the present version, what Old said; what Old could not say
// stays unset and is never made up, so the result is not judged by the rules of
// New. An Old that lacks what its own version demanded is up's to refuse.
func former[Old, New, I any](up func(Old) (New, error)) stored[I] {
	old := store[Old, any]()
	return stored[I]{typ: old.typ, codec: old.codec, decode: func(d *decoder) (I, *DecodeError) {
		var none I
		start := d.off
		v, err := old.decode(d)
		if err != nil {
			return none, err
		}
		now, bad := up(v.(Old))
		if bad != nil {
			return none, refuse(start, "is no valid value of its version: %v", bad)
		}
		return any(now).(I), nil
	}}
}

// firstVersion numbers the first entry of every kind's list.
const firstVersion = 1

func input[T leyline.Input]() stored[leyline.Input] { return store[T, leyline.Input]() }
func event[T leyline.Event]() stored[leyline.Event] { return store[T, leyline.Event]() }

// inputs lists the versions of every kind of input, from firstVersion on; the
// last is written.
var inputs = [...][]stored[leyline.Input]{
	leyline.InputPlaneStarted:         {input[leyline.PlaneStarted]()},
	leyline.InputConfigApplied:        {input[leyline.ConfigApplied]()},
	leyline.InputKeyAdded:             {input[leyline.KeyAdded]()},
	leyline.InputBlueprintRegistered:  {input[leyline.BlueprintRegistered]()},
	leyline.InputRunOpened:            {input[leyline.RunOpened]()},
	leyline.InputRunClosed:            {input[leyline.RunClosed]()},
	leyline.InputStepObserved:         {input[leyline.StepObserved]()},
	leyline.InputEpochObserved:        {input[leyline.EpochObserved]()},
	leyline.InputCommandReceived:      {input[leyline.CommandReceived]()},
	leyline.InputCommandAcked:         {input[leyline.CommandAcked]()},
	leyline.InputKernelReady:          {input[leyline.KernelReady]()},
	leyline.InputKernelFailed:         {input[leyline.KernelFailed]()},
	leyline.InputSnapshotTaken:        {input[leyline.SnapshotTaken]()},
	leyline.InputRollbackReported:     {input[leyline.RollbackReported]()},
	leyline.InputTimerFired:           {input[leyline.TimerFired]()},
	leyline.InputEmergencyDelivered:   {input[leyline.EmergencyDelivered]()},
	leyline.InputEmergencyUndelivered: {input[leyline.EmergencyUndelivered]()},
	leyline.InputSeedProbed:           {input[leyline.SeedProbed]()},
	leyline.InputPolicyAnswered:       {input[leyline.PolicyAnswered]()},
	leyline.InputPolicyFailed:         {input[leyline.PolicyFailed]()},
	leyline.InputSnapshotLost:         {input[leyline.SnapshotLost]()},
	leyline.InputDiskMeasured:         {input[leyline.DiskMeasured]()},
	leyline.InputCompileFallback:      {input[leyline.CompileFallback]()},
	leyline.InputProfileReported:      {input[leyline.ProfileReported]()},
	leyline.InputKeyRevoked:           {input[leyline.KeyRevoked]()},
	leyline.InputPeerRejected:         {input[leyline.PeerRejected]()},
	leyline.InputClockStepped:         {input[leyline.ClockStepped]()},
	leyline.InputTeacherRegistered:    {input[leyline.TeacherRegistered]()},
	leyline.InputTeacherDeregistered:  {input[leyline.TeacherDeregistered]()},
	leyline.InputBlueprintWithdrawn:   {input[leyline.BlueprintWithdrawn]()},
	leyline.InputPlaneStopping:        {input[leyline.PlaneStopping]()},
	leyline.InputCacheCleared:         {input[leyline.CacheCleared]()},
	leyline.InputReportDelivered:      {input[leyline.ReportDelivered]()},
	leyline.InputReportFailed:         {input[leyline.ReportFailed]()},
	leyline.InputMetadataAnswered:     {input[leyline.MetadataAnswered]()},
	leyline.InputMetadataFailed:       {input[leyline.MetadataFailed]()},
	leyline.InputPolicyImported:       {input[leyline.PolicyImported]()},
	leyline.InputPolicyLoaded:         {input[leyline.PolicyLoaded]()},
}

// events lists the versions of every kind of event, from firstVersion on; the
// last is written.
var events = [...][]stored[leyline.Event]{
	leyline.EventDependencyViolated:   {event[leyline.DependencyViolated]()},
	leyline.EventPlaneBooted:          {event[leyline.PlaneBooted]()},
	leyline.EventEffectRecovered:      {event[leyline.EffectRecovered]()},
	leyline.EventConfigAdopted:        {event[leyline.ConfigAdopted]()},
	leyline.EventKeyEnrolled:          {event[leyline.KeyEnrolled]()},
	leyline.EventBlueprintAdmitted:    {event[leyline.BlueprintAdmitted]()},
	leyline.EventRunStarted:           {event[leyline.RunStarted]()},
	leyline.EventRunResumed:           {event[leyline.RunResumed]()},
	leyline.EventRunEnded:             {event[leyline.RunEnded]()},
	leyline.EventRunHalted:            {event[leyline.RunHalted]()},
	leyline.EventGradientsCombined:    {event[leyline.GradientsCombined]()},
	leyline.EventTrainingAssessed:     {event[leyline.TrainingAssessed]()},
	leyline.EventEpochAssessed:        {event[leyline.EpochAssessed]()},
	leyline.EventConservativeEntered:  {event[leyline.ConservativeEntered]()},
	leyline.EventConservativeLeft:     {event[leyline.ConservativeLeft]()},
	leyline.EventRiskAssessed:         {event[leyline.RiskAssessed]()},
	leyline.EventActionNone:           {event[leyline.ActionNone]()},
	leyline.EventCommandProposed:      {event[leyline.CommandProposed]()},
	leyline.EventCommandVerified:      {event[leyline.CommandVerified]()},
	leyline.EventCommandRejected:      {event[leyline.CommandRejected]()},
	leyline.EventCommandSettled:       {event[leyline.CommandSettled]()},
	leyline.EventCommandExpired:       {event[leyline.CommandExpired]()},
	leyline.EventGateEvaluated:        {event[leyline.GateEvaluated]()},
	leyline.EventSeedMoved:            {event[leyline.SeedMoved]()},
	leyline.EventBlendConfigured:      {event[leyline.BlendConfigured]()},
	leyline.EventBlendStepped:         {event[leyline.BlendStepped]()},
	leyline.EventIsolationAssessed:    {event[leyline.IsolationAssessed]()},
	leyline.EventPrefetchRequested:    {event[leyline.PrefetchRequested]()},
	leyline.EventPrefetchSettled:      {event[leyline.PrefetchSettled]()},
	leyline.EventSnapshotRegistered:   {event[leyline.SnapshotRegistered]()},
	leyline.EventSnapshotRefused:      {event[leyline.SnapshotRefused]()},
	leyline.EventSnapshotEvicted:      {event[leyline.SnapshotEvicted]()},
	leyline.EventRollbackStarted:      {event[leyline.RollbackStarted]()},
	leyline.EventRollbackAdvanced:     {event[leyline.RollbackAdvanced]()},
	leyline.EventRollbackFinished:     {event[leyline.RollbackFinished]()},
	leyline.EventEmergencyEscalated:   {event[leyline.EmergencyEscalated]()},
	leyline.EventEmergencyCleared:     {event[leyline.EmergencyCleared]()},
	leyline.EventEmergencyPublished:   {event[leyline.EmergencyPublished]()},
	leyline.EventContributionMeasured: {event[leyline.ContributionMeasured]()},
	leyline.EventPolicyAsked:          {event[leyline.PolicyAsked]()},
	leyline.EventPolicyMissed:         {event[leyline.PolicyMissed]()},
	leyline.EventTrainerStalled:       {event[leyline.TrainerStalled]()},
	leyline.EventTrainerReturned:      {event[leyline.TrainerReturned]()},
	leyline.EventDiskLow:              {event[leyline.DiskLow]()},
	leyline.EventDiskRecovered:        {event[leyline.DiskRecovered]()},
	leyline.EventCompileFellBack:      {event[leyline.CompileFellBack]()},
	leyline.EventBreakerMoved:         {event[leyline.BreakerMoved]()},
	leyline.EventProfileRecorded:      {event[leyline.ProfileRecorded]()},
	leyline.EventEpochFailed:          {event[leyline.EpochFailed]()},
	leyline.EventRateSet:              {event[leyline.RateSet]()},
	leyline.EventRateAcked:            {event[leyline.RateAcked]()},
	leyline.EventOptimizerRebuild:     {event[leyline.OptimizerRebuild]()},
	leyline.EventEmergencyDispatched:  {event[leyline.EmergencyDispatched]()},
	leyline.EventEmergencyHeld:        {event[leyline.EmergencyHeld]()},
	leyline.EventSeedFailed:           {event[leyline.SeedFailed]()},
	leyline.EventKeyWithdrawn:         {event[leyline.KeyWithdrawn]()},
	leyline.EventCommandsRefused:      {event[leyline.CommandsRefused]()},
	leyline.EventClockAlarmed:         {event[leyline.ClockAlarmed]()},
	leyline.EventParametersRegistered: {event[leyline.ParametersRegistered]()},
	leyline.EventRegistryConflicted:   {event[leyline.RegistryConflicted]()},
	leyline.EventTeacherEnrolled:      {event[leyline.TeacherEnrolled]()},
	leyline.EventTeacherForgotten:     {event[leyline.TeacherForgotten]()},
	leyline.EventRegistryReset:        {event[leyline.RegistryReset]()},
	leyline.EventBlueprintRetired:     {event[leyline.BlueprintRetired]()},
	leyline.EventPrefetchLate:         {event[leyline.PrefetchLate]()},
	leyline.EventPrefetchesCancelled:  {event[leyline.PrefetchesCancelled]()},
	leyline.EventEmergencyCleaned:     {event[leyline.EmergencyCleaned]()},
	leyline.EventSeedPaused:           {event[leyline.SeedPaused]()},
	leyline.EventSeedResumed:          {event[leyline.SeedResumed]()},
	leyline.EventRatesScaled:          {event[leyline.RatesScaled]()},
	leyline.EventPolicyWeighed:        {event[leyline.PolicyWeighed]()},
	leyline.EventFieldReportOpened:    {event[leyline.FieldReportOpened]()},
	leyline.EventFieldReportFiled:     {event[leyline.FieldReportFiled]()},
	leyline.EventFieldReportDelivered: {event[leyline.FieldReportDelivered]()},
	leyline.EventFieldReportDeferred:  {event[leyline.FieldReportDeferred]()},
	leyline.EventFieldReportRetried:   {event[leyline.FieldReportRetried]()},
	leyline.EventFieldReportDropped:   {event[leyline.FieldReportDropped]()},

	leyline.EventMetadataAsked:         {event[leyline.MetadataAsked]()},
	leyline.EventMetadataSettled:       {event[leyline.MetadataSettled]()},
	leyline.EventMetadataMissed:        {event[leyline.MetadataMissed]()},
	leyline.EventPolicyRefused:         {event[leyline.PolicyRefused]()},
	leyline.EventAnswerLate:            {event[leyline.AnswerLate]()},
	leyline.EventConservativeRefreshed: {event[leyline.ConservativeRefreshed]()},
	leyline.EventBudgetLearned:         {event[leyline.BudgetLearned]()},
	leyline.EventWindowEnded:           {event[leyline.WindowEnded]()},
	leyline.EventFieldReportMeasured:   {event[leyline.FieldReportMeasured]()},
	leyline.EventPolicyAdmitted:        {event[leyline.PolicyAdmitted]()},
	leyline.EventPolicyRequested:       {event[leyline.PolicyRequested]()},
	leyline.EventPolicyActivated:       {event[leyline.PolicyActivated]()},
	leyline.EventPolicyReverted:        {event[leyline.PolicyReverted]()},
	leyline.EventPolicyConfirmed:       {event[leyline.PolicyConfirmed]()},
	leyline.EventPolicyRejected:        {event[leyline.PolicyRejected]()},
	leyline.EventWeightsMismatched:     {event[leyline.WeightsMismatched]()},
	leyline.EventStepOvertaken:         {event[leyline.StepOvertaken]()},
}
