package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

var steadyTrain = Scenario{
	Name: "steady-train",
	Claim: "one epoch over the socket of a served plane is one epoch in its log: every step is decided once, the policy is asked, nothing is refused " +
		"or rolled back, and the weights are those of the same run in the process of the plane",
	run: func(ctx context.Context, s Site, r *Result) error {
		spec, err := workload.Lookup("penguins")
		if err != nil {
			return err
		}
		near, err := playSteady(ctx, s, spec, nil)
		if err != nil {
			return err
		}
		far, err := playSteady(ctx, s, spec, r)
		if err != nil {
			return err
		}
		r.check("the weights are those of the run in the process of the plane", far.Digest == near.Digest, "%s and %s", far.Digest.Short(), near.Digest.Short())
		return nil
	},
}

// steadyConfig asks the policy every second step: an epoch has few.
func steadyConfig(spec workload.Spec) leyline.ExecutionConfig {
	c := spec.Config()
	c.Tamiyo.WindowSteps, c.Tamiyo.WarmupSteps = 2, 2
	return c
}

// playSteady trains one epoch: over a socket when r is given, and tells of it there;
// else in the process of the plane.
func playSteady(ctx context.Context, s Site, spec workload.Spec, r *Result) (res workload.Result, err error) {
	name := "steady-train"
	if r == nil {
		name += "-in-process"
	}
	p, err := s.Open(name, spec, steadyConfig(spec))
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	pl, err := plane.Start(ctx, p.Options)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, pl.Shutdown(context.WithoutCancel(ctx))) }()
	epoch, err := stepsOfEpoch(spec)
	if err != nil {
		return res, err
	}
	var waits []float64
	o := workload.Options{
		Run: "run-1", Workload: spec, Seed: 1, Steps: epoch, Snapshots: p.Full, Fast: p.Fast, Kernels: pl.Kernels(),
		Observe: func(x workload.Progress) { waits = append(waits, float64(x.Waited)/float64(time.Millisecond)) },
	}
	if r == nil {
		return workload.Train(ctx, pl, o)
	}
	r.Data = append(r.Data, p.Path)
	if res, err = trainServed(ctx, pl, o); err != nil {
		return res, err
	}
	return res, tellSteady(r, p, res, waits)
}

// stepsOfEpoch is how many steps an epoch of the workload has.
func stepsOfEpoch(spec workload.Spec) (leyline.Step, error) {
	data, err := spec.Data()
	if err != nil {
		return 0, err
	}
	b, err := workload.NewBatches(data.Train, spec.Net.Batch, 1)
	if err != nil {
		return 0, err
	}
	return leyline.Step(b.PerEpoch()), nil
}

// trainServed serves a plane at a socket of its own and trains over it.
func trainServed(ctx context.Context, pl *plane.Plane, o workload.Options) (res workload.Result, err error) {
	dir, err := os.MkdirTemp("", "esper-")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at := "unix:" + filepath.Join(dir, "s")
	stop, err := serveAt(ctx, pl, at)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o.Away = leyline.AwayStop
	c, err := client.New(client.Options{Address: at, Away: o.Away})
	if err != nil {
		return res, err
	}
	defer c.Disconnect()
	return workload.Train(ctx, c, o)
}

// serveStop bounds how long a server may take to stop.
const serveStop = 5 * time.Second

// serveAt lets trainers in at an address.
func serveAt(ctx context.Context, pl *plane.Plane, at string) (stop func() error, err error) {
	t, err := trainer.New(trainer.Options{
		Plane: func() trainer.Plane { return pl }, PeerOf: server.PeerOf, Version: "harness", Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		return nil, err
	}
	s, err := server.New(server.Options{Listen: []string{at}, Routes: t.Routes(), Logger: hclog.NewNullLogger()})
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	s.Open()
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serveStop)
		defer cancel()
		_, err := s.Stop(ctx)
		return err
	}, nil
}

// steadyCounts are what a log says of a steady run.
type steadyCounts struct {
	principal                                      string
	steps, epochs, asked, commands, refused, falls int
}

func countSteady(p *Place) (n steadyCounts, err error) {
	for e, err := range p.Source.All(0) {
		if err != nil {
			return n, err
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return n, err
		}
		switch x := r.Input.(type) {
		case leyline.RunOpened:
			n.principal = x.Principal
		case leyline.StepObserved:
			n.steps++
		case leyline.EpochObserved:
			n.epochs++
		}
		for _, e := range r.Events {
			n.event(e.EventKind())
		}
	}
	return n, nil
}

func (n *steadyCounts) event(k leyline.EventKind) {
	switch k {
	case leyline.EventPolicyWeighed:
		n.asked++
	case leyline.EventCommandVerified:
		n.commands++
	case leyline.EventDependencyViolated:
		n.refused++
	case leyline.EventRollbackStarted:
		n.falls++
	}
}

// tellSteady checks what the log says and gives the figures of the row.
func tellSteady(r *Result, p *Place, res workload.Result, waits []float64) error {
	n, err := countSteady(p)
	if err != nil {
		return err
	}
	r.check("the run was opened over the socket", n.principal != "" && n.principal != leyline.PrincipalProcess, "by %s", n.principal)
	r.check("every step was decided once", n.steps == int(res.Steps) && len(waits) == n.steps, "%d of %d", n.steps, res.Steps)
	r.check("the epoch is in the log once", n.epochs == 1, "%d", n.epochs)
	r.check("the policy was asked", n.asked > 0, "%d times", n.asked)
	r.check("nothing was refused or rolled back", n.refused == 0 && n.falls == 0, "%d refused, %d rolled back", n.refused, n.falls)
	accuracy, loss := 0.0, 0.0
	for _, t := range res.Tasks {
		accuracy, loss = accuracy+t.Accuracy/float64(len(res.Tasks)), loss+t.Loss/float64(len(res.Tasks))
	}
	mean := 0.0
	for _, w := range waits {
		mean += w / float64(len(waits))
	}
	r.metric("epochs", float64(n.epochs), "count")
	r.metric("latency_mean_ms", mean, "ms")
	r.metric("latency_p95_ms", percentile(waits, 0.95), "ms")
	r.metric("accuracy_final", accuracy, "ratio")
	r.metric("loss_final", loss, "nats")
	r.metric("tamiyo_evaluations", float64(n.asked), "count")
	r.metric("kasmina_commands", float64(n.commands), "count")
	return nil
}

// percentile interpolates between the ranks of xs, which are not empty: rank p*(n-1),
// p in [0,1].
func percentile(xs []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	at := p * float64(len(s)-1)
	low := int(at)
	high := min(low+1, len(s)-1)
	return s[low] + (at-float64(low))*(s[high]-s[low])
}
