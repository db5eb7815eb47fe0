package harness

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// pipes is a kernel store whose files are named pipes: what reads one waits until its
// source writes, as it would for a slow disk or a network.
type pipes struct {
	dir     string
	kernels []*kernel
	bytes   uint64
}

// kernel is a real kernel of the workload behind its pipe.
type kernel struct {
	record leyline.BlueprintRegistered
	bytes  []byte
	path   string
	taken  atomic.Bool
	done   atomic.Int32
}

// served is how long a source took, from the moment that somebody opened it.
type served struct {
	took time.Duration
	err  error
}

// makePipes makes n kernels.
func makePipes(dir string, spec workload.Spec, n int) (*pipes, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pipes{dir: dir}
	for i := range n {
		k := &kernel{}
		id := fmt.Sprintf("burst-%d", i)
		var err error
		if k.bytes, err = workload.NewKernel(id, workload.Block{Hidden: spec.Net.Hidden, Width: 16}, uint64(i)); err != nil {
			return nil, err
		}
		if k.record, err = workload.Record(id, k.bytes, 0.1); err != nil {
			return nil, err
		}
		k.path = filepath.Join(dir, k.record.Kernel)
		if err := unix.Mkfifo(k.path, 0o600); err != nil {
			return nil, fmt.Errorf("cannot make a named pipe: %w", err)
		}
		p.kernels, p.bytes = append(p.kernels, k), p.bytes+k.record.Bytes
	}
	return p, nil
}

func (p *pipes) store() fs.FS { return os.DirFS(p.dir) }

// served counts the reads of all sources.
func (p *pipes) served() int {
	n := int32(0)
	for _, k := range p.kernels {
		n += k.done.Load()
	}
	return int(n)
}

// claim reports whether the caller is the one to be the kernel's source.
func (k *kernel) claim() bool { return k.taken.CompareAndSwap(false, true) }

// serve waits until somebody opens the pipe, and gives it the bytes after the time of
// the source.
func (k *kernel) serve() served {
	w, err := os.OpenFile(k.path, os.O_WRONLY, 0)
	if err != nil {
		return served{err: err}
	}
	began := time.Now()
	time.Sleep(burstSource)
	_, err = w.Write(k.bytes)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	k.done.Add(1)
	return served{time.Since(began), err}
}
