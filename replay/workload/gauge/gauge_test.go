package gauge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A reading covers the last 0.1 to 0.2 s, however often it is asked for.
func TestPercentOfTheLastMoments(t *testing.T) {
	began := time.Now()
	var c CPU
	used := time.Duration(0)
	for _, x := range []struct {
		at, used time.Duration // since the beginning, since the last call
		percent  float64
		ok       bool
	}{
		{0, 0, 0, false},
		{99 * time.Millisecond, 10 * time.Millisecond, 0, false},
		{100 * time.Millisecond, 0, 5, true},                        // 10 of 200 ms
		{150 * time.Millisecond, 140 * time.Millisecond, 50, true},  // 150 of 300 ms
		{200 * time.Millisecond, 0, 37.5, true},                     // 150 of 400 ms: from here on the first 100 ms are forgotten
		{300 * time.Millisecond, 60 * time.Millisecond, 50, true},   // 200 of 400 ms since 100 ms
		{600 * time.Millisecond, 900 * time.Millisecond, 100, true}, // 960 of 800 ms since 200 ms: the clocks differ
		{700 * time.Millisecond, 0, 100, true},
		{800 * time.Millisecond, 0, 0, true}, // idle since 600 ms
	} {
		used += x.used
		percent, ok := c.next(mark{began.Add(x.at), used}, 2)
		if percent != x.percent || ok != x.ok {
			t.Errorf("at %v: %v %v, want %v %v", x.at, percent, ok, x.percent, x.ok)
		}
	}
}

// The processor time is this process's own: work shows in it, waiting does not.
func TestPercentIsMeasured(t *testing.T) {
	percent := func(wait func(time.Duration)) float64 {
		var c CPU
		_, _, err := c.Percent()
		ok(t, err)
		for {
			wait(20 * time.Millisecond)
			p, measured, err := c.Percent()
			ok(t, err)
			if measured {
				return p
			}
		}
	}
	idle := percent(time.Sleep)
	busy := percent(func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); {
		}
	})
	if busy <= idle || busy <= 0 || busy > 100 || idle < 0 {
		t.Errorf("%v %% at work, %v %% asleep", busy, idle)
	}
}

const line = "2026/11/26 21:14:03.123, 45 %, 1024 MiB, 512 MiB"

func TestGPUFile(t *testing.T) {
	at, err := time.ParseInLocation(gpuTime, line[:len(gpuTime)], time.Local)
	ok(t, err)
	want := GPU{At: at, Util: 45, UsedGB: 1, FreeGB: 0.5}
	old := strings.Replace(line, "21:14:03", "21:14:00", 1)
	for _, x := range []struct {
		name, content, problem string
	}{
		{"one reading", gpuHeader + "\n" + line + "\n", ""},
		{"with carriage returns", gpuHeader + "\r\n" + line + "\r\n", ""},
		{"the newest counts", gpuHeader + "\n" + strings.Repeat(old+"\n", 10_000) + line + "\n", ""},
		{"half a line is not looked at", gpuHeader + "\n" + line + "\n2026/11/26 21:14:04", ""},
		{"empty", "", "no whole line yet"},
		{"header only", gpuHeader + "\n", "no reading yet"},
		{"header and half a line", gpuHeader + "\n" + line, "no reading yet"},
		{"no header", line + "\n" + line + "\n", "not with"},
		{"another query", "timestamp, temperature.gpu\n2026/11/26 21:14:03.123, 45\n", "nvidia-smi -i 0"},
		{"stale", gpuHeader + "\n" + strings.Replace(line, "21:14:03.123", "21:13:59.100", 1) + "\n", "still running"},
		{"from the future", gpuHeader + "\n" + strings.Replace(line, "21:14", "21:15", 1) + "\n", "still running"},
		{"cannot be told", gpuHeader + "\n" + strings.Replace(line, "45 %", "[N/A]", 1) + "\n", "not a number"},
		{"over 100 %", gpuHeader + "\n" + strings.Replace(line, "45 %", "101 %", 1) + "\n", "not a number"},
		{"another unit", gpuHeader + "\n" + strings.Replace(line, "1024 MiB", "1 GiB", 1) + "\n", "not a number"},
		{"negative", gpuHeader + "\n" + strings.Replace(line, "1024", "-1", 1) + "\n", "not a number"},
		{"a field too few", gpuHeader + "\n" + strings.TrimSuffix(line, ", 512 MiB") + "\n", "3 fields"},
		{"no time", gpuHeader + "\n" + strings.Replace(line, "11/26", "13/26", 1) + "\n", "no timestamp"},
		{"a line of the wrong kind of commas", gpuHeader + "\n" + strings.Replace(line, "03.123", "03,123", 1) + "\n", "no timestamp"},
		{"one endless line", gpuHeader + "\n" + strings.Repeat("x", 10_000) + "\n", "no reading yet"},
		{"one endless first line", strings.Repeat("x", 10_000) + "\n", "no whole line yet"},
	} {
		t.Run(x.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gpu.csv")
			ok(t, os.WriteFile(path, []byte(x.content), 0o600))
			f := GPUFile{Path: path, Now: func() time.Time { return at.Add(time.Second) }}
			got, err := f.Read()
			switch {
			case x.problem == "" && (err != nil || got != want):
				t.Errorf("read %+v, %v", got, err)
			case x.problem != "" && (err == nil || !strings.Contains(err.Error(), x.problem) || !strings.Contains(err.Error(), path)):
				t.Errorf("read %+v, %v; want an error with %q", got, err, x.problem)
			}
		})
	}
	if _, err := (&GPUFile{Path: filepath.Join(t.TempDir(), "none")}).Read(); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Whatever a line holds, it is refused or says what it is read as.
func FuzzGPULine(f *testing.F) {
	f.Add(line)
	f.Add("2026/02/29 21:14:03.123, 45 %, 1 MiB, 2 MiB")
	f.Add("2026/11/26 21:14:03.123, +4 %, 0x1 MiB, 2 MiB")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := parseGPU(s, time.UTC)
		if err != nil {
			return
		}
		if g.At.Format(gpuTime) != s[:len(gpuTime)] || !(g.Util >= 0 && g.Util <= 100) || !(g.UsedGB >= 0 && g.UsedGB <= maxMiB/1024) || !(g.FreeGB >= 0 && g.FreeGB <= maxMiB/1024) {
			t.Errorf("%q was read as %+v", s, g)
		}
	})
}
