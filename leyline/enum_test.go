package leyline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// enumSource is one enum as the source of the package has it.
type enumSource struct {
	members []string // what list returns
	codes   []string // constants, in the order of their codes
}

// enumSources reads every alias of Enum from the source, so that an enum that
// is added later is tested without anybody remembering it.
func enumSources(t *testing.T) map[string]*enumSource {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	s := scan{alias: map[string]string{}, lists: map[string]string{}, names: map[string][]string{}, codes: map[string][]string{}}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			s.declaration(d)
		}
	}
	all := map[string]*enumSource{}
	for name := range s.codes {
		if s.alias[name] == "" {
			t.Errorf("%s is counted with iota and is no alias of Enum", name)
		}
	}
	for alias, list := range s.alias {
		all[alias] = &enumSource{members: s.names[s.lists[list]], codes: s.codes[alias]}
	}
	return all
}

type scan struct {
	alias map[string]string   // name of an enum to the type of its members
	lists map[string]string   // type of members to the variable that list returns
	names map[string][]string // variable to the texts in it
	codes map[string][]string // name of an enum to its constants
}

func (s scan) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.Name == "list" && d.Recv != nil {
			s.lists[d.Recv.List[0].Type.(*ast.Ident).Name] = sliced(d.Body)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok && t.Assign.IsValid() {
				s.typeAlias(t)
			}
			if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && len(v.Names) == 1 {
				s.names[v.Names[0].Name] = texts(v)
			}
		}
		if d.Tok == token.CONST {
			s.block(d)
		}
	}
}

func (s scan) typeAlias(t *ast.TypeSpec) {
	index, ok := t.Type.(*ast.IndexExpr)
	if !ok {
		return
	}
	if id, ok := index.X.(*ast.Ident); ok && id.Name == "Enum" {
		s.alias[t.Name.Name] = index.Index.(*ast.Ident).Name
	}
}

// block adds a const block that counts with iota from its first constant.
func (s scan) block(d *ast.GenDecl) {
	first := d.Specs[0].(*ast.ValueSpec)
	id, ok := first.Type.(*ast.Ident)
	if !ok || len(first.Values) != 1 {
		return
	}
	if v, ok := first.Values[0].(*ast.Ident); !ok || v.Name != "iota" {
		return
	}
	for _, spec := range d.Specs {
		s.codes[id.Name] = append(s.codes[id.Name], spec.(*ast.ValueSpec).Names[0].Name)
	}
}

// sliced names the variable of the one slice expression in a body.
func sliced(n ast.Node) (name string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SliceExpr); ok {
			name = s.X.(*ast.Ident).Name
		}
		return true
	})
	return name
}

func texts(n ast.Node) []string {
	var all []string
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

// TestEveryEnumOfTheSource walks the source for enums and goes through every
// code that one byte can hold: members have a name, a text that comes back and,
// but for the unset zero, are valid; nothing else is.
func TestEveryEnumOfTheSource(t *testing.T) {
	found, values := enumSources(t), enums()
	if len(found) < 25 {
		t.Fatalf("found only %d enums; is the walk broken?", len(found))
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		value, ok := values[name]
		if !ok {
			t.Errorf("%s has no entry in enums of leyline_test.go", name)
			continue
		}
		t.Run(name, func(t *testing.T) { checkEnum(t, reflect.TypeOf(value), found[name]) })
		delete(values, name)
	}
	for name := range values {
		t.Errorf("%s is tested and is no enum of the source", name)
	}
}

func checkEnum(t *testing.T, typ reflect.Type, src *enumSource) {
	if len(src.members) != len(src.codes) || len(src.members) < 2 || len(src.members) > 256 {
		t.Fatalf("has %d names and %d constants", len(src.members), len(src.codes))
	}
	if sorted := slices.Sorted(slices.Values(src.members)); len(slices.Compact(sorted)) != len(src.members) {
		t.Errorf("repeats a name: %v", src.members)
	}
	for code := range 256 {
		p := reflect.New(typ)
		p.Elem().SetUint(uint64(code))
		e := p.Elem().Interface().(enum)
		known := code < len(src.members)
		if e.Known() != known || (e.Validate() == nil) != (known && code > 0) {
			t.Errorf("code %d: known is %v and Validate says %v", code, e.Known(), e.Validate())
		}
		if known {
			checkMember(t, e, src.members[code])
			continue
		}
		if _, err := e.MarshalText(); err == nil || !strings.Contains(e.String(), strconv.Itoa(code)) {
			t.Errorf("unknown code %d: marshalling gives %v, String %q", code, err, e)
		}
	}
	for _, text := range []string{"", "nonsense", " " + src.members[1], src.members[1] + "\x00", swapCase(src.members[1]), "1"} {
		p := reflect.New(typ)
		p.Elem().SetUint(1)
		if err := p.Interface().(unmarshaler).UnmarshalText([]byte(text)); err == nil || p.Elem().Uint() != 1 {
			t.Errorf("%q was taken for %v, %v", text, p.Elem(), err)
		}
	}
}

type unmarshaler interface{ UnmarshalText([]byte) error }

func checkMember(t *testing.T, e enum, name string) {
	t.Helper()
	text, err := e.MarshalText()
	if name == "" || e.String() != name || string(text) != name || err != nil {
		t.Errorf("member %q: String is %q, text %q, %v", name, e, text, err)
	}
	back := reflect.New(reflect.TypeOf(e))
	if err := back.Interface().(unmarshaler).UnmarshalText(text); err != nil || back.Elem().Interface() != any(e) {
		t.Errorf("member %q comes back as %v, %v", name, back.Elem(), err)
	}
}

func swapCase(s string) string {
	if up := strings.ToUpper(s); up != s {
		return up
	}
	return strings.ToLower(s)
}
