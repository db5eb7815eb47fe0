package eventlog

import (
	"errors"
	"fmt"
)

// Close signs a last checkpoint if the log signs any, closes the log and leaves
// the clean-shutdown marker, durably. A poisoned log is closed without the
// marker and the error says so. Close is idempotent: later calls return what
// the first one did.
func (l *Log) Close() error {
	l.notary.stop() // before l.mu: it may be reading the state
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock == nil {
		return l.closeErr
	}
	l.closeErr = l.finish()
	l.publish(l.state.Load().durable, ErrClosed)
	// Closing the descriptor releases the locks, so it comes last.
	l.closeErr = errors.Join(l.closeErr, l.tail.close(), l.mark.Close(), l.lock.Close())
	l.lock = nil
	return l.closeErr
}

func (l *Log) finish() error {
	if l.failure == nil {
		if err := l.signLast(); err != nil {
			l.poison(err)
		}
	}
	sealErr := l.sealer.close()
	switch {
	case l.failure != nil:
		// Not l.store.Close: it would sync again what has failed to sync.
		return l.failure
	case sealErr != nil:
		return l.poison(sealErr)
	}
	if err := l.tail.trim(); err != nil {
		return l.poison(err)
	}
	if err := l.store.Close(); err != nil {
		return fmt.Errorf("cannot close the log in %s: %w", l.dir, err)
	}
	// A marker beside a watermark that was torn later would look like damage.
	if err := l.mark.Sync(); err != nil {
		return fmt.Errorf("cannot close the log in %s: %w", l.dir, err)
	}
	return writeClean(l.fsys, l.dir, cleanMark{
		seq: l.state.Load().durable, leaf: l.lastLeaf, root: l.merkle.root(),
		tail: segmentName(l.tail.first), size: l.tail.size,
	})
}
