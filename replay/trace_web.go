package replay

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// relation is how one record leads to a later one, in the words of both.
type relation struct {
	back  string // what the earlier record did for the later
	forth string // what the later record is to the earlier
}

// The relations between records.
var (
	proposal     = relation{"proposed this command", "decides on the proposal"}
	verdict      = relation{"accepted the command", "closes the command"}
	kernel       = relation{"asked for the kernel", "ends the prefetch"}
	question     = relation{"asked the policy", "brings its answer"}
	giveup       = relation{"asked the policy", "gives the question up"}
	lookup       = relation{"looked the safety sheet up", "brings it"}
	lost         = relation{"looked the safety sheet up", "does without it"}
	worry        = relation{"entered conservative mode", "has one more reason for it"}
	returning    = relation{"registered the snapshot to return to", "returns to the snapshot"}
	phase        = relation{"began this phase of the rollback", "ends this phase of the rollback"}
	recovery     = relation{"ended the rollback", "is the first healthy step after it"}
	anomaly      = relation{"was the anomalous step before this one", "is the next anomalous step"}
	silence      = relation{"was the last step before the silence", "finds the trainer silent"}
	hearing      = relation{"found the trainer silent", "hears of the trainer again"}
	caution      = relation{"entered conservative mode", "leaves conservative mode"}
	easing       = relation{"raised the emergency level", "lowers the emergency level"}
	signal       = relation{"changed the level that is published", "publishes the level"}
	probe        = relation{"asked for this probe", "measures the seed"}
	worth        = relation{"measured what the seed adds", "judges the seed by it"}
	embargo      = relation{"closed the slot", "opens the slot again"}
	interruption = relation{"was under way when the process stopped", "says what became of it"}
	restart      = relation{"started this process", "resumes a run"}
	shortage     = relation{"found the disk nearly full", "is refused for it"}
	space        = relation{"found the disk nearly full", "finds room again"}
	lapse        = relation{"was the failed epoch before this one", "is the next failed epoch"}
	again        = relation{"put the level back into the queue", "tries to publish it again"}
	rebuild      = relation{"asked for this rebuild", "closes the order"}
	rates        = relation{"ordered these learning rates", "closes the order"}
	observation  = relation{"put the command in force that is reported on", "reports on the command"}
	delivery     = relation{"handed the report over", "says what became of it"}
)

// ref is a cause of a record.
type ref struct {
	relation
	id leyline.EffectID // the event that is the cause
	by int              // the event that shows it; -1: the input does
}

// thing is what one record opens and a later one refers to.
type thing struct {
	what string
	run  leyline.RunID
	id   string
}

// web knows the causes of every record that it was told of, in order.
type web struct {
	opened map[thing]leyline.EffectID
	refs   map[leyline.Seq][]ref // nothing for records without a cause
}

// newWeb begins with what is open in the state before the first record.
func newWeb(start *projections.State) *web {
	w := &web{opened: map[thing]leyline.EffectID{}, refs: map[leyline.Seq][]ref{}}
	if start == nil {
		return w
	}
	for _, p := range start.Kasmina.Pending {
		w.opened[thing{"command", "", string(p.Command)}] = p.Effect
	}
	for i := range start.Tolaria.Runs {
		if r := &start.Tolaria.Runs[i]; r.Rollback.Active() {
			w.opened[thing{"rollback", r.ID, string(r.Rollback.ID)}] = r.Rollback.Effect
		}
	}
	return w
}

func (w *web) add(r leyline.Record) {
	if refs := w.causes(r); len(refs) > 0 {
		w.refs[r.Seq] = refs
	}
	for i, e := range r.Events {
		for _, t := range opens(e) {
			w.opened[t] = leyline.EffectID{Seq: r.Seq, Index: uint16(i)}
		}
	}
}

// causes lists the earlier records that r refers to, each once.
func (w *web) causes(r leyline.Record) []ref {
	var out []ref
	take := func(rel relation, id leyline.EffectID, by int) {
		if id.Seq == 0 || id.Seq >= r.Seq {
			return
		}
		for _, have := range out {
			if have.id.Seq == id.Seq {
				return
			}
		}
		out = append(out, ref{rel, id, by})
	}
	switch x := r.Input.(type) {
	case leyline.CommandReceived:
		take(proposal, x.Cause, -1)
	case leyline.PolicyAnswered:
		take(question, x.Request, -1)
	case leyline.MetadataAnswered:
		take(lookup, x.Request, -1)
	}
	for i, e := range r.Events {
		rel, id := w.cause(e)
		take(rel, id, i)
	}
	return out
}

// cause returns what an event refers to; the zero id when that is nothing, or
// nothing that was seen.
func (w *web) cause(e leyline.Event) (relation, leyline.EffectID) {
	switch x := e.(type) {
	case leyline.EffectRecovered:
		return interruption, x.Effect
	case leyline.EmergencyPublished:
		return signal, x.Effect
	case leyline.PrefetchSettled:
		return kernel, x.Request
	case leyline.PolicyMissed:
		return giveup, x.Request
	case leyline.MetadataMissed:
		return lost, x.Request
	case leyline.RateAcked:
		if x.Outcome != leyline.OutcomeOK { // what went well each step explains nothing
			return rates, x.Order
		}
	case leyline.OptimizerRebuild:
		if x.Stage != leyline.RebuildDone {
			return rebuild, x.Order
		}
	}
	rel, t := refersTo(e)
	return rel, w.opened[t]
}

