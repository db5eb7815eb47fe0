package archtest

import (
	"slices"
	"testing"
)

// owner is a leyline with one fact of every sort.
const owner = `package leyline

type MetricName string

const MetricLoss MetricName = "tolaria.training.loss"

const PayloadCommand = "application/vnd.esper.command.v0"

const (
	MaxPath      = 4096
	MaxSnapshots = 64
	Tolerance    = 0.125
)

type Enum[S any] uint8

type healths struct{}

func (healths) list() []string { return healthNames[:] }

var healthNames = [...]string{"unset", "non_finite", "CULLED", "open"}

type Health = Enum[healths]

const HealthCulled Health = 2

type Millis uint32

type ExecutionConfig struct {
	Log LogConfig ` + "`toml:\"log\"`" + `
}

type LogConfig struct {
	RollbackFull Millis ` + "`toml:\"rollback_full_ms\"`" + `
	SegmentMiB   uint32 ` + "`toml:\"segment_mib\"`" + `
}

func DefaultConfig() LogConfig { return LogConfig{RollbackFull: 12_000, SegmentMiB: 20} }
`

func TestPlantedConstants(t *testing.T) {
	plane := func(body string) map[string]string {
		return map[string]string{"leyline/a.go": owner, "subsystems/plane/a.go": "package plane\n\n" + body}
	}
	two := func(a, b string) map[string]string {
		files := plane("")
		files["eventlog/a.go"] = "package eventlog\n\nconst a = " + a + "\n"
		files["replay/a.go"] = "package replay\n\n// Said twice.\nconst b = " + b + "\n"
		return files
	}
	unresolved := plane("")
	unresolved["replay/a.go"] = "package replay\n\nvar x = nowhere.Y\n"
	expect(t, CheckConstants, []plant{
		{"nothing", plane(""), ""},
		{"metric", plane(`var x = "tolaria.training.loss"`), "belongs to leyline, as MetricLoss"},
		{"metric in a function", plane("func f(s string) bool {\n\treturn s == `tolaria.training.loss`\n}"), "a.go:4:14"},
		{"payload type", plane(`const x = "application/vnd.esper.command.v0"`), "PayloadCommand"},
		{"member", plane(`var x = "non_finite"`), "a member of an enum"},
		{"member in capitals", plane(`var x = "CULLED"`), "a member of an enum"},
		{"a word", plane(`var x = "open"`), ""},
		{"key", plane(`var x = "log.rollback_full_ms"`), "a key of the configuration"},
		{"part of a key", plane(`var x = "rollback_full_ms"`), ""},
		{"part of a text", plane(`var x = "set log.rollback_full_ms"`), ""},
		{"tag", plane("type x struct { Y int `non_finite` }"), ""},
		{"import", plane(`import _ "os"`), ""},
		{"excused on its line", plane(`var x = "non_finite" // constant: local because it must be.`), ""},
		{"excused above", plane("// constant: local\n// because it must be.\nvar x = \"non_finite\""), ""},
		{"excused for a block", plane("// Two.\n//\n// constant: local because it must be.\nconst (\n\tx = 1\n\ty = \"non_finite\"\n)"), ""},
		{"excused for a function", plane("// constant: local because it must be.\nfunc f() string {\n\n\n\treturn \"non_finite\"\n}"), ""},
		{"excused elsewhere", plane("// constant: local because it must be.\nvar x = 1\n\nvar y = \"non_finite\""), "a.go:6:9"},

		{"same name", plane(`const maxPath = 1`), "maxPath has the name of MaxPath"},
		{"same name of a default", plane(`var RollbackFull = 1`), "has the name of RollbackFull"},
		{"code of an enum", plane(`const healthCulled = 2`), ""},
		{"taken from leyline", plane("import \"example.org/m/leyline\"\nconst MaxPath = 2 * leyline.MaxPath"), ""},
		{"same value and word", plane(`const longestPath = 1 << 12`), "longestPath has the value of MaxPath"},
		{"same value, other word", plane(`const window = 4096`), ""},
		{"same word, other value", plane(`const pathDepth = 4095`), ""},
		{"small", plane(`const snapshotsAtOnce = 63`), ""},
		{"fraction", plane(`const ourTolerance = 1.0 / 8`), "the value of Tolerance"},
		{"duration", plane("import \"time\"\nconst rollbackTime = 12 * time.Second"), "the value of RollbackFull"},
		{"duration in another unit", plane(`const rollbackTime = 12_000`), ""},
		{"size", plane(`const segmentBytes = 20 << 20`), "the value of SegmentMiB"},
		{"local variable", plane("func f() int {\n\tmaxPath := 4096\n\tvar pathLen = 4096\n\treturn maxPath + pathLen\n}"), ""},
		{"local constant", plane("func f() int {\n\tconst maxPath = 1\n\treturn maxPath\n}"), "the name of MaxPath"},

		{"said twice", two(`"esper.origin"`, `"esper." + "origin"`), `replay/a.go:4:7: "esper.origin" is a constant of eventlog already`},
		{"said twice, short", two(`"a.b"`, `"a.b"`), ""},
		{"said twice, no name", two(`"esper: origin"`, `"esper: origin"`), ""},
		{"said twice, excused", two(`"esper.origin"`, `"esper.origin" // constant: local because it must be.`), ""},
		{"in a test", func() map[string]string {
			files := plane("")
			files["subsystems/plane/a_test.go"] = "package plane\n\nvar x = \"non_finite\"\n"
			return files
		}(), ""},
		{"unresolved", unresolved, "cannot resolve its types"},
	})
}

func TestWords(t *testing.T) {
	for name, want := range map[string][]string{
		"MaxIDLen": {"max", "id", "len"}, "SegmentMiB": {"segment", "mi", "b"}, "a": {"a"}, "EWMAAlpha": {"ewma", "alpha"},
	} {
		if got := words(name); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
