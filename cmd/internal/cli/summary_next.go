package cli

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// nextStep is a command worth trying after a run.
type nextStep struct {
	Command string `json:"command"`
	What    string `json:"what"`
}

// next lists what to try, with the positions of this very run.
func (d *summaryDoc) next(dir string) []nextStep {
	dir = shell(dir)
	out := []nextStep{
		{"esper replay " + dir, "decide everything again and compare"},
		{"esper audit " + dir, "who commanded what"},
	}
	if seq, what := d.telling(); seq != 0 {
		out = append(out, nextStep{fmt.Sprintf("esper replay --explain %d %s", seq, dir), what})
	}
	if n := len(d.Rollbacks); n > 0 {
		out = append(out, nextStep{(*fall)(&d.Rollbacks[n-1]).bundle(dir, d.Last), "the incident as one file"})
	}
	if d.Comparison != nil && len(d.Comparison.Runs) > 1 {
		r := d.Comparison.Runs[len(d.Comparison.Runs)-1]
		out = append(out, nextStep{"esper replay " + shell(r.Data), "a run it was compared with: " + r.Name})
	}
	return out
}

// bundle is the command that cuts this very rollback out of the log.
func (b *fall) bundle(dir string, last leyline.Seq) string {
	from, to := b.Records.Started, max(b.Records.Started, b.Records.Finished, b.Records.Good)
	return fmt.Sprintf("esper replay bundle --from %d --to %d -o %s.esper %s", max(from, margin+2)-margin, min(to+margin, last), b.ID, dir)
}

// telling is the record most worth explaining: that of the halt, else of the
// newest rollback, else of the newest verdict on a seed.
func (d *summaryDoc) telling() (leyline.Seq, string) {
	if d.haltedAt != 0 {
		return d.haltedAt, "why it was halted"
	}
	if n := len(d.Rollbacks); n > 0 {
		return d.Rollbacks[n-1].Records.Started, "why it was rolled back"
	}
	var seq leyline.Seq
	what := ""
	for _, l := range d.Seeds {
		if l.Verdict != nil && l.Verdict.Seq > seq {
			seq, what = l.Verdict.Seq, fmt.Sprintf("why %s of %s", l.Verdict.Operation, l.Seed)
		}
	}
	return seq, what
}

// shell quotes a path for a shell where it needs that.
func shell(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
