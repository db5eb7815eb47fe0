package archtest

import (
	"go/ast"
	"go/types"
	"path"
	"strings"
)

// The settings are the fields of the sections of configStruct, a structure of
// package configPackage whose files with the prefix configFiles declare, validate
// and list them.
const (
	configPackage = "leyline"
	configStruct  = "ExecutionConfig"
	configFiles   = "config"
)

// CheckSettings finds settings that nothing reads. What is read in the files that
// declare them counts if it is in a function that is used elsewhere; what is read by
// reflection, in tests, or only to be set does not count.
func CheckSettings(src *Source) []Finding {
	r := src.resolver()
	fields := settingFields(r)
	if len(fields) == 0 {
		return []Finding{{"settings", configPackage, "has no " + configStruct + " with sections; whether settings are read cannot be seen"}}
	}
	u := uses{reads: map[types.Object]bool{}, within: map[types.Object][]types.Object{}}
	for _, p := range src.Packages {
		t := r.check(p.Path)
		for _, f := range p.Files {
			u.file(t, f, p.Path == configPackage && strings.HasPrefix(path.Base(f.Path), configFiles))
		}
	}
	u.follow()
	var found []Finding
	for _, f := range fields {
		if !u.reads[f] {
			found = append(found, src.finding("settings", f.Pos(), "nothing reads the setting %s", f.Name()))
		}
	}
	return sorted(found)
}

// settingFields lists the fields of all sections.
func settingFields(r *resolver) []*types.Var {
	if !r.src.has(configPackage) {
		return nil
	}
	t := r.check(configPackage)
	if t.pkg == nil || t.pkg.Scope().Lookup(configStruct) == nil {
		return nil
	}
	var out []*types.Var
	for section := range fieldsOf(t.pkg.Scope().Lookup(configStruct).Type()) {
		for f := range fieldsOf(section.Type()) {
			out = append(out, f)
		}
	}
	return out
}

// fieldsOf yields the fields of a structure.
func fieldsOf(t types.Type) func(yield func(*types.Var) bool) {
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return func(func(*types.Var) bool) {}
	}
	return s.Fields()
}

// has says whether the module has a package.
func (s *Source) has(pkg string) bool {
	for _, p := range s.Packages {
		if p.Path == pkg && len(p.Files) > 0 {
			return true
		}
	}
	return false
}

// uses collects which objects are read, and which are within a function of the
// files that declare the settings.
type uses struct {
	reads  map[types.Object]bool
	within map[types.Object][]types.Object
}

func (u *uses) file(t *typed, f *File, declares bool) {
	for _, d := range f.AST.Decls {
		fn, ok := d.(*ast.FuncDecl)
		found := readIn(t, d)
		switch {
		case !declares:
			for _, o := range found {
				u.reads[o] = true
			}
		case ok:
			name := t.info.Defs[fn.Name]
			u.within[name] = append(u.within[name], found...)
		}
	}
}

// follow adds what is read by functions that are used themselves, until there is
// no more.
func (u *uses) follow() {
	for more := true; more; {
		more = false
		for fn, objects := range u.within {
			if !u.reads[fn] {
				continue
			}
			delete(u.within, fn)
			more = true
			for _, o := range objects {
				u.reads[o] = true
			}
		}
	}
}

// readIn lists the objects that a declaration mentions other than to set them.
func readIn(t *typed, d ast.Decl) []types.Object {
	set := map[*ast.Ident]bool{}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, x := range n.Lhs {
				markSet(set, x)
			}
		case *ast.IncDecStmt:
			markSet(set, n.X)
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok {
				set[id] = true
			}
		}
		return true
	})
	var out []types.Object
	ast.Inspect(d, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !set[id] && t.info.Uses[id] != nil {
			out = append(out, t.info.Uses[id])
		}
		return true
	})
	return out
}

// markSet marks the name that an assignment sets: the last one of a selector.
func markSet(set map[*ast.Ident]bool, e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		set[e] = true
	case *ast.SelectorExpr:
		set[e.Sel] = true
	}
}
