package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/lane"
)

// serveFlags are the flags of `esper serve` alone.
type serveFlags struct {
	socket   string
	builtin  string
	idleExit time.Duration
}

func newServe(a *app) *cobra.Command {
	var at placeFlags
	var f serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Serve a plane to trainers, on a Unix socket and, when asked for, over TCP", Args: cobra.NoArgs,
		Long: "Serve a plane to trainers that run in processes of their own. It trains nothing itself.\n\n" +
			"Trainers connect to the socket, DIR/esper.sock unless --socket names another one, or to\nan address of --http. Only the socket has the framed lane, for steps that are short:\n" +
			"its path with .fast behind it. The directory of the socket must be closed to others\n(mode 0700).\n\n" +
			"One line on stderr says when trainers are let in: `ready: ...`. SIGTERM or an interrupt\nends it in order: requests under way are answered, the log is closed, and the exit code\n" +
			"is 0. A second signal ends it at once. Runs that are open stay open; their trainers\ngo on with them when the plane is there again, or resume them.\n\n" +
			"Settings are read when it starts and not again: restart it to change them.",
		Example: "  esper serve --data data/plane\n  esper serve --data /var/lib/esper --http 127.0.0.1:7070 --http-token-file token\n  esper serve --data data/plane --idle-exit 10m --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at.name()
			return a.serve(cmd.Context(), at, f)
		},
	}
	c.Flags().StringVar(&at.data, "data", "data", "data directory, created when missing")
	c.Flags().StringVar(&f.socket, "socket", "", "listen at the Unix socket `PATH` (default: esper.sock in the data directory)")
	c.Flags().StringVar(&f.builtin, "builtin-blueprints", "", "offer the blueprints of the built-in trainer too, as esper run --remote needs them: all, or those of one `WORKLOAD`")
	c.Flags().Lookup("builtin-blueprints").NoOptDefVal = allWorkloads
	c.Flags().DurationVar(&f.idleExit, "idle-exit", 0, "end when no run is open and nobody has been connected for this long (default: never)")
	at.flags(c.Flags(), "everything that the socket has but the framed lane")
	return c
}

// service is one `esper serve` under way.
type service struct {
	served
	flags serveFlags
	tell  teller
	lane  *lane.Lane
}

func (a *app) serve(ctx context.Context, at placeFlags, f serveFlags) (err error) {
	s := &service{served: served{app: a, at: at}, flags: f}
	s.tell.app = a
	if err := s.preflight(ctx); err != nil {
		return errors.Join(s.outrun(), err)
	}
	defer func() { err = errors.Join(err, s.notify.close()) }()
	log, err := a.logger()
	if err != nil {
		return err
	}
	sup, err := s.assemble(log)
	if err != nil {
		return err
	}
	failed, stopping := sup.Run(ctx, s.attend)
	if err := andThen(failed, stopping); err != nil {
		return err
	}
	return s.tell.stopped()
}

// preflight reads flags and configuration and looks at everything that is needed.
func (s *service) preflight(ctx context.Context) error {
	return s.look(ctx,
		supervise.Check{Name: "command line", Look: s.readFlags},
		supervise.Check{Name: "configuration", Look: s.readConfig},
		supervise.Check{Name: "framed lane", Look: func(_ context.Context, r *supervise.Report) { s.probeLane(r) }},
	)
}

// outrun says that another process has the data directory, which explains whatever else
// stands in the way there.
func (s *service) outrun() error {
	if !s.inData() {
		return nil
	}
	return datadir.Entered(s.at.data)
}

// probeLane reports everything that keeps the lane from being listened at.
func (s *service) probeLane(r *supervise.Report) {
	if toBeMade(s.at.data, "unix:"+s.flags.socket) {
		return
	}
	if err := server.Probe(false, "unix:"+s.lanePath())[0]; err != nil {
		r.FailWith("--socket", usageIfBad(fmt.Errorf("--socket: %w", err)))
	}
}

// inData says that the socket is the one of the data directory.
func (s *service) inData() bool { return s.flags.socket == datadir.SocketPath(s.at.data) }

