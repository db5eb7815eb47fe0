package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
)

// outside knows the types of packages that are not ours. It is shared, since the standard library is the same for every tree, and it is not
// safe for concurrent use: outsideMu guards it.
var (
	outside   = sync.OnceValue(newOutside)
	outsideMu sync.Mutex
)

// typed is one package of ours with its types.
type typed struct {
	pkg  *types.Package
	info *types.Info
	err  error // the first thing that could not be resolved
}

// resolver type-checks the packages of one Source, each once.
type resolver struct {
	src  *Source
	done map[string]*typed
}

// resolver returns the one that all checks of a Source share. It is not safe
// for concurrent use.
func (s *Source) resolver() *resolver {
	if s.types == nil {
		s.types = &resolver{src: s, done: map[string]*typed{}}
	}
	return s.types
}

// Import implements types.Importer.
func (r *resolver) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	own, ok := r.src.own(path)
	if !ok {
		outsideMu.Lock()
		defer outsideMu.Unlock()
		return outside().ImportFrom(path, ".", 0)
	}
	t := r.check(own)
	return t.pkg, t.err
}

// check type-checks one package; one that is not there is empty and an error.
func (r *resolver) check(pkg string) *typed {
	if t := r.done[pkg]; t != nil {
		return t
	}
	t := &typed{info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
	}}
	r.done[pkg] = t // an import cycle ends here, and is an error of its own
	var files []*ast.File
	for _, p := range r.src.Packages {
		if p.Path != pkg {
			continue
		}
		for _, f := range p.Files {
			files = append(files, f.AST)
		}
	}
	if len(files) == 0 {
		t.err = fmt.Errorf("there is no package %s", pkg)
	}
	conf := types.Config{Importer: r, FakeImportC: true, Error: func(err error) {
		if t.err == nil {
			t.err = err
		}
	}}
	t.pkg, _ = conf.Check(r.src.Module+"/"+pkg, r.src.Fset, files, t.info) // the error is the first that Error got
	return t
}

// object returns what an expression that names something refers to.
func (t *typed) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return t.info.Uses[e]
	case *ast.SelectorExpr:
		return t.info.Uses[e.Sel]
	case *ast.IndexExpr:
		return t.object(e.X)
	case *ast.IndexListExpr:
		return t.object(e.X)
	}
	return nil
}

// isFunc says whether an expression names pkg.name.
func (t *typed) isFunc(e ast.Expr, pkg, name string) bool {
	o := t.object(e)
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == pkg && o.Name() == name
}

// kinds returns the underlying types that a value of type t can have: one, or
// for a type parameter those of its constraint.
func kinds(t types.Type) []types.Type {
	switch u := t.(type) {
	case nil:
		return nil
	case *types.Alias:
		return kinds(types.Unalias(u))
	case *types.TypeParam:
		return constraintKinds(u.Constraint())
	case *types.Union:
		var all []types.Type
		for term := range u.Terms() {
			all = append(all, kinds(term.Type())...)
		}
		return all
	}
	return []types.Type{t.Underlying()}
}

func constraintKinds(constraint types.Type) []types.Type {
	iface, ok := constraint.Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	var all []types.Type
	for embedded := range iface.EmbeddedTypes() {
		if _, nested := embedded.Underlying().(*types.Interface); nested {
			all = append(all, constraintKinds(embedded)...)
			continue
		}
		all = append(all, kinds(embedded)...)
	}
	return all
}

// newOutside reads what the compiler says of packages that are not ours, since
// checking the source of all our dependencies takes ten times as long.
func newOutside() types.ImporterFrom {
	files := map[string]string{} // export data by import path
	lookup := func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			if err := listExports(files, path); err != nil {
				return nil, err
			}
		}
		if files[path] == "" {
			return nil, errors.New("the go command knows no such package")
		}
		return os.Open(files[path])
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", lookup).(types.ImporterFrom)
}

// listExports asks the go command for the export data of a package and of all
// that it needs; the first time also for those of this module.
func listExports(files map[string]string, path string) error {
	args := []string{"list", "-e", "-deps", "-export", "-f", "{{if .Export}}{{.ImportPath}}\t{{.Export}}{{end}}", path}
	if info, ok := debug.ReadBuildInfo(); ok && len(files) == 0 {
		args = append(args, info.Main.Path+"/...")
	}
	out, err := exec.Command("go", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("cannot list %s: %w: %s", path, err, exit.Stderr)
	} else if err != nil {
		return fmt.Errorf("cannot list %s: %w", path, err)
	}
	for line := range strings.Lines(string(out)) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			files[name] = file
		}
	}
	return nil
}
