package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// benchPlane is an `esper serve` in a process of its own.
type benchPlane struct {
	cmd    *exec.Cmd
	socket string
	errs   *bufio.Reader
}

// startBenchPlane starts one with its data in a directory and waits until it lets
// trainers in. No snapshot is ever due.
func startBenchPlane(ctx context.Context, data, socket string) (*benchPlane, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	c := exec.CommandContext(ctx, self, "serve", "--data", data, "--socket", socket, "--set", "tolaria.snapshot_every=1000000")
	c.Args[0] = "esper"
	errs, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, err
	}
	p := &benchPlane{cmd: c, socket: socket, errs: bufio.NewReader(errs)}
	said := ""
	for {
		line, err := p.errs.ReadString('\n')
		if strings.HasPrefix(line, "ready: ") {
			go io.Copy(io.Discard, p.errs) // until it ends
			return p, nil
		}
		if said += line; err != nil {
			return nil, errors.Join(fmt.Errorf("the plane does not start: %s", said), c.Wait())
		}
	}
}

// stop ends it in order.
func (p *benchPlane) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the plane: %w", err)
	}
	return nil
}

// newBenchServeChild is the null server: it reads a body and answers with as many bytes
// as the plane does.
func newBenchServeChild(*app) *cobra.Command {
	return &cobra.Command{
		Use: "child SOCKET BYTES", Hidden: true, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var size int
			if _, err := fmt.Sscan(args[1], &size); err != nil || size < 0 || size > 1<<20 {
				return usagef("%q is no number of bytes", args[1])
			}
			return serveNothing(cmd.Context(), args[0], size)
		},
	}
}

// serveNothing answers until its stdin ends.
func serveNothing(ctx context.Context, socket string, size int) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	answer := []byte(strings.Repeat("x", size))
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			_, _ = w.Write(answer) // a client that has gone is not told
		}
	})}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that is asked
		_ = s.Close()                        // the process ends
	}()
	fmt.Println(strings.TrimSpace(saysReady))
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
