package faultdisk

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Scenario is what Explore runs again and again.
type Scenario struct {
	// Start is a directory of which every run gets a copy, all durable; if it
	// is empty the runs get an empty one.
	Start string
	// Run changes files below root through d. In runs that stop or meet a
	// fault its error does not matter, in the others it must be nil. It
	// should close what it opens also if it fails. It can tell Check through
	// a variable what was acknowledged.
	Run func(root string, d *Disk) error
	// Check looks at what a crash left. It may change the image. It is called
	// after the run and before the next. The operations are those that were
	// made before the crash.
	Check func(image string, c Crash, ops []Op) error
	// Leave names files that are left out of the images, such as locks.
	Leave []string
	// Faults are tried at every operation, in runs that go on afterwards as
	// long as they like. Each is looked at as if the crash came at their end.
	Faults []Fault
	// Seeds is the number of images in each of the modes Torn and Prefix, of
	// every crash. The default is 4.
	Seeds int
	// Only makes Explore run and check this crash alone, and keep the image.
	// The message of a failure shows what to write here.
	Only *Crash
}

// Crash says which run of a scenario it was, and which of its images.
type Crash struct {
	Stop   int  // the operation at which the process died, or 0 for the end
	Before bool // it died before the operation, else after it
	Fail   int  // the operation that failed, or 0 for none
	Fault  int  // the index of its fault in Scenario.Faults
	Mode   Mode
	Seed   uint64
}

// GoString returns c as a Go expression.
func (c Crash) GoString() string {
	var fields []string
	if c.Stop > 0 {
		fields = append(fields, fmt.Sprintf("Stop: %d, Before: %t", c.Stop, c.Before))
	}
	if c.Fail > 0 {
		fields = append(fields, fmt.Sprintf("Fail: %d, Fault: %d", c.Fail, c.Fault))
	}
	fields = append(fields, fmt.Sprintf("Mode: faultdisk.%v, Seed: %d", c.Mode, c.Seed))
	return "faultdisk.Crash{" + strings.Join(fields, ", ") + "}"
}

// maxFailures is how many failures Explore reports before it gives up.
const maxFailures = 5

type explorer struct {
	Scenario
	t        testing.TB
	temp     string
	runs     int
	images   int
	failures int
}

// Explore runs a scenario once to count its operations, and checks what a
// crash at its end would leave. Then it runs it once for every operation,
// stopping the process after it, and once for every operation and fault. After each run it checks images in all modes; equal images of one run
// are checked once.
//
// A scenario should do the same operations in every run; if a run does not
// reach its operation the crash is at its end.
func Explore(t testing.TB, s Scenario) {
	t.Helper()
	if s.Seeds == 0 {
		s.Seeds = 4
	}
	e := &explorer{Scenario: s, t: t, temp: t.TempDir()}
	if s.Only != nil {
		e.run(*s.Only)
		return
	}
	ops := e.run(Crash{})
	if ops > 0 {
		e.run(Crash{Stop: 1, Before: true}) // before any other is after the one before it
	}
	for n := 1; n <= ops; n++ {
		e.run(Crash{Stop: n})
		for i := range s.Faults {
			e.run(Crash{Fail: n, Fault: i})
		}
	}
	t.Logf("%d operations, %d runs, %d images", ops, e.runs, e.images)
}

// run makes one run and checks its images. It returns the number of its
// operations.
func (e *explorer) run(c Crash) int {
	e.t.Helper()
	e.runs++
	root := filepath.Join(e.temp, fmt.Sprintf("run%d", e.runs))
	if err := e.copyStart(root); err != nil {
		e.t.Fatal(err)
	}
	defer os.RemoveAll(root)
	d := New(root)
	if c.Stop > 0 {
		d.StopAt(c.Stop, c.Before)
	}
	if c.Fail > 0 {
		d.FailAt(c.Fail, e.Faults[c.Fault])
	}
	if err := e.Run(root, d); err != nil && c.Stop == 0 && c.Fail == 0 {
		e.t.Fatalf("the scenario fails by itself: %v", err)
	}
	d.Stop() // what Check or a forgotten goroutine does comes after the crash
	ops := d.Ops()
	if e.Only != nil {
		e.check(d, c, ops, make(map[[sha256.Size]byte]bool))
	} else {
		e.checkModes(d, c, ops)
	}
	return len(ops)
}

func (e *explorer) copyStart(root string) error {
	if err := os.Mkdir(root, 0o750); err != nil || e.Start == "" {
		return err
	}
	return os.CopyFS(root, os.DirFS(e.Start))
}

func (e *explorer) checkModes(d *Disk, c Crash, ops []Op) {
	e.t.Helper()
	seen := make(map[[sha256.Size]byte]bool)
	for _, c.Mode = range Modes {
		seeds := 1
		if c.Mode == Torn || c.Mode == Prefix {
			seeds = e.Seeds
		}
		for seed := range seeds {
			c.Seed = uint64(e.runs*e.Seeds + seed)
			e.check(d, c, ops, seen)
		}
	}
}

// check checks one image, unless it was seen.
func (e *explorer) check(d *Disk, c Crash, ops []Op, seen map[[sha256.Size]byte]bool) {
	e.t.Helper()
	tree, err := d.render(c.Mode, c.Seed)
	if err != nil {
		e.t.Fatal(err)
	}
	tree = slices.DeleteFunc(tree, func(f entry) bool { return slices.Contains(e.Leave, f.path) })
	sum := tree.sum()
	if seen[sum] {
		return
	}
	seen[sum] = true
	e.images++
	image := filepath.Join(e.temp, "image")
	if e.Only != nil {
		if image, err = os.MkdirTemp("", "image"); err != nil {
			e.t.Fatal(err)
		}
		e.t.Logf("the image is kept in %s", image)
	}
	if err := tree.store(image); err != nil {
		e.t.Fatal(err)
	}
	if err := e.Check(image, c, ops); err != nil {
		e.fail(c, ops, tree, err)
	}
	if e.Only != nil {
		return
	}
	if err := os.RemoveAll(image); err != nil {
		e.t.Fatal(err)
	}
}

func (e *explorer) fail(c Crash, ops []Op, tree tree, err error) {
	e.t.Helper()
	last := "none"
	if len(ops) > 0 {
		last = ops[len(ops)-1].String()
	}
	fault := ""
	if c.Fail > 0 && c.Fail <= len(ops) {
		fault = fmt.Sprintf("\nfailed operation: %v, fault %+v", ops[c.Fail-1], e.Faults[c.Fault])
	}
	e.t.Errorf("%v\nlast operation: %s%s\nimage:\n%vto see it again: Only: &%#v", err, last, fault, tree, c)
	if e.failures++; e.failures >= maxFailures {
		e.t.Fatalf("gave up after %d failures", e.failures)
	}
}
