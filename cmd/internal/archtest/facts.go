package archtest

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/token"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// CheckPackageComments wants exactly one package comment per package.
func CheckPackageComments(src *Source) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		var where []string
		for _, f := range p.Files {
			if f.AST.Doc != nil && f.AST.Doc.Text() != "" {
				where = append(where, path.Base(f.Path))
			}
		}
		switch {
		case len(p.Files) > 0 && len(where) == 0:
			found = append(found, Finding{"comment", p.Path, "has no package comment"})
		case len(where) > 1:
			found = append(found, Finding{"comment", p.Path, "has more than one package comment: " + strings.Join(where, ", ")})
		}
	}
	return found
}

// CheckModule refuses replace directives: what is built must be what is named.
func CheckModule(src *Source) []Finding {
	var found []Finding
	for line := range bytes.Lines(src.GoMod) {
		if f := strings.Fields(string(line)); len(f) > 0 && strings.TrimSuffix(f[0], "(") == "replace" {
			found = append(found, Finding{"module", "go.mod", "has a replace directive"})
		}
	}
	return found
}

// CheckTopLevel holds the names in the root against the fixed layout.
func CheckTopLevel(src *Source) []Finding {
	var found []Finding
	for _, name := range src.Top {
		if name[0] != '.' && !slices.Contains(topLevel, name) && !src.ignores(name) {
			found = append(found, Finding{"layout", name, "is outside the fixed layout of the root"})
		}
	}
	return found
}

// CheckEnvironment finds code outside envPackage that reads the environment.
// Test files may: they run this very program with another environment.
func CheckEnvironment(src *Source) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		if p.Path == envPackage {
			continue
		}
		for _, f := range p.Files {
			for pkg, names := range envFunctions {
				found = append(found, selections(src, f, pkg, names)...)
			}
		}
	}
	return sorted(found)
}

// selections finds the uses of some functions of a package in one file,
// whatever name the package was imported under.
func selections(src *Source, f *File, pkg string, names []string) []Finding {
	spec := f.imports()[pkg]
	if spec == nil {
		return nil
	}
	local := path.Base(pkg)
	if spec.Name != nil {
		local = spec.Name.Name
	}
	if local == "." {
		return []Finding{src.finding("environment", spec.Pos(), "imports %s under no name, which hides who reads the environment", pkg)}
	}
	var found []Finding
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(names, sel.Sel.Name) {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
			found = append(found, src.finding("environment", sel.Pos(), "reads the environment; only %s does", envPackage))
		}
		return true
	})
	return found
}

// unfinished and machinePath are put together so that this file passes.
var (
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	machinePath = regexp.MustCompile(`(^|[^\w./*-])/(ho` + `me|mn` + `t|ro` + `ot|tm` + `p|Use` + `rs|wo` + `rk)/`)
)

// CheckText looks for marks of unfinished work and for paths of one machine.
func CheckText(src *Source) []Finding {
	var found []Finding
	for _, f := range src.Files {
		start := src.Fset.File(f.AST.Pos())
		for _, m := range unfinished.FindAllIndex(f.Text, -1) {
			found = append(found, src.finding("text", start.Pos(m[0]), "says that something is unfinished"))
		}
		for _, m := range machinePath.FindAllIndex(f.Text, -1) {
			found = append(found, src.finding("text", start.Pos(m[0]), "names a path of one machine"))
		}
	}
	return found
}

// CheckOneSource wants pure packages to be the same source on every machine:
// no build constraint, no other language, no link tricks.
func CheckOneSource(src *Source, table []Rule) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		if rule, _ := ruleFor(table, p.Path); rule.Purity != Pure {
			continue
		}
		for _, name := range p.Foreign {
			found = append(found, Finding{"source", name, "is not Go"})
		}
		for _, f := range p.Files {
			if constraintOf(f.AST) != "" || !everywhere(f) {
				found = append(found, Finding{"source", f.Path, "is built on some machines only"})
			}
			if bytes.Contains(f.Text, []byte("//go:link"+"name")) {
				found = append(found, Finding{"source", f.Path, "reaches into another package"})
			}
		}
	}
	return found
}

