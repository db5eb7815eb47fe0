package archtest

import (
	"testing"
	"testing/fstest"
)

func TestPlantedComments(t *testing.T) {
	two := at("leyline/a.go", "// Package leyline is.\npackage leyline")
	two["leyline/b.go"] = "// Package leyline is, again.\npackage leyline"
	split := at("leyline/a.go", "// Package leyline is.\npackage leyline")
	split["leyline/b.go"] = "package leyline"
	expect(t, CheckPackageComments, []plant{
		{"one", split, ""},
		{"none", at("leyline/a.go", "// This is not it.\n\npackage leyline"), "has no package comment"},
		{"only a directive", at("leyline/a.go", "//go:debug x=1\npackage leyline"), "has no package comment"},
		{"two", two, "more than one package comment: a.go, b.go"},
		{"tests need none", at("leyline/a_test.go", "package leyline"), ""},
	})
}

func TestPlantedModule(t *testing.T) {
	expect(t, CheckModule, []plant{
		{"plain", at("go.mod", "module m\n// replace is not used\n"), ""},
		{"replace", at("go.mod", "module m\nreplace a => ../a\n"), "replace"},
		{"replace block", at("go.mod", "module m\nreplace(\n a => ../a\n)\n"), "replace"},
	})
}

func TestPlantedTopLevel(t *testing.T) {
	built := at("esper", "")
	built["data/x"] = ""
	built[".gitignore"] = "/esper\n/data/\n*.prof\n"
	built["cpu.prof"] = ""
	expect(t, CheckTopLevel, []plant{
		{"known", at("README.md", ""), ""},
		{"dot", at(".ci/run", ""), ""},
		{"ignored", built, ""},
		{"file", at("NOTES.md", ""), "NOTES.md: is outside"},
		{"folder", at("internal/a", ""), "internal: is outside"},
		{"below is free", at("leyline/PROTOCOL.md", ""), ""},
	})
}

func TestPlantedEnvironment(t *testing.T) {
	read := func(imp, expr string) string { return "package p; import " + imp + "; var x, _ = " + expr }
	expect(t, CheckEnvironment, []plant{
		{"cli", at("cmd/internal/cli/a.go", read(`"os"`, `os.LookupEnv("A")`)), ""},
		{"other command package", at("cmd/internal/metrics/a.go", read(`"os"`, `os.LookupEnv("A")`)), "reads the environment"},
		{"plane", at("subsystems/plane/a.go", read(`"os"`, `os.Getenv("A"), 0`)), "reads the environment"},
		{"other name", at("subsystems/plane/a.go", read(`z "os"`, `z.Environ(), 0`)), "reads the environment"},
		{"no name", at("subsystems/plane/a.go", read(`. "os"`, `Environ(), 0`)), "under no name"},
		{"home", at("subsystems/plane/a.go", read(`"os"`, `os.UserHomeDir()`)), "reads the environment"},
		{"proxy", at("subsystems/plane/a.go", read(`"net/http"`, `"", http.DefaultClient`)), "reads the environment"},
		{"system call", at("subsystems/plane/a.go", read(`"syscall"`, `syscall.Getenv("A")`)), "reads the environment"},
		{"not os", at("subsystems/plane/a.go", "package plane; var x = os.Getenv"), ""},
		{"test", at("subsystems/plane/a_test.go", read(`"os"`, `os.LookupEnv("A")`)), ""},
	})
}

func TestPlantedText(t *testing.T) {
	comment := func(s string) map[string]string { return at("leyline/a.go", "package leyline\n// "+s) }
	expect(t, CheckText, []plant{
		{"clean", comment("a/tm" + "p/b and k/ro" + "ot/x and https://a.org/wo" + "rk/"), ""},
		{"unfinished", comment("TO" + "DO later"), "leyline/a.go:2:4: says that something is unfinished"},
		{"to be mended", comment("FIX" + "ME"), "unfinished"},
		{"path", comment("see /ro" + "ot/x"), "leyline/a.go:2:7: names a path of one machine"},
		{"quoted path", comment(`"/tm` + `p/x"`), "names a path"},
		{"in a test", at("leyline/a_test.go", "package leyline\n// /ho"+"me/me/x"), "names a path"},
		{"in a program", at("testdata/x/gen.go", "//go:build ignore\n\npackage main\n// /ho"+"me/me/x"), "names a path"},
	})
}

