package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Notifier tells a service manager how the process is, as sd_notify(3) describes:
// one datagram of NAME=VALUE lines per message, to a Unix socket. A nil Notifier
// tells nobody.
type Notifier struct{ conn *net.UnixConn }

// Messages of the protocol.
const (
	NotifyReady    = "READY=1"
	NotifyStopping = "STOPPING=1"
	NotifyWatchdog = "WATCHDOG=1"
	notifyStatus   = "STATUS="
)

// NewNotifier connects to the socket of NOTIFY_SOCKET: a path, or an abstract name
// that begins with "@". An empty name gives a nil Notifier.
func NewNotifier(socket string) (*Notifier, error) {
	switch {
	case socket == "":
		return nil, nil
	case socket[0] != '/' && socket[0] != '@':
		return nil, fmt.Errorf("cannot notify %q: want a path or an abstract socket", socket)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return &Notifier{conn: c}, nil
}

// notifyWait bounds one message: a manager that does not read must not hold up the
// process.
const notifyWait = time.Second

// Send sends messages in one datagram.
func (n *Notifier) Send(messages ...string) error {
	if n == nil {
		return nil
	}
	err := n.conn.SetWriteDeadline(time.Now().Add(notifyWait))
	if err == nil {
		_, err = n.conn.Write([]byte(strings.Join(messages, "\n")))
	}
	if err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return nil
}

// Status is the message that says in one line what the process does.
func Status(text string) string {
	return notifyStatus + strings.Join(strings.Fields(text), " ")
}

// Close ends the connection. It may be called twice.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	if err := n.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Watchdog feeds the manager's watchdog until ctx ends: at once, and then twice in
// every limit, as long as alive returns nil. It stops feeding while alive fails and
// does not end for it; failed is told of what went wrong.
func (n *Notifier) Watchdog(ctx context.Context, limit time.Duration, alive func(context.Context) error, failed func(error)) {
	t := time.NewTicker(limit / 2)
	defer t.Stop()
	for {
		if err := n.feed(ctx, limit/2, alive); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Notifier) feed(ctx context.Context, within time.Duration, alive func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := alive(ctx); err != nil {
		return fmt.Errorf("the watchdog is not fed: %w", err)
	}
	return n.Send(NotifyWatchdog)
}
