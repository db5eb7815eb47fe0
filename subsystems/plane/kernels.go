package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/kernelfile"
	"github.com/esper-plane/esper/subsystems/worker"
)

// kernelChunk is how much of a kernel is read between two looks at the context.
const kernelChunk = 256 << 10

// kernelFacts are what the cache keeps of a kernel beside its bytes.
type kernelFacts struct {
	guard   leyline.Digest
	prewarm leyline.Prewarm
}

// fetched is what a fetch found. Digest and bytes are measured.
type fetched struct {
	digest leyline.Digest
	bytes  uint64
	origin leyline.KernelOrigin
	waited time.Duration
	kernelFacts
}

// wrongKernel says that the bytes in the store are not those that were registered.
// It is no failure of the fetch: Kasmina judges what was found.
type wrongKernel struct{ found fetched }

func (e *wrongKernel) Error() string {
	return fmt.Sprintf("the file hashes to %s, guard digest %s", e.found.digest.Short(), e.found.guard.Short())
}

// origins says what the log calls the origin of a lease.
var origins = [...]leyline.KernelOrigin{
	kernelcache.Read: leyline.KernelFromStore, kernelcache.Joined: leyline.KernelFromFlight, kernelcache.Found: leyline.KernelFromCache,
}

// prefetch reads and verifies a kernel and stages it in the cache, unless it is
// there. Bytes that are not what was registered are never staged.
func (l *loop) prefetch(ctx context.Context, f effect.Effect, c *completion) error {
	samples := l.plane.samples.Load()
	k := kernelcache.Key{Name: f.Kernel, Digest: f.Digest, Guard: f.Guard, Bytes: f.Bytes}
	lease, err := l.plane.kernels.Get(ctx, k, func(ctx context.Context, _ kernelcache.Key) ([]byte, kernelFacts, error) {
		return l.plane.loadKernel(ctx, f, samples)
	})
	var wrong *wrongKernel
	switch {
	case errors.As(err, &wrong):
		c.kernel = wrong.found
		return nil
	case err != nil:
		return err
	}
	c.kernel = fetched{f.Digest, f.Bytes, origins[lease.Origin], lease.Waited, lease.Facts}
	lease.Release()
	return nil
}

// loadKernel reads a kernel from the store, holds it against what was registered and
// warms it up.
func (p *Plane) loadKernel(ctx context.Context, f effect.Effect, samples uint32) ([]byte, kernelFacts, error) {
	var facts kernelFacts
	file, err := p.opts.Kernels.Open(f.Kernel)
	if err != nil {
		return nil, facts, fmt.Errorf("kernel_missing: %w", err)
	}
	// A read of a pipe or of a network disk that hangs ends when its file is closed.
	unhook := context.AfterFunc(ctx, func() { _ = file.Close() })
	b, found, err := readKernel(ctx, file, f.Bytes)
	if unhook() {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, facts, err
	}
	if found.digest != f.Digest || found.bytes != f.Bytes {
		return nil, facts, &wrongKernel{found}
	}
	if found.guard, err = kernelfile.Guard(f.Built.Framework, f.Built.Mesh, b); err != nil {
		return nil, facts, err
	}
	if found.guard != f.Guard {
		return nil, facts, &wrongKernel{found}
	}
	facts.guard = found.guard
	facts.prewarm, err = kernelfile.Prewarm(ctx, b, samples)
	return b, facts, err
}

// readKernel reads a file to its end and keeps at most the bytes that it should have.
func readKernel(ctx context.Context, r io.Reader, want uint64) ([]byte, fetched, error) {
	var kept bytes.Buffer
	sum, n := sha256.New(), uint64(0)
	for buf := make([]byte, min(kernelChunk, want+1)); ; {
		if ctx.Err() != nil {
			return nil, fetched{}, context.Cause(ctx)
		}
		got, err := r.Read(buf)
		n += uint64(got)
		sum.Write(buf[:got]) // never fails
		if n <= want {
			kept.Write(buf[:got]) // never fails
		}
		if err == io.EOF {
			found := fetched{bytes: n, origin: leyline.KernelFromStore}
			sum.Sum(found.digest[:0])
			return kept.Bytes(), found, nil
		}
		if err != nil {
			return nil, fetched{}, fmt.Errorf("cannot read the kernel: %w", err)
		}
	}
}

// kernelFailure says what kind of failure a fetch has met; none: not of the kernel.
func kernelFailure(err error) leyline.RefusalKind {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return leyline.RefusalMissingKernel
	case errors.Is(err, kernelcache.ErrRoom):
		return leyline.RefusalKernelRoom
	case kernelfile.Malformed(err):
		return leyline.RefusalKernelFormat
	}
	return leyline.RefusalNone
}

