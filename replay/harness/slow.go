package harness

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// slowStore is a tier whose files take a given time to read from some moment on, as
// those of a congested or a hung network disk do. What it reads are the bytes of the tier behind it.
type slowStore struct {
	snapstore.Store
	from  *atomic.Bool  // slow once it is set
	takes time.Duration // for a whole file
	hung  bool          // a read cannot be interrupted, as a system call in the kernel
}

// Open implements snapstore.Store.
func (s slowStore) Open(ctx context.Context, run leyline.RunID, file string) (io.ReadCloser, uint64, error) {
	f, size, err := s.Store.Open(ctx, run, file)
	if err != nil || !s.from.Load() {
		return f, size, err
	}
	return &slowFile{ReadCloser: f, ctx: ctx, store: s, size: size}, size, nil
}

type slowFile struct {
	io.ReadCloser
	ctx   context.Context
	store slowStore
	size  uint64
	done  uint64
	began time.Time
}

// pieces is how many reads a file is cut into.
const pieces = 64

// Read waits until the bytes are due at the file's rate.
func (f *slowFile) Read(b []byte) (int, error) {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	n, err := f.ReadCloser.Read(b[:min(uint64(len(b)), max(f.size/pieces, 1))])
	f.done += uint64(n)
	due := f.began.Add(time.Duration(float64(f.store.takes) * float64(f.done) / float64(f.size)))
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	if f.store.hung {
		<-t.C
		return n, err
	}
	select {
	case <-t.C:
		return n, err
	case <-f.ctx.Done():
		return 0, f.ctx.Err()
	}
}
