package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/esper-plane/esper/cmd/internal/archtest"
)

const (
	listedComplexity = 12  // functions from here on are named
	listedLines      = 300 // files longer than this are named
)

// bands are the lower bounds of the bands of complexity that are counted. What
// is simpler is not: adding a simple function should change nothing here.
var bands = [...]int{4, 8, 12}

const header = `# What static analysis says of this module, as "make lint" finds it. A change
# is made with "make lint-update" and shows in review.
`

// snapshot renders what the linters and the source say, without line numbers,
// which move with every change.
func snapshot(results []result, src *archtest.Source) string {
	var b strings.Builder
	b.WriteString(header)
	b.WriteString("\n# Linter, version (- is that of the go command), warnings.\n")
	var functions []function
	for _, r := range results {
		fmt.Fprintf(&b, "%-12s %-7s %d\n", r.name, cmp.Or(r.version, "-"), len(r.warnings))
		functions = append(functions, r.functions...)
	}
	spread(&b, functions)
	fmt.Fprintf(&b, "\n# Functions with a cognitive complexity of %d or more.\n", listedComplexity)
	slices.SortFunc(functions, func(x, y function) int {
		return cmp.Or(-cmp.Compare(x.complexity, y.complexity), cmp.Compare(x.dir, y.dir), cmp.Compare(x.name, y.name))
	})
	for _, f := range functions {
		if f.complexity >= listedComplexity {
			fmt.Fprintf(&b, "%d %s %s\n", f.complexity, f.dir, f.name)
		}
	}
	files(&b, src)
	return b.String()
}

// spread counts the functions of each package by band.
func spread(b *strings.Builder, functions []function) {
	counts := map[string]*[len(bands)]int{}
	for _, f := range functions {
		n := counts[f.dir]
		if n == nil {
			n = new([len(bands)]int)
			counts[f.dir] = n
		}
		for i := len(bands) - 1; i >= 0; i-- {
			if f.complexity >= bands[i] {
				n[i]++
				break
			}
		}
	}
	fmt.Fprintf(b, "\n# Functions with a cognitive complexity of %d to %d, of %d to %d, of %d or more, by package.\n",
		bands[0], bands[1]-1, bands[1], bands[2]-1, bands[2])
	for _, dir := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[dir]; *n != [len(bands)]int{} {
			fmt.Fprintf(b, "%4d %4d %4d  %s\n", n[0], n[1], n[2], dir)
		}
	}
}

// files lists long files and the directives in all files.
func files(b *strings.Builder, src *archtest.Source) {
	fmt.Fprintf(b, "\n# Files of more than %d lines.\n", listedLines)
	for _, f := range src.Files {
		if n := bytes.Count(f.Text, []byte("\n")); n > listedLines {
			fmt.Fprintf(b, "%d %s\n", n, f.Path)
		}
	}
	b.WriteString("\n# Directives that silence a linter, and build constraints.\n")
	for _, f := range src.Files {
		directives(b, f)
	}
}

func directives(b *strings.Builder, f *archtest.File) {
	for _, group := range f.AST.Comments {
		for _, c := range group.List {
			if isDirective(c.Text) {
				fmt.Fprintf(b, "%s: %s\n", f.Path, c.Text)
			}
		}
	}
}

// isDirective says whether a comment silences a linter or constrains a build.
func isDirective(comment string) bool {
	text, ok := strings.CutPrefix(comment, "//")
	if !ok {
		return false
	}
	for _, prefix := range []string{"lint:", "nolint", "go:build ", " +build "} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return strings.HasPrefix(strings.TrimSpace(text), "nolint:")
}

// diff lists the lines that only one of two texts has, in their order.
func diff(committed, now string) []string {
	a, b := strings.Split(committed, "\n"), strings.Split(now, "\n")
	var changed []string
	for _, line := range missing(a, b) {
		changed = append(changed, "- "+line)
	}
	for _, line := range missing(b, a) {
		changed = append(changed, "+ "+line)
	}
	if changed == nil && committed != now {
		return []string{"the same lines in another order"}
	}
	return changed
}

// missing returns the lines of a that b does not have, as often as it lacks them.
func missing(a, b []string) []string {
	have := map[string]int{}
	for _, line := range b {
		have[line]++
	}
	var all []string
	for _, line := range a {
		if have[line]--; have[line] < 0 {
			all = append(all, line)
		}
	}
	return all
}
