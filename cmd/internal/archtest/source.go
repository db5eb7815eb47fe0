package archtest

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A File is one Go file of the module.
type File struct {
	Path    string // below the root, with slashes
	Text    []byte
	AST     *ast.File
	Test    bool // its name ends in _test.go
	Program bool // it is behind "//go:build ignore" and belongs to no package
}

// A Package is a directory with Go files.
type Package struct {
	Path    string   // below the module; "." is the root
	Files   []*File  // what is compiled into the package
	Tests   []*File  // its _test.go files, in-package and external
	Foreign []string // files in other languages that the go command would compile
}

// Source is the source text of one module.
type Source struct {
	Module   string
	GoMod    []byte
	Ignored  []byte   // text of .gitignore
	Top      []string // names in the root
	Fset     *token.FileSet
	Files    []*File    // all Go files, by path
	Packages []*Package // by path

	types *resolver // once somebody has asked for types
}

// A Finding is one violation.
type Finding struct {
	Rule string // the name of the check
	Pos  string // file, file:line:column or package
	Text string
}

// String gives the finding in one line.
func (f Finding) String() string { return f.Pos + ": " + f.Text + " [" + f.Rule + "]" }

// foreignExtensions mark files that the go command compiles beside Go.
var foreignExtensions = []string{".s", ".S", ".sx", ".c", ".cc", ".cpp", ".h", ".hh", ".syso", ".swig"}

// Load reads the module whose go.mod lies in the root of fsys. Directories
// whose name begins with a dot or an underscore are not read, nor are those
// named testdata except the one in the root, nor those that the root's
// .gitignore names, nor modules of their own (nestedModules).
func Load(fsys fs.FS) (*Source, error) {
	src := &Source{Fset: token.NewFileSet()}
	var err error
	if src.GoMod, err = fs.ReadFile(fsys, "go.mod"); err != nil {
		return nil, fmt.Errorf("cannot read the module file: %w", err)
	}
	if src.Module = modulePath(src.GoMod); src.Module == "" {
		return nil, fmt.Errorf("cannot find the module line in go.mod")
	}
	if src.Ignored, err = fs.ReadFile(fsys, ".gitignore"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read .gitignore: %w", err)
	}
	packages := map[string]*Package{}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path.Dir(name) == "." && name != "." {
			src.Top = append(src.Top, name)
		}
		if d.IsDir() {
			return src.enter(name)
		}
		return src.add(fsys, packages, name)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	for _, p := range packages {
		if len(p.Files)+len(p.Tests) > 0 {
			src.Packages = append(src.Packages, p)
		}
	}
	slices.SortFunc(src.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	return src, nil
}

func modulePath(gomod []byte) string {
	for line := range bytes.Lines(gomod) {
		if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == "module" {
			return f[1]
		}
	}
	return ""
}

// enter says whether the walk goes into a directory.
func (s *Source) enter(dir string) error {
	base := path.Base(dir)
	switch {
	case dir == ".":
		return nil
	case base[0] == '.', base[0] == '_', base == "testdata" && dir != "testdata", s.ignores(dir),
		slices.Contains(nestedModules, dir):
		return fs.SkipDir
	}
	return nil
}

// ignores says whether .gitignore names an entry of the root.
func (s *Source) ignores(name string) bool {
	for line := range bytes.Lines(s.Ignored) {
		pattern := strings.Trim(strings.TrimSpace(string(line)), "/")
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

func (s *Source) add(fsys fs.FS, packages map[string]*Package, name string) error {
	dir := path.Dir(name)
	p := packages[dir]
	if p == nil {
		p = &Package{Path: dir}
		packages[dir] = p
	}
	if slices.Contains(foreignExtensions, path.Ext(name)) {
		p.Foreign = append(p.Foreign, name)
	}
	if path.Ext(name) != ".go" {
		return nil
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	tree, err := parser.ParseFile(s.Fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{Path: name, Text: text, AST: tree, Test: strings.HasSuffix(name, "_test.go")}
	f.Program = constraintOf(tree) == "//go:build ignore"
	s.Files = append(s.Files, f)
	switch {
	case f.Program:
	case f.Test:
		p.Tests = append(p.Tests, f)
	default:
		p.Files = append(p.Files, f)
	}
	return nil
}

// constraintOf returns the build constraint of a file, or nothing.
func constraintOf(f *ast.File) string {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if c.Pos() < f.Package && strings.HasPrefix(c.Text, "//go:build ") {
				return strings.TrimSpace(c.Text)
			}
		}
	}
	return ""
}

// imports lists the import paths of a file with their specs.
func (f *File) imports() map[string]*ast.ImportSpec {
	specs := make(map[string]*ast.ImportSpec, len(f.AST.Imports))
	for _, spec := range f.AST.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			specs[p] = spec
		}
	}
	return specs
}

func (s *Source) finding(rule string, pos token.Pos, format string, args ...any) Finding {
	return Finding{Rule: rule, Pos: s.Fset.Position(pos).String(), Text: fmt.Sprintf(format, args...)}
}

// matches says whether a package path falls under a pattern.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	root, tree := strings.CutSuffix(pattern, "/...")
	return pkg == root || tree && strings.HasPrefix(pkg, root+"/")
}

// ruleFor returns the first rule of the table for a package.
func ruleFor(table []Rule, pkg string) (Rule, bool) {
	for _, r := range table {
		if matches(r.Package, pkg) {
			return r, true
		}
	}
	return Rule{}, false
}

// with returns a list and more entries in fresh memory.
func with(list []string, more ...string) []string { return slices.Concat(list, more) }
