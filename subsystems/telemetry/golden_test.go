package telemetry

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// Rewrite the transcripts with
//
//	go test ./subsystems/telemetry -run TestTranscripts -update
//
// and commit only changes that you can explain.
var update = flag.Bool("update", false, "rewrite testdata")

// TestTranscripts plays each story and compares all packets, printed in full.
func TestTranscripts(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			var b strings.Builder
			for i, r := range s.records() {
				fmt.Fprintf(&b, "# %s\n", s.scenes[i].what)
				printPackets(&b, Packets(r))
				b.WriteString("\n")
			}
			compare(t, filepath.Join("testdata", s.name+".txt"), b.String())
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d differs\n got %q\nwant %q", file, i+1, line(g, i), line(w, i))
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

func printPackets(b *strings.Builder, packets []l.Packet) {
	if len(packets) == 0 {
		b.WriteString("(silent)\n")
	}
	for _, p := range packets {
		fmt.Fprintf(b, "%d %s %s run=%q %s/%s\n", p.Seq, p.At, p.Source, p.Run, p.Level, p.Priority)
		for _, m := range p.Metrics {
			fmt.Fprintf(b, "  metric %s = %v %s%s\n", m.Name, m.Value, m.Unit, printAttrs(m.Attrs))
		}
		for _, e := range p.Events {
			fmt.Fprintf(b, "  event  %s %s%s\n", e.Name, e.Level, printAttrs(e.Attrs))
		}
	}
}

func printAttrs(attrs []l.Attr) string {
	var b strings.Builder
	for _, a := range attrs {
		v := a.Value
		if v == "" || strings.ContainsAny(v, " \"\n") {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, v)
	}
	return b.String()
}
