package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline/signal"
)

// What a process of `esper bench signal` does; the readers have the same names.
const (
	rolePage          = "page"
	roleSocketPolled  = "socket-polled"
	roleSocketBlocked = "socket-blocked"
	roleBurn          = "burn"
)

// What the processes say.
const (
	saysReady = "ready\n"
	saysClear = "clear\n"
)

// childSocket is the descriptor of the socket in a child.
const childSocket = 3

func newBenchSignalChild(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "child ROLE [FILE]",
		Short:  "A process of this measurement; it ends with its stdin",
		Hidden: true,
		Args:   cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, the parent is gone
				os.Exit(exitOK)
			}()
			return a.benchSignalChild(args[0], args[1:])
		},
	}
}

func (a *app) benchSignalChild(role string, file []string) error {
	switch {
	case role == rolePage && len(file) == 1:
		r, err := signal.Open(file[0])
		if err != nil {
			return err
		}
		return watchFor(a.out, func(up bool) (int, error) { return pollPage(r, up), nil })
	case role == roleSocketPolled:
		if err := unix.SetNonblock(childSocket, true); err != nil {
			return err
		}
		return watchFor(a.out, readSocket)
	case role == roleSocketBlocked:
		return watchFor(a.out, readSocket)
	case role == roleBurn:
		if _, err := io.WriteString(a.out, saysReady); err != nil {
			return err
		}
		for turns := 0; ; turns++ {
		}
	}
	return usagef("no process of this measurement: %s %v", role, file)
}

// watchFor tells of every halt when it was seen, after how many polls, and how
// long they took in ns. until waits for a halt, or for its end.
func watchFor(out io.Writer, until func(up bool) (polls int, err error)) error {
	_, err := io.WriteString(out, saysReady)
	for err == nil {
		err = watchOnce(out, until)
	}
	return err
}

func watchOnce(out io.Writer, until func(up bool) (polls int, err error)) error {
	begun, err := signal.Now()
	if err != nil {
		return err
	}
	polls, err := until(true)
	if err != nil {
		return err
	}
	at, err := signal.Now()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, int64(at), polls, int64(at-begun)); err != nil {
		return err
	}
	if _, err := until(false); err != nil {
		return err
	}
	_, err = io.WriteString(out, saysClear)
	return err
}

func pollPage(r *signal.Reader, up bool) (polls int) {
	for polls = 1; r.Raised() != up; polls++ {
	}
	return polls
}

// readSocket reads the next byte, at once or when it comes.
func readSocket(up bool) (polls int, err error) {
	var b [1]byte
	for polls = 1; ; polls++ {
		n, err := unix.Read(childSocket, b[:])
		switch {
		case err == unix.EAGAIN, err == unix.EINTR:
		case err != nil:
			return polls, err
		case n == 0:
			return polls, io.ErrUnexpectedEOF
		case (b[0] == 1) != up:
			return polls, fmt.Errorf("read %d from the socket", b[0])
		default:
			return polls, nil
		}
	}
}
