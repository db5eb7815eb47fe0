package archtest

import (
	"fmt"
	"go/constant"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// API lists the exported surface of every package that others can import: by
// package path, one text in which a change of the surface is a change of few
// lines. Identifiers are sorted; the fields of a struct stand below it in the
// order of their declaration, since that order is part of a stored format, and
// are followed by what can be called on it, promoted methods included. A type
// that could not be resolved is an error: a surface that cannot be seen cannot
// be compared.
func API(src *Source) (map[string]string, error) {
	all := map[string]string{}
	r := src.resolver()
	for _, p := range src.Packages {
		if len(p.Files) == 0 || p.Files[0].AST.Name.Name == "main" {
			continue
		}
		t := r.check(p.Path)
		if t.err != nil {
			return nil, fmt.Errorf("cannot resolve the types of %s: %w", p.Path, t.err)
		}
		all[p.Path] = surface(t.pkg)
	}
	return all, nil
}

// surface renders the exported names of one package.
func surface(pkg *types.Package) string {
	w := &apiWriter{pkg: pkg}
	for _, name := range pkg.Scope().Names() { // sorted
		if o := pkg.Scope().Lookup(name); o.Exported() {
			w.object(o)
		}
	}
	return w.String()
}

// apiWriter writes declarations as seen from one package.
type apiWriter struct {
	strings.Builder
	pkg *types.Package
}

func (w *apiWriter) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// qualify names a package by its last element, and the package itself not at all.
func (w *apiWriter) qualify(p *types.Package) string {
	if p == w.pkg {
		return ""
	}
	return p.Name()
}

func (w *apiWriter) text(t types.Type) string { return types.TypeString(t, w.qualify) }

func (w *apiWriter) object(o types.Object) {
	switch o := o.(type) {
	case *types.Const:
		w.line("const %s %s = %s", o.Name(), w.text(o.Type()), valueText(o.Val()))
	case *types.TypeName:
		w.typeName(o)
	default: // functions and variables
		w.line("%s", types.ObjectString(o, w.qualify))
	}
}

// valueText gives the exact value of a constant; of a float, the shortest
// decimal that reads back as the same float64.
func valueText(v constant.Value) string {
	if v.Kind() == constant.Float {
		f, _ := constant.Float64Val(v)
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return v.ExactString()
}

func (w *apiWriter) typeName(o *types.TypeName) {
	if o.IsAlias() {
		w.line("type %s = %s", o.Name(), w.text(types.Unalias(o.Type())))
		return
	}
	head := "type " + w.text(o.Type())
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		w.line("%s struct", head)
		w.fields(u)
	case *types.Interface:
		w.line("%s interface", head)
		w.elements(u)
		return // what can be called on it has just been listed
	default:
		w.line("%s %s", head, w.text(u))
	}
	w.methods(o.Type().(*types.Named))
}

// fields lists the exported fields, those that an embedded struct lends
// included; one line says that there are others.
func (w *apiWriter) fields(s *types.Struct) {
	hidden := false
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() {
			if lent, ok := f.Type().Underlying().(*types.Struct); ok && f.Embedded() {
				w.fields(lent)
			}
			hidden = true
			continue
		}
		name, tag := f.Name()+" ", ""
		if f.Embedded() {
			name = ""
		}
		if s.Tag(i) != "" {
			tag = " `" + s.Tag(i) + "`"
		}
		w.line("\t%s%s%s", name, w.text(f.Type()), tag)
	}
	if hidden {
		w.line("\t// and fields that are not exported")
	}
}

// elements lists the methods of an interface, and the union that limits it.
func (w *apiWriter) elements(t *types.Interface) {
	for m := range t.Methods() {
		if m.Exported() {
			w.line("\t%s%s", m.Name(), strings.TrimPrefix(w.text(m.Type()), "func"))
		} else {
			w.line("\t// and the method %s, so that no other package can implement it", m.Name())
		}
	}
	for e := range t.EmbeddedTypes() {
		if _, ok := e.Underlying().(*types.Interface); !ok {
			w.line("\t%s", w.text(e))
		}
	}
}

// methods lists what can be called on an addressable value of a type, by name.
func (w *apiWriter) methods(t *types.Named) {
	var lines []string
	name := t.Obj().Name() + parameters(t)
	values := types.NewMethodSet(t)
	for s := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		m := s.Obj()
		if !m.Exported() {
			continue
		}
		receiver := "*" + name
		if values.Lookup(m.Pkg(), m.Name()) != nil {
			receiver = name
		}
		lines = append(lines, fmt.Sprintf("\tfunc (%s) %s%s", receiver, m.Name(), strings.TrimPrefix(w.text(s.Type()), "func")))
	}
	slices.Sort(lines)
	for _, l := range lines {
		w.line("%s", l)
	}
}

// parameters names the type parameters of a type, without their constraints.
func parameters(t *types.Named) string {
	var names []string
	for p := range t.TypeParams().TypeParams() {
		names = append(names, p.Obj().Name())
	}
	if names == nil {
		return ""
	}
	return "[" + strings.Join(names, ", ") + "]"
}