// refersTo names what an event closes or goes on with.
func refersTo(e leyline.Event) (relation, thing) {
	switch x := e.(type) {
	case leyline.CommandSettled:
		return verdict, thing{"command", "", string(x.Command)}
	case leyline.CommandExpired:
		return verdict, thing{"command", "", string(x.Command)}
	case leyline.PolicyActivated:
		return verdict, thing{"command", "", string(x.Command)}
	case leyline.PolicyRejected:
		return verdict, thing{"command", "", string(x.Command)}
	case leyline.RollbackStarted:
		return returning, thing{"snapshot", x.Run, string(x.Snapshot)}
	case leyline.RollbackAdvanced:
		return phase, thing{"rollback", x.Run, string(x.Rollback)}
	case leyline.RollbackFinished:
		return phase, thing{"rollback", x.Run, string(x.Rollback)}
	case leyline.CommandProposed:
		if op := x.Seed.Operation; op == leyline.OpFossilize || op == leyline.OpCull {
			return worth, thing{"probe", x.Run, string(x.Seed.Seed)}
		}
	case leyline.ContributionMeasured:
		return probe, thing{"probe", x.Run, string(x.Seed)}
	case leyline.SeedMoved:
		if x.From == leyline.StageEmbargoed {
			return embargo, thing{"seed", x.Run, string(x.Seed)}
		}
	case leyline.ConservativeLeft:
		return caution, thing{what: "caution", run: x.Run}
	case leyline.ConservativeRefreshed:
		return worry, thing{what: "caution", run: x.Run}
	case leyline.EmergencyCleared:
		return easing, thing{what: "emergency", run: x.Run}
	case leyline.EmergencyDispatched:
		if x.Attempt > 1 {
			return again, thing{what: "broadcast", run: x.Run}
		}
	case leyline.RunResumed:
		return restart, thing{what: "process"}
	case leyline.DiskRecovered:
		return space, thing{what: "disk"}
	case leyline.DependencyViolated:
		if x.Refusal.Kind == leyline.RefusalDiskLow {
			return shortage, thing{what: "disk"}
		}
	}
	if rel, t := ofReports(e); t.what != "" {
		return rel, t
	}
	return ofSteps(e)
}

// ofReports is refersTo for field reports.
func ofReports(e leyline.Event) (relation, thing) {
	switch x := e.(type) {
	case leyline.FieldReportFiled:
		return observation, thing{"window", x.Run, string(x.Report.Report)}
	case leyline.FieldReportDelivered:
		return delivery, thing{"report", x.Run, string(x.Report)}
	case leyline.FieldReportDeferred:
		return delivery, thing{"report", x.Run, string(x.Report)}
	case leyline.FieldReportRetried:
		return delivery, thing{"report", x.Run, string(x.Report)}
	case leyline.FieldReportDropped:
		return delivery, thing{"report", x.Run, string(x.Report)}
	}
	return relation{}, thing{}
}

// ofSteps is refersTo for what is said of steps.
func ofSteps(e leyline.Event) (relation, thing) {
	switch x := e.(type) {
	case leyline.TrainingAssessed:
		if x.FirstGood != "" {
			return recovery, thing{"rollback", x.Run, string(x.FirstGood)}
		}
		if x.Suspect > 1 {
			return anomaly, thing{what: "step", run: x.Run}
		}
	case leyline.EpochFailed:
		if x.Streak > 1 {
			return lapse, thing{what: "epoch", run: x.Run}
		}
	case leyline.TrainerStalled:
		return silence, thing{what: "step", run: x.Run}
	case leyline.TrainerReturned:
		return hearing, thing{what: "silence", run: x.Run}
	}
	return relation{}, thing{}
}

// opens lists what later events may refer to.
func opens(e leyline.Event) []thing {
	switch x := e.(type) {
	case leyline.CommandVerified:
		return []thing{{"command", "", string(x.Command)}}
	case leyline.RollbackStarted:
		return []thing{{"rollback", x.Run, string(x.Rollback)}}
	case leyline.RollbackAdvanced:
		return []thing{{"rollback", x.Run, string(x.Rollback)}}
	case leyline.RollbackFinished:
		return []thing{{"rollback", x.Run, string(x.Rollback)}}
	case leyline.SnapshotRegistered:
		return []thing{{"snapshot", x.Run, string(x.Snapshot)}}
	case leyline.SeedMoved:
		return []thing{{"seed", x.Run, string(x.Seed)}, {"probe", x.Run, string(x.Seed)}}
	case leyline.ContributionMeasured:
		return []thing{{"probe", x.Run, string(x.Seed)}}
	case leyline.ConservativeEntered:
		return []thing{{what: "caution", run: x.Run}}
	case leyline.EmergencyEscalated:
		return []thing{{what: "emergency", run: x.Run}}
	case leyline.EmergencyPublished:
		if x.Retry != 0 {
			return []thing{{what: "broadcast", run: x.Run}}
		}
	case leyline.PlaneBooted:
		return []thing{{what: "process"}}
	case leyline.TrainingAssessed:
		return []thing{{what: "step", run: x.Run}}
	case leyline.EpochFailed:
		return []thing{{what: "epoch", run: x.Run}}
	case leyline.TrainerStalled:
		return []thing{{what: "silence", run: x.Run}}
	case leyline.DiskLow:
		return []thing{{what: "disk"}}
	case leyline.FieldReportOpened:
		return []thing{{"window", x.Run, string(x.Report)}}
	case leyline.FieldReportFiled:
		return []thing{{"report", x.Run, string(x.Report.Report)}}
	case leyline.FieldReportRetried:
		return []thing{{"report", x.Run, string(x.Report)}}
	case leyline.FieldReportDeferred:
		return []thing{{"report", x.Run, string(x.Report)}}
	}
	return nil
}