// readFlags reads the flags that need no configuration. The socket is the first
// address that is listened at.
func (s *service) readFlags(_ context.Context, r *supervise.Report) {
	_, err := s.app.logger()
	r.FailWith("--log-level", err)
	path := s.flags.socket
	if path == "" {
		path = datadir.SocketPath(s.at.data)
	}
	if path, err = filepath.Abs(path); err != nil {
		r.FailWith("--socket", fmt.Errorf("--socket: %w", err))
		return
	}
	if s.at.data, err = filepath.Abs(s.at.data); err != nil {
		r.FailWith("--data", fmt.Errorf("--data: %w", err))
	}
	s.flags.socket = path
	s.at.web.listen = append([]string{"unix:" + path}, s.at.web.listen...)
	if s.flags.idleExit < 0 {
		r.FailWith("--idle-exit", usagef("--idle-exit is %v; write a duration above 0, or leave it out", s.flags.idleExit))
	}
	s.shipped, err = builtinBlueprints(s.flags.builtin)
	r.FailWith("--builtin-blueprints", err)
}

// allWorkloads stands for the blueprints of every workload.
const allWorkloads = "all"

// builtinBlueprints are the shipped blueprints of a workload, of all, or none.
func builtinBlueprints(of string) ([]workload.Blueprint, error) {
	switch of {
	case "":
		return nil, nil
	case allWorkloads:
		return workload.AllBlueprints(), nil
	}
	spec, err := workload.Lookup(of)
	if err != nil {
		return nil, usagef("--builtin-blueprints: %w", err)
	}
	return spec.Blueprints, nil
}

// readConfig reads the configuration. No workload changes the defaults: whoever
// trains is not known yet.
func (s *service) readConfig(_ context.Context, r *supervise.Report) {
	var err error
	s.config, err = s.at.load(leyline.DefaultConfig(), os.Environ())
	failConfig(r, err)
	failConfig(r, datadir.CheckExport(s.config.Log))
	failConfig(r, datadir.CheckReports(s.config.Tamiyo.ReportDir))
}

// assemble lists the parts of the plane.
func (s *service) assemble(log hclog.Logger) (*supervise.Supervisor, error) {
	s.say, s.follow = s.tell.say, s.tell.record
	t, err := s.trainers(log)
	if err != nil {
		return nil, err
	}
	if s.lane, err = lane.New(lane.Options{Path: s.lanePath(), Service: t, Logger: log}); err != nil {
		return nil, usageError{err}
	}
	s.more = append(s.more, s.framed())
	if s.inData() {
		s.first = append(s.first, claim(s.at.data))
	}
	return s.served.assemble(log)
}

// attend says that trainers are let in and waits for the end: a signal, or idleness.
func (s *service) attend(ctx context.Context) error {
	s.notify.running("serving trainers at unix:"+s.flags.socket, s.alive)
	if err := s.tell.ready(s.places()); err != nil {
		return err
	}
	idle := idleness{limit: s.flags.idleExit, busy: s.busy}
	err := idle.wait(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		s.tell.why = "it was told to stop"
		return nil // what ended by itself is the supervisor's to tell
	}
	s.tell.why = fmt.Sprintf("no run was open and nobody was connected for %v", s.flags.idleExit)
	return err
}

// places are the addresses that it listens at.
func (s *service) places() servedPlaces {
	p := servedPlaces{Socket: s.flags.socket, Lane: s.lanePath(), Data: s.dir.Path}
	for _, at := range s.web.server.Addresses()[1:] {
		p.HTTP = append(p.HTTP, s.web.place(at))
	}
	return p
}

// claim keeps a second process from listening in a data directory before it is locked.
func claim(dir string) supervise.Component {
	var held io.Closer
	return supervise.Component{
		Name: "claim", StartBudget: startBudget, StopBudget: quickBudget,
		Start: func(context.Context) (err error) {
			held, err = datadir.Enter(dir)
			return err
		},
		Stop: func(context.Context) error { return held.Close() },
	}
}
