//go:build linux && !race

// The race detector maps more than the limit for itself.

package wire

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/esper-plane/esper/leyline"
)

// memoryLimit is what a process may have of private memory while it decodes.
const memoryLimit = 256 << 20

// TestBombsUnderAMemoryLimit decodes every bomb with every decoder in a process
// that the kernel gives no more than memoryLimit. A second process shows that the
// limit bites: there the library's own decoder is given one of them.
func TestBombsUnderAMemoryLimit(t *testing.T) {
	if how := os.Getenv("WIRE_BOMBS"); how != "" {
		limitMemory(t)
		detonate(t, how)
		return
	}
	for how, survives := range map[string]bool{"ours": true, "library": false} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "-test.run=^TestBombsUnderAMemoryLimit$", "-test.v")
		cmd.Env = append(os.Environ(), "WIRE_BOMBS="+how)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		switch {
		case survives && (err != nil || !strings.Contains(string(out), "bombs refused")):
			t.Errorf("%s: %v\n%s", how, err, tail(out))
		case !survives && (err == nil || !strings.Contains(string(out), "out of memory") && !strings.Contains(string(out), "cannot allocate memory")):
			t.Errorf("%s survives, so the limit proves nothing: %v\n%s", how, err, tail(out))
		}
	}
}

func tail(out []byte) string { return string(out[max(0, len(out)-2000):]) }

// limitMemory limits what this process may map for itself.
func limitMemory(t *testing.T) {
	l := syscall.Rlimit{Cur: memoryLimit, Max: memoryLimit}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &l); err != nil {
		t.Fatal(err)
	}
}

func detonate(t *testing.T, how string) {
	all := bombs()
	if how == "library" {
		var v []int64
		t.Fatalf("the library decodes the bomb: %v, %d", msgpack.Unmarshal(all["array32 4G"], &v), len(v))
	}
	refused := 0
	for name, b := range all {
		for target, decode := range map[string]func() error{
			"record":  func() error { _, err := DecodeRecord(1, 1, b); return err },
			"command": func() error { _, err := DecodeCommand(b); return err },
			"config":  func() error { _, err := DecodeConfig(b); return err },
			"key":     func() error { _, err := DecodeKey(b); return err },
			"report":  func() error { _, err := DecodeReport(b); return err },
			"numbers": func() error { return Unmarshal(b, new([]int64)) },
			"structs": func() error { return Unmarshal(b, new([]leyline.Command)) },
			"texts":   func() error { return Unmarshal(b, new([]string)) },
			"bytes":   func() error { return Unmarshal(b, new([]byte)) },
		} {
			if decode() == nil {
				t.Errorf("%s is decoded as %s", name, target)
			}
			refused++
		}
	}
	fmt.Printf("%d bombs refused under %d MiB\n", refused, memoryLimit>>20)
}
