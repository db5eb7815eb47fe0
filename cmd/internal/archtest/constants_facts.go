package archtest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// facts are the names and numbers that enumPackage owns.
type facts struct {
	names   map[string]string // text to the declaration that owns it, in words
	numbers map[string]number // lower-case name to its number
}

// A number is a constant of enumPackage or a default of its configuration.
// Durations are in nanoseconds and sizes in bytes, so that equal values of
// different notation are equal.
type number struct {
	name  string
	value float64
	unit  unit
}

// unit is what a number counts.
//
// enum: local because it describes source code and is never stored.
type unit int

// The units that a type or a name gives away.
const (
	plain unit = iota
	duration
	size
)

// factsOf reads the facts from the source of enumPackage.
func factsOf(src *Source, t *typed) facts {
	fs := facts{names: map[string]string{}, numbers: map[string]number{}}
	for id, o := range t.info.Defs {
		if k, ok := o.(*types.Const); ok && k.Parent() == t.pkg.Scope() {
			fs.constant(id.Name, k)
		}
	}
	for _, p := range src.Packages {
		if p.Path != enumPackage {
			continue
		}
		for _, f := range p.Files {
			fs.declarations(t, f)
		}
	}
	return fs
}

func (fs facts) constant(name string, k *types.Const) {
	switch k.Val().Kind() {
	case constant.String:
		fs.name(constant.StringVal(k.Val()), name)
	case constant.Int, constant.Float:
		if named, ok := types.Unalias(k.Type()).(*types.Named); ok && named.Obj().Name() == "Enum" {
			return // a code of an enum means nothing without its type
		}
		fs.number(name, k.Type(), k.Val())
	}
}

// name enters a text if it cannot be an ordinary word.
func (fs facts) name(text, owner string) {
	if looksLikeName(text) {
		fs.names[text] = owner
	}
}

// looksLikeName says whether a text is a name that somebody coined: it has no
// spaces and either joins words (a.b, a_b, a:b, a/b) or is all in upper case.
// A single word in lower case may always be just that word.
func looksLikeName(text string) bool {
	if len(text) < 4 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '%' }) {
		return false
	}
	inner := strings.Trim(text, "._:/-")
	return strings.ContainsAny(inner, "._:/") || inner == text && strings.ToUpper(text) == text && strings.ContainsFunc(text, unicode.IsLetter)
}

func (fs facts) number(name string, t types.Type, v constant.Value) {
	value, _ := constant.Float64Val(v)
	n := number{name: name, value: value, unit: unitOf(name, t)}
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Name() == "Millis" {
		n.value, n.unit = value*1e6, duration
	}
	if strings.HasSuffix(name, "MiB") {
		n.value, n.unit = value*(1<<20), size
	}
	fs.numbers[strings.ToLower(name)] = n
}

// unitOf guesses a unit from a type and a name.
func unitOf(name string, t types.Type) unit {
	if types.TypeString(t, nil) == "time.Duration" {
		return duration
	}
	for _, w := range words(name) {
		if w == "bytes" || w == "size" {
			return size
		}
	}
	return plain
}

// declarations reads what is no constant: the members of enums, the keys of
// the configuration and its defaults.
func (fs facts) declarations(t *typed, f *File) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Names) == 1 && strings.HasSuffix(n.Names[0].Name, memberSuffix) {
				fs.members(n)
			}
		case *ast.CompositeLit:
			fs.defaults(t, n)
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok && n.Name.Name == "ExecutionConfig" {
				fs.keys(t, s)
			}
		}
		return true
	})
}

// memberSuffix ends the name of the variable that lists the members of an enum.
const memberSuffix = "Names"

// members enters the names of an enum's members.
func (fs facts) members(list *ast.ValueSpec) {
	ast.Inspect(list, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				fs.name(text, "a member of an enum")
			}
		}
		return true
	})
}

// keys enters the dotted keys of the sections of a configuration.
func (fs facts) keys(t *typed, root *ast.StructType) {
	for _, section := range root.Fields.List {
		s, ok := t.info.Types[section.Type].Type.Underlying().(*types.Struct)
		if !ok || section.Tag == nil {
			continue
		}
		for i := range s.NumFields() {
			key := tomlKey(strings.Trim(section.Tag.Value, "`")) + "." + tomlKey(s.Tag(i))
			fs.name(key, "a key of the configuration")
		}
	}
}

func tomlKey(tag string) string { return reflect.StructTag(tag).Get("toml") }

// defaults enters the numbers of a literal of a configuration.
func (fs facts) defaults(t *typed, lit *ast.CompositeLit) {
	named, ok := t.info.Types[lit].Type.(*types.Named)
	if !ok || !strings.HasSuffix(named.Obj().Name(), "Config") {
		return
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, ok := kv.Key.(*ast.Ident)
		v := t.info.Types[kv.Value]
		if ok && v.Value != nil && (v.Value.Kind() == constant.Int || v.Value.Kind() == constant.Float) {
			fs.number(key.Name, v.Type, v.Value)
		}
	}
}

// words splits a name at its capitals, in lower case: MaxIDLen is max, id, len.
func words(name string) []string {
	var all []string
	runes := []rune(name)
	start := 0
	for i := 1; i < len(runes); i++ {
		up := unicode.IsUpper(runes[i])
		if up && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			all = append(all, strings.ToLower(string(runes[start:i])))
			start = i
		}
	}
	return append(all, strings.ToLower(string(runes[start:])))
}
