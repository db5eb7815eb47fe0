package cli

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// placeFlags say where a plane has its data and how it is reached.
type placeFlags struct {
	settings
	data       string
	web        webFlags
	blueprints string
	catalogue  string
}

// flags adds the flags of a place; what says in words what is served over HTTP.
func (f *placeFlags) flags(s *pflag.FlagSet, what string) {
	s.StringVar(&f.blueprints, "blueprints", "", "`DIR` of further blueprints, as esper blueprint keeps them")
	s.StringVar(&f.catalogue, "catalogue", "", "`DIR` of signed safety sheets, as esper blueprint sheet writes them: tamiyo.catalogue_dir")
	f.settings.flags(s)
	f.web.flags(s, what)
}

// name makes a setting of the flag that is short for one.
func (f *placeFlags) name() {
	if f.catalogue != "" {
		f.set = append(f.set, catalogueKey+"="+f.catalogue)
	}
}

// served is a plane in this process and everything that stands around it: the data
// directory, the emergency stream, telemetry, the HTTP side, the service manager. It
// is what `esper run` and `esper serve` have in common.
type served struct {
	app       *app
	at        placeFlags
	config    leyline.ExecutionConfig
	shipped   []workload.Blueprint // that are installed and registered where they are missing
	own       []*blueprintFile     // of --blueprints
	fits      func(kernel []byte) error
	reportURL string // to which field reports are posted; read from its file by preflight
	hookURL   string // of the webhook; the same

	dir     *datadir.Dir
	fast    snapstore.Store // the fast tier of snapshots; nil: there is none
	plane   *plane.Plane
	running atomic.Pointer[plane.Plane] // the plane once it has started
	sink    *sink
	web     *web
	outlets *outlets
	notify  *manager

	say      func(format string, args ...any)
	follow   func(leyline.Record)           // is given every durable record by the plane's loop
	admitRun func(*projections.State) error // may refuse a start before anything is recorded; nil: nothing is refused
	adjust   func(*plane.Options)           // of a drill; nil: there is none
	routes   []server.Route                 // beside those of telemetry and operators
	first    []supervise.Component          // started before all else
	more     []supervise.Component          // run between the plane and its requests
	exported error                          // why the last checkpoint was not exported
}

// assemble lists the parts of a served plane, each using those before it. The probes are
// there from first to last. When it stops, nobody new is let in, then the plane ends,
// and only then the streams of telemetry, which carry its last records.
func (p *served) assemble(log hclog.Logger) (*supervise.Supervisor, error) {
	var sup *supervise.Supervisor
	parts := []supervise.Component{
		{
			Name: "data directory", StartBudget: recoveryBudget, StopBudget: stopBudget,
			Start: func(context.Context) error { return p.openDir(log) },
			Stop:  func(context.Context) error { return p.closeDir() },
		},
		{
			Name: "emergency stream", StartBudget: startBudget, StopBudget: quickBudget,
			Start: func(context.Context) (err error) {
				p.sink, err = startSink(p.dir, p.sinkFailed)
				return err
			},
			Stop: func(context.Context) error { p.sink.stop(); return nil },
		},
		{
			Name: "plane", StartBudget: recoveryBudget, StopBudget: stopBudget,
			Start: func(ctx context.Context) error { return p.startPlane(ctx, log) },
			Stop:  p.stopPlane,
			Done:  func() <-chan struct{} { return p.plane.Done() },
			Err:   func() error { return p.plane.Err() },
		},
	}
	serves := len(p.at.web.listen) > 0
	if serves || p.hookURL != "" {
		p.outlets = &outlets{
			config: p.config.Telemetry, notice: p.say, plane: p.running.Load, url: p.hookURL, file: emergencyName,
			ended: func(ctx context.Context) { p.web.endStreams(ctx) },
		}
		parts = slices.Insert(parts, 1, p.outlets.component(p))
	}
	if serves {
		parts = append(parts, p.more...)
		var err error
		if p.web, err = newWeb(p, log, func() error { return sup.Ready() }); err != nil {
			return nil, err
		}
		parts = append([]supervise.Component{p.web.probes(p.app)}, append(parts, p.web.requests())...)
	}
	sup, err := supervise.New(supervise.Options{
		Grace: graceBudget, Stop: overallBudget, Changed: p.changed, Stopping: func(error) { p.notify.stopping() },
	}, append(p.first, parts...)...)
	return sup, err
}