func TestPlantedOneSource(t *testing.T) {
	assembly := pure("")
	assembly["leyline/a_amd64.s"] = ""
	expect(t, func(s *Source) []Finding { return CheckOneSource(s, Table) }, []plant{
		{"plain", pure(""), ""},
		{"constraint", at("leyline/a.go", "//go:build amd64\n\npackage leyline"), "some machines only"},
		{"negative constraint", at("leyline/a.go", "//go:build !windows\n\npackage leyline"), "some machines only"},
		{"name", at("leyline/a_linux.go", "package leyline"), "some machines only"},
		{"assembly", assembly, "leyline/a_amd64.s: is not Go"},
		{"link trick", pure("//go:link" + "name now runtime.now\nfunc now()"), "reaches into another package"},
		{"free", at("eventlog/a_linux.go", "package eventlog"), ""},
		{"program", at("leyline/gen.go", "//go:build ignore\n\npackage main"), ""},
	})
}

func TestPlantedEnums(t *testing.T) {
	kinds := func(comment, base, first string) map[string]string {
		return at("eventlog/a.go", "package eventlog\n// Kind is.\n"+comment+"\ntype Kind "+base+"\nconst (\nA "+first+"\nB\n)\n")
	}
	elsewhere := at("eventlog/a.go", "package eventlog\ntype Kind int")
	elsewhere["eventlog/b.go"] = "package eventlog\nconst A Kind = 1 << iota"
	expect(t, CheckEnums, []plant{
		{"counted", kinds("", "uint8", "Kind = iota"), "Kind is an enum outside leyline"},
		{"counted without a type", at("eventlog/a.go", "package eventlog\nconst (\nA = iota\nB\n)"), "counts constants of no type"},
		{"counted without a type, excused", at("eventlog/a.go", "package eventlog\n// enum: local because it never leaves.\nconst (\nA = iota\nB\n)"), ""},
		{"one bit", at("eventlog/a.go", "package eventlog\nconst A = 1 << iota"), ""},
		{"counted from one", kinds("", "uint8", "Kind = iota + 1"), "Kind is an enum"},
		{"converted", kinds("", "uint8", "= Kind(iota)"), "Kind is an enum"},
		{"another file", elsewhere, "Kind is an enum"},
		{"excused", kinds("// enum: local because it never leaves.", "uint8", "Kind = iota"), ""},
		{"excused over two lines", kinds("// enum: local\n// because it never leaves.", "uint8", "Kind = iota"), ""},
		{"one constant", kinds("", "uint8", "Kind = 1"), ""},
		{"numbered by hand", kinds("", "uint8", "Kind = 1\nC Kind = 2"), "Kind is an enum"},
		{"numbered by hand, converted", kinds("", "uint8", "= Kind(1)\nC = Kind(2)"), "Kind is an enum"},
		{"numbered in one line", kinds("", "uint8", "= 0\nC, D Kind = 1, 2"), "Kind is an enum"},
		{"text", kinds("", "string", `Kind = "a"`), ""},
		{"texts", kinds("", "string", "Kind = `a`\nC Kind = `b`"), "Kind is an enum"},
		{"texts excused", kinds("// enum: local because it never leaves.", "string", "Kind = `a`\nC Kind = `b`"), ""},
		{"not an integer", kinds("", "float64", "Kind = iota"), ""},
		{"leyline", pure("type Kind int\nconst A Kind = iota"), ""},
		{"below leyline", at("leyline/wire/a.go", "package wire\ntype Kind int\nconst A Kind = iota"), "Kind is an enum"},
	})
}

// TestLoad pins what the walk reads and what it leaves out.
func TestLoad(t *testing.T) {
	src := tree(t, map[string]string{
		"leyline/a.go":             "package leyline",
		"leyline/a_test.go":        "package leyline",
		"leyline/testdata/b.go":    "not Go at all",
		"leyline/_old/b.go":        "not Go at all",
		".hidden/b.go":             "not Go at all",
		"data/b.go":                "not Go at all",
		".gitignore":               "/data/\n",
		nestedModules[0] + "/b.go": "not Go at all",
		"testdata/embed.go":        "package testdata",
		"testdata/penguins/gen.go": "//go:build ignore\n\npackage main",
	})
	var got []string
	for _, p := range src.Packages {
		got = append(got, p.Path)
	}
	if len(got) != 2 || got[0] != "leyline" || got[1] != "testdata" || len(src.Files) != 4 {
		t.Errorf("packages %v of %d files, want leyline and testdata of 4", got, len(src.Files))
	}
	for name, text := range map[string]string{"leyline/a.go": "package", "go.mod": "go 1.26"} {
		fsys := fstest.MapFS{"go.mod": {Data: []byte("module m")}, name: {Data: []byte(text)}}
		if _, err := Load(fsys); err == nil {
			t.Errorf("a broken %s is no error", name)
		}
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("a tree without go.mod is no error")
	}
}
