package archtest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// CheckConstants finds in compiled files what is written down twice:
//
//   - a string literal outside enumPackage that is a name which enumPackage
//     owns: of a metric, an event, a member of an enum, a payload type, a key of
//     the configuration. Single words in lower case are left alone: "open" may
//     be the word;
//   - a constant outside enumPackage, or a variable with a constant value, of
//     the name of a number that enumPackage owns, or of the same value and unit
//     and with a telling word of its name in common. Whole numbers under
//     sameValueFrom need the same name: a 3 may be any 3;
//   - one text of the form of a name as a constant of two packages.
//
// A comment with constantExcuse on the same line, on the line above or in the
// comment of the declaration allows one.
func CheckConstants(src *Source) []Finding {
	r := src.resolver()
	c := &constantCheck{src: src, facts: factsOf(src, r.check(enumPackage)), texts: map[string][]definition{}}
	for _, p := range src.Packages {
		if len(p.Files) == 0 {
			continue
		}
		c.pkg, c.typed = p.Path, r.check(p.Path)
		if c.typed.err != nil {
			c.found = append(c.found, Finding{"constant", p.Path, "cannot resolve its types: " + c.typed.err.Error()})
		}
		for _, f := range p.Files {
			c.file(f)
		}
	}
	c.twice()
	return sorted(c.found)
}

// sameValueFrom is the least magnitude at which two numbers of equal value and
// unit can be one fact; a value that is no integer can be at any magnitude.
const sameValueFrom = 64

// A definition is the place where a package gives a string constant its value.
type definition struct {
	pkg   string
	ident *ast.Ident
}

type constantCheck struct {
	src   *Source
	facts facts
	texts map[string][]definition // constants of two packages meet here
	found []Finding

	pkg     string
	typed   *typed
	excused map[int]bool // lines of the file at hand
}

func (c *constantCheck) report(n ast.Node, format string, args ...any) {
	if !c.excused[c.src.Fset.Position(n.Pos()).Line] {
		c.found = append(c.found, c.src.finding("constant", n.Pos(), format, args...))
	}
}

// file looks at every literal and every constant of one file.
func (c *constantCheck) file(f *File) {
	c.excused = excusedLines(c.src.Fset, f, constantExcuse)
	tags := map[*ast.BasicLit]bool{} // a tag is no text of the program
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Tag != nil {
				tags[n.Tag] = true
			}
		case *ast.BasicLit:
			if c.pkg != enumPackage && !tags[n] {
				c.literal(n)
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				c.defined(id, n, i)
			}
		}
		return true
	})
}

// literal looks at one literal outside enumPackage.
func (c *constantCheck) literal(lit *ast.BasicLit) {
	if lit.Kind != token.STRING {
		return
	}
	text, err := strconv.Unquote(lit.Value)
	if owner := c.facts.names[text]; err == nil && owner != "" {
		c.report(lit, "%q belongs to %s, as %s; use that or say %q", text, enumPackage, owner, constantExcuse)
	}
}

// defined looks at one name that a declaration gives a constant value.
func (c *constantCheck) defined(id *ast.Ident, spec *ast.ValueSpec, i int) {
	o := c.typed.info.Defs[id]
	if o == nil || id.Name == "_" {
		return
	}
	var value constant.Value
	if k, ok := o.(*types.Const); ok {
		value = k.Val()
	} else if i < len(spec.Values) && o.Parent() == c.typed.pkg.Scope() {
		value = c.typed.info.Types[spec.Values[i]].Value
	}
	switch {
	case value == nil, i < len(spec.Values) && c.refers(spec.Values[i]):
	case value.Kind() == constant.String:
		text := constant.StringVal(value)
		if len(text) >= 6 && looksLikeName(text) && c.facts.names[text] == "" && !c.excused[c.src.Fset.Position(id.Pos()).Line] {
			c.texts[text] = append(c.texts[text], definition{c.pkg, id})
		}
	case value.Kind() != constant.Bool && c.pkg != enumPackage:
		c.number(id, o.Type(), value)
	}
}

// refers says whether an expression takes its value from enumPackage.
func (c *constantCheck) refers(e ast.Expr) bool {
	seen := false
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			o := c.typed.info.Uses[id]
			seen = seen || c.pkg != enumPackage && o != nil && o.Pkg() != nil && o.Pkg().Path() == c.src.Module+"/"+enumPackage
		}
		return true
	})
	return seen
}

// number holds a number outside enumPackage against those that it owns.
func (c *constantCheck) number(id *ast.Ident, t types.Type, v constant.Value) {
	if own, ok := c.facts.numbers[strings.ToLower(id.Name)]; ok {
		c.report(id, "%s has the name of %s in %s; use that or say %q", id.Name, own.name, enumPackage, constantExcuse)
		return
	}
	value, _ := constant.Float64Val(v)
	if math.Abs(value) < sameValueFrom && value == math.Trunc(value) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.facts.numbers)) {
		if own := c.facts.numbers[name]; own.value == value && own.unit == unitOf(id.Name, t) && shareWord(own.name, id.Name) {
			c.report(id, "%s has the value of %s in %s; use that or say %q", id.Name, own.name, enumPackage, constantExcuse)
			return
		}
	}
}

// vague words are in names of every kind, so sharing one says nothing.
var vague = []string{"bytes", "count", "default", "limit", "records", "size", "steps", "text", "total"}

// shareWord says whether two names have a word of four letters or more in
// common that is not vague.
func shareWord(a, b string) bool {
	other := words(b)
	return slices.ContainsFunc(words(a), func(w string) bool {
		return len(w) >= 4 && !slices.Contains(vague, w) && slices.Contains(other, w)
	})
}

// twice finds the texts that constants of two packages hold.
func (c *constantCheck) twice() {
	c.excused = nil
	for text, all := range c.texts {
		first := all[0]
		for _, d := range all[1:] {
			if d.pkg != first.pkg {
				c.report(d.ident, "%q is a constant of %s already; use that or say %q", text, first.pkg, constantExcuse)
			}
		}
	}
}

// excusedLines returns the lines that a comment with an excuse speaks for: the
// lines of the comment, the one below, and all of a declaration whose doc
// comment it is.
func excusedLines(fset *token.FileSet, f *File, excuse string) map[int]bool {
	lines := map[int]bool{}
	mark := func(from, to token.Pos) {
		for l := fset.Position(from).Line; l <= fset.Position(to).Line; l++ {
			lines[l] = true
		}
	}
	says := func(g *ast.CommentGroup) bool {
		return strings.Contains(strings.Join(strings.Fields(g.Text()), " "), excuse)
	}
	for _, g := range f.AST.Comments {
		if says(g) {
			mark(g.Pos(), g.End())
			lines[fset.Position(g.End()).Line+1] = true
		}
	}
	for _, d := range f.AST.Decls {
		if says(docOf(d)) {
			mark(d.Pos(), d.End())
		}
	}
	return lines
}

// docOf returns the comment of a declaration, or nil.
func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.GenDecl:
		return d.Doc
	case *ast.FuncDecl:
		return d.Doc
	}
	return nil
}