// kernelInput is the result of a fetch. One that nobody waits for any more is
// recorded too, unless it is only that it was cancelled or that its run is over.
func (l *loop) kernelInput(c *completion) leyline.Input {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	s, run := l.state.Kasmina.Seed(f.Run, f.Seed), l.state.Tolaria.Run(f.Run)
	if s == nil || run == nil || run.Status != leyline.RunStatusOpen {
		return nil
	}
	late, over := s.Kernel.Request != f.ID, c.outcome.State != worker.Done && c.outcome.State != worker.Failed
	if late && over {
		return nil
	}
	if k := c.kernel; c.outcome.State == worker.Done {
		return leyline.KernelReady{
			Request: f.ID, Run: f.Run, Seed: f.Seed, Digest: k.digest, Bytes: k.bytes, TookNs: took,
			Guard: k.guard, Origin: k.origin, WaitNs: uint64(k.waited), Prewarm: k.prewarm,
		}
	}
	return leyline.KernelFailed{
		Request: f.ID, Run: f.Run, Seed: f.Seed, Outcome: outcomeOf(c.outcome), Reason: clip(c.outcome.Err), TookNs: took,
		Kind: kernelFailure(c.outcome.Err),
	}
}

// cancelFetch stops the job of a fetch that the record has closed, if it still runs.
func (l *loop) cancelFetch(id leyline.EffectID) {
	if job := l.jobs[id]; job != nil {
		job.Cancel()
		delete(l.jobs, id)
	}
}

// cancelFetches closes what is being fetched when the plane is to stop, in one record.
func (l *loop) cancelFetches() {
	requests := uint32(0)
	for i := range l.state.Kasmina.Runs {
		requests += l.state.Kasmina.Runs[i].Inflight()
	}
	if requests == 0 || !l.booted {
		return
	}
	l.stamp(leyline.PlaneStopping{Boot: l.plane.opts.Boot}, nil)
	l.log.Info("fetches of kernels were cancelled, the plane stops", "requests", requests)
}

// clean empties the kernel cache.
func (l *loop) clean(f effect.Effect) {
	done := &completion{effect: f}
	l.submit(worker.Job{
		Name: "clean " + f.ID.String(), Priority: worker.Urgent,
		Run: func(context.Context) error { done.cleared = l.plane.kernels.Clear(); return nil },
	}, done)
}

// cleanedInput is what a cleanup has freed. A command that the end of its run, or its
// deadline, has closed meanwhile is not answered.
func (l *loop) cleanedInput(c *completion) leyline.Input {
	if l.state.Kasmina.PendingEffect(c.effect.ID) == nil || c.outcome.State != worker.Done {
		l.log.Warn("the kernel cache was cleared for a command that is closed", "effect", c.effect.ID.String(), "err", c.outcome.Err)
		return nil
	}
	x := c.cleared
	return leyline.CacheCleared{
		Run: c.effect.Run, Effect: c.effect.ID, Kernels: uint32(x.Kernels), Bytes: x.Bytes, Kept: uint32(x.Kept),
		TookNs: uint64(c.outcome.Queued + c.outcome.Ran),
	}
}

// configureKernels brings the settings of the kernel cache into force.
func (p *Plane) configureKernels(c *leyline.KasminaConfig) {
	p.kernels.Configure(uint64(c.CacheMiB)<<20, c.CacheTTL.Duration())
	p.samples.Store(c.PrewarmSamples)
}

// KernelStats says what the kernel cache holds and has done.
func (p *Plane) KernelStats() kernelcache.Stats { return p.kernels.Stats() }

// Kernels returns the kernels for a trainer in this process: the very bytes that were
// verified where they are staged, and what lies in the kernel store where they are
// not. Who reads the latter verifies it.
func (p *Plane) Kernels() fs.FS { return stagedKernels{p} }

type stagedKernels struct{ plane *Plane }

// Open implements fs.FS.
func (s stagedKernels) Open(name string) (fs.File, error) {
	if lease, ok := s.plane.kernels.Named(name); ok {
		return &stagedFile{Reader: bytes.NewReader(lease.Bytes), lease: lease, name: name}, nil
	}
	return s.plane.opts.Kernels.Open(name)
}

// stagedFile is a kernel in memory, which stays there until it is closed.
type stagedFile struct {
	*bytes.Reader
	lease *kernelcache.Lease[kernelFacts]
	name  string
}

func (f *stagedFile) Stat() (fs.FileInfo, error) { return stagedInfo{f.name, f.Reader.Size()}, nil }

func (f *stagedFile) Close() error {
	f.lease.Release()
	return nil
}

type stagedInfo struct {
	name string
	size int64
}

func (i stagedInfo) Name() string       { return i.name }
func (i stagedInfo) Size() int64        { return i.size }
func (i stagedInfo) Mode() fs.FileMode  { return 0o444 }
func (i stagedInfo) ModTime() time.Time { return time.Time{} }
func (i stagedInfo) IsDir() bool        { return false }
func (i stagedInfo) Sys() any           { return nil }