// everywhere says whether the name of a file ties it to no system: it is
// offered to one that does not exist.
func everywhere(f *File) bool {
	ctx := build.Context{GOOS: "nowhere", GOARCH: "nothing", CgoEnabled: true, Compiler: "gc"}
	ctx.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.Text)), nil }
	ok, err := ctx.MatchFile(path.Dir(f.Path), path.Base(f.Path))
	return ok && err == nil
}

// CheckEnums finds enums outside enumPackage that do not say why they are
// local: types of an integer or of text for which the package counts constants
// with iota, or declares two or more.
func CheckEnums(src *Source) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		if p.Path == enumPackage {
			continue
		}
		members := map[string]int{}
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				countMembers(d, members)
			}
		}
		for _, f := range p.Files {
			found = append(found, localEnums(src, f, members)...)
		}
	}
	return found
}

// countMembers adds the constants of a const block to their types; one that is
// counted with iota speaks for many.
func countMembers(d ast.Decl, into map[string]int) {
	block, ok := d.(*ast.GenDecl)
	if !ok || block.Tok != token.CONST {
		return
	}
	for _, s := range block.Specs {
		spec := s.(*ast.ValueSpec)
		if id, ok := spec.Type.(*ast.Ident); ok {
			into[id.Name] += len(spec.Names)
			if usesIota(spec.Values) {
				into[id.Name] += many
			}
		}
		for _, e := range spec.Values {
			countConverted(e, into)
		}
	}
}

// countConverted adds constants of the form T(1) and T(iota).
func countConverted(e ast.Expr, into map[string]int) {
	ast.Inspect(e, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if id, ok := call.Fun.(*ast.Ident); ok {
			into[id.Name]++
			if usesIota(call.Args) {
				into[id.Name] += many
			}
		}
		return true
	})
}

// many is the number of constants that make a type an enum.
const many = 2

// usesIota says whether iota occurs in expressions.
func usesIota(values []ast.Expr) bool {
	seen := false
	for _, e := range values {
		ast.Inspect(e, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			seen = seen || ok && id.Name == "iota"
			return true
		})
	}
	return seen
}

// enumBases are what an enum can be made of.
var enumBases = []string{
	"int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "byte", "rune", "uintptr",
	"string",
}

func localEnums(src *Source, f *File, members map[string]int) []Finding {
	var found []Finding
	for _, d := range f.AST.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		switch block.Tok {
		case token.CONST:
			if untypedEnum(block) {
				found = append(found, src.finding("enum", block.Pos(), "counts constants of no type outside %s; move them there or say %q", enumPackage, enumExcuse))
			}
		case token.TYPE:
			found = append(found, typedEnums(src, block, members)...)
		}
	}
	return found
}

// typedEnums lists the types of a block that are enums, without an excuse.
func typedEnums(src *Source, block *ast.GenDecl, members map[string]int) []Finding {
	var found []Finding
	for _, s := range block.Specs {
		spec := s.(*ast.TypeSpec)
		base, ok := spec.Type.(*ast.Ident)
		if !ok || members[spec.Name.Name] < many || !slices.Contains(enumBases, base.Name) || excused(block.Doc, spec.Doc, spec.Comment) {
			continue
		}
		found = append(found, src.finding("enum", spec.Pos(), "%s is an enum outside %s; move it there or say %q", spec.Name.Name, enumPackage, enumExcuse))
	}
	return found
}

// untypedEnum reports whether a block counts constants that have no type, without
// an excuse.
func untypedEnum(block *ast.GenDecl) bool {
	first := block.Specs[0].(*ast.ValueSpec)
	return len(block.Specs) > 1 && first.Type == nil && len(first.Values) == 1 && isIota(first.Values[0]) && !excused(block.Doc)
}

func isIota(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "iota"
}

// excused reports whether a comment allows an enum outside leyline.
func excused(comments ...*ast.CommentGroup) bool {
	text := ""
	for _, c := range comments {
		text += " " + c.Text()
	}
	return strings.Contains(strings.Join(strings.Fields(text), " "), enumExcuse)
}
