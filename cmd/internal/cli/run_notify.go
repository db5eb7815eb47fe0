package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/esper-plane/esper/cmd/internal/supervise"
)

// manager is the service manager that started the process, if it wants to be told
// how it is. A nil *manager tells nobody.
type manager struct {
	to     *supervise.Notifier
	limit  time.Duration // of its watchdog; 0: it has none
	notice func(format string, args ...any)
	failed atomic.Bool // a failure was said
	ending atomic.Bool // the process stops, within bounds of its own
	cancel context.CancelFunc
	gone   chan struct{} // closed when the watchdog is no longer fed
}

// newManager reads how the service manager wants to be told.
func newManager(env func(string) string, notice func(string, ...any)) (*manager, error) {
	to, err := supervise.NewNotifier(env("NOTIFY_SOCKET"))
	if err != nil {
		return nil, err
	}
	if to == nil {
		return nil, nil
	}
	m := &manager{to: to, notice: notice}
	if pid := env("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if m.limit, err = watchdogLimit(env("WATCHDOG_USEC")); err != nil {
			return nil, errors.Join(err, to.Close())
		}
	}
	return m, nil
}

// watchdogLimit reads how long a watchdog waits, in microseconds of 64 bits; 0: there
// is none. What is longer than a time.Duration is as long as one.
func watchdogLimit(usec string) (time.Duration, error) {
	if usec == "" {
		return 0, nil
	}
	us, err := strconv.ParseUint(usec, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("WATCHDOG_USEC is %q; want microseconds, 0 or more", usec)
	case us > math.MaxInt64/uint64(time.Microsecond):
		return math.MaxInt64, nil
	}
	return time.Duration(us) * time.Microsecond, nil
}

// status says in one line what happens.
func (m *manager) status(text string) { m.send(supervise.Status(text)) }

// running says that the start is done, and feeds the watchdog from now on.
func (m *manager) running(text string, alive func(context.Context) error) {
	if m == nil {
		return
	}
	m.send(supervise.NotifyReady, supervise.Status(text))
	if m.limit == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.gone = cancel, make(chan struct{})
	go func() {
		defer close(m.gone)
		m.to.Watchdog(ctx, m.limit, func(ctx context.Context) error {
			if m.ending.Load() {
				return nil
			}
			return alive(ctx)
		}, m.say)
	}()
}

// stopping says that the process is about to end. How long that may take is bounded
// by the process itself, so the watchdog is fed until it does.
func (m *manager) stopping() {
	if m != nil {
		m.ending.Store(true)
		m.send(supervise.NotifyStopping)
	}
}

func (m *manager) send(messages ...string) {
	if m == nil {
		return
	}
	if err := m.to.Send(messages...); err != nil {
		m.say(err)
	}
}

// say says the first failure: the manager will notice the others.
func (m *manager) say(err error) {
	if !m.failed.Swap(true) {
		m.notice("%v", err)
	}
}

func (m *manager) close() error {
	if m == nil {
		return nil
	}
	if m.cancel != nil {
		m.cancel()
		<-m.gone
	}
	return m.to.Close()
}

// alive is the check "loop" of the probes.
func (p *served) alive(ctx context.Context) error {
	_, err := p.plane.Health(ctx)
	return err
}
