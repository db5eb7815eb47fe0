package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// CheckPurity looks through the code of every pure and timeless package.
func CheckPurity(src *Source, table []Rule) []Finding {
	var found []Finding
	r := src.resolver()
	for _, p := range src.Packages {
		rule, _ := ruleFor(table, p.Path)
		if rule.Purity == Free || len(p.Files) == 0 {
			continue
		}
		t := r.check(p.Path)
		if t.err != nil {
			found = append(found, Finding{"purity", p.Path, "cannot resolve its types, so cannot vouch for it: " + t.err.Error()})
		}
		v := &visitor{src: src, typed: t, level: rule.Purity, sortedKeys: map[ast.Expr]bool{}}
		for _, f := range p.Files {
			ast.Inspect(f.AST, v.visit)
		}
		found = append(found, v.found...)
	}
	return found
}

// visitor walks one package, parents before children.
type visitor struct {
	*typed
	src        *Source
	level      Purity
	sortedKeys map[ast.Expr]bool // names of maps.Keys or maps.Values whose result is sorted at once
	found      []Finding
}

func (v *visitor) report(rule string, n ast.Node, format string, args ...any) {
	v.found = append(v.found, v.src.finding(rule, n.Pos(), format, args...))
}

func (v *visitor) visit(n ast.Node) bool {
	if id, ok := n.(*ast.Ident); ok {
		v.name(id)
	}
	if v.level != Pure {
		return true
	}
	switch n := n.(type) {
	case *ast.GoStmt:
		v.report("purity", n, "starts a goroutine")
	case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
		v.report("purity", n, "uses a channel")
	case *ast.RangeStmt:
		v.ranges(n)
	case *ast.CallExpr:
		v.call(n)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			v.report("purity", n, "uses a channel")
		}
	case *ast.AssignStmt:
		v.assigns(n)
	case *ast.IncDecStmt:
		v.packageState(n.X)
	case *ast.BinaryExpr:
		v.sum(n.Op, n.X, n.Y)
	}
	return true
}

// name checks one use of an identifier.
func (v *visitor) name(id *ast.Ident) {
	o := v.info.Uses[id]
	if o == nil {
		return
	}
	if o.Pkg() == nil {
		if _, ok := o.(*types.Builtin); ok && v.level == Pure && slices.Contains(impureBuiltins, o.Name()) {
			v.report("purity", id, "calls %s", o.Name())
		}
		return
	}
	path, name := o.Pkg().Path(), qualified(o)
	if slices.Contains(clockFunctions[path], name) {
		v.report("purity", id, "uses %s.%s: time is an argument", path, name)
	}
	if v.level != Pure {
		return
	}
	if slices.Contains(impureFunctions[path], name) && !v.sortedKeys[id] {
		v.report("purity", id, "uses %s.%s, whose result is not a function of its arguments", path, name)
	}
	if _, constant := o.(*types.Const); path == "math" && !constant && !slices.Contains(exactMath, name) {
		v.report("purity", id, "uses math.%s, whose bits may differ between machines; use detmath", name)
	}
}

// qualified names an object within its package: a method after its type, and
// a field by nothing.
func qualified(o types.Object) string {
	switch o := o.(type) {
	case *types.Var:
		if o.IsField() {
			return ""
		}
	case *types.Func:
		recv := o.Signature().Recv()
		if recv == nil {
			break
		}
		t := recv.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if named, ok := t.(*types.Named); ok {
			return named.Obj().Name() + "." + o.Name()
		}
	}
	return o.Name()
}

// ranges checks what a loop goes over.
func (v *visitor) ranges(n *ast.RangeStmt) {
	for _, t := range kinds(v.info.TypeOf(n.X)) {
		switch t.(type) {
		case *types.Map:
			v.report("purity", n, "ranges over a map; use slices.Sorted(maps.Keys(m))")
		case *types.Chan:
			v.report("purity", n, "uses a channel")
		}
	}
	if n.Tok == token.ASSIGN {
		v.packageState(n.Key)
		v.packageState(n.Value)
	}
}

// call notes slices.Sorted(maps.Keys(m)) and its like, before its parts are visited.
func (v *visitor) call(n *ast.CallExpr) {
	if len(n.Args) != 1 || !v.isFunc(n.Fun, "slices", "Sorted") {
		return
	}
	inner, ok := ast.Unparen(n.Args[0]).(*ast.CallExpr)
	if !ok {
		return
	}
	if v.isFunc(inner.Fun, "maps", "Keys") || v.isFunc(inner.Fun, "maps", "Values") {
		v.sortedKeys[nameOf(inner.Fun)] = true
	}
}

// nameOf returns the identifier that an expression ends in.
func nameOf(e ast.Expr) ast.Expr {
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		return e.Sel
	case *ast.IndexExpr:
		return nameOf(e.X)
	case *ast.IndexListExpr:
		return nameOf(e.X)
	default:
		return e
	}
}

func (v *visitor) assigns(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE {
		return
	}
	for _, left := range n.Lhs {
		v.packageState(left)
	}
	if n.Tok == token.ADD_ASSIGN || n.Tok == token.SUB_ASSIGN {
		v.sum(n.Tok, n.Rhs...)
	}
}

// packageState reports a write to a package variable, or into one.
func (v *visitor) packageState(left ast.Expr) {
	root := v.rootOf(left)
	o, ok := v.object(root).(*types.Var)
	if ok && o.Pkg() != nil && o.Parent() == o.Pkg().Scope() {
		v.report("purity", left, "writes to the package variable %s", o.Name())
	}
}

// rootOf returns the variable that an assignment to an expression changes.
func (v *visitor) rootOf(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return v.rootOf(x.X)
	case *ast.IndexExpr:
		return v.rootOf(x.X)
	case *ast.StarExpr:
		return v.rootOf(x.X)
	case *ast.SelectorExpr:
		if _, isPackage := v.object(x.X).(*types.PkgName); !isPackage {
			return v.rootOf(x.X)
		}
	}
	return e
}

// sum reports float products that are added or subtracted without having been
// rounded by a conversion.
func (v *visitor) sum(op token.Token, operands ...ast.Expr) {
	switch op {
	case token.ADD, token.SUB, token.ADD_ASSIGN, token.SUB_ASSIGN:
	default:
		return
	}
	for _, e := range operands {
		product, ok := bare(e).(*ast.BinaryExpr)
		if !ok || product.Op != token.MUL || v.info.Types[product].Value != nil {
			continue
		}
		if slices.ContainsFunc(kinds(v.info.TypeOf(product)), isFloat) {
			v.report("fusing", product, "adds a product that may be fused; write float64(a * b)")
		}
	}
}

// bare strips parentheses and signs.
func bare(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.UnaryExpr:
			if x.Op != token.SUB && x.Op != token.ADD {
				return e
			}
			e = x.X
		default:
			return e
		}
	}
}

func isFloat(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}
