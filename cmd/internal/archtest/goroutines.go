package archtest

import (
	"go/ast"
	"path"
	"slices"
)

// Spawner says that a package, or one subtree of packages, starts goroutines.
type Spawner struct {
	Package string
	Files   []string // names of the only files that do; none means any
	Why     string   // what they are for, and what ends them
}

// CheckGoroutines finds code that starts a goroutine outside the list, and entries
// of the list that are not needed. Test files may start what they like: they have
// synctest and the race detector to answer to.
//
// It goes by names, so that nothing has to be resolved and no interface can hide
// a goroutine: a go statement, any use of a function or method in spawnNames, a
// call of any method Go, and in a package that imports net/http the calls that
// serve connections. What it cannot see is a method value x.Go that is called under
// another name.
func CheckGoroutines(src *Source, list []Spawner) []Finding {
	var found []Finding
	var starting []string // files
	for _, p := range src.Packages {
		serves := slices.ContainsFunc(p.Files, func(f *File) bool { return f.imports()["net/http"] != nil })
		for _, f := range p.Files {
			starts := spawns(src, f, serves)
			if len(starts) == 0 {
				continue
			}
			starting = append(starting, f.Path)
			if !slices.ContainsFunc(list, func(s Spawner) bool { return s.allows(f.Path) }) {
				found = append(found, starts...)
			}
		}
	}
	for _, s := range list {
		found = append(found, s.needless(src, starting)...)
	}
	return sorted(found)
}

// allows reports whether a file may start goroutines.
func (s Spawner) allows(file string) bool {
	return matches(s.Package, path.Dir(file)) && (len(s.Files) == 0 || slices.Contains(s.Files, path.Base(file)))
}

// needless finds what an entry allows and nobody does, and a missing reason. An
// entry for a package that is not there yet is no finding.
func (s Spawner) needless(src *Source, starting []string) []Finding {
	var found []Finding
	if s.Why == "" {
		found = append(found, Finding{"goroutines", s.Package, "may start goroutines for no reason; say why in rules.go"})
	}
	if !slices.ContainsFunc(src.Packages, func(p *Package) bool { return matches(s.Package, p.Path) && len(p.Files) > 0 }) {
		return found
	}
	const text = "starts no goroutine and needs no entry in rules.go"
	if len(s.Files) == 0 && !slices.ContainsFunc(starting, s.allows) {
		found = append(found, Finding{"goroutines", s.Package, text})
	}
	for _, name := range s.Files {
		one := Spawner{Package: s.Package, Files: []string{name}}
		if !slices.ContainsFunc(starting, one.allows) {
			found = append(found, Finding{"goroutines", s.Package + "/" + name, text})
		}
	}
	return found
}

// spawns finds what starts a goroutine in one file.
func spawns(src *Source, f *File, serves bool) []Finding {
	var found []Finding
	report := func(n ast.Node, what string) {
		found = append(found, src.finding("goroutines", n.Pos(), "%s starts a goroutine; submit a job to the worker instead, or say in rules.go why not", what))
	}
	bare := dotNames(f)
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "a go statement")
		case *ast.Ident:
			if slices.Contains(bare, n.Name) {
				report(n, n.Name)
			}
		case *ast.SelectorExpr:
			if name := n.Sel.Name; slices.Contains(spawnNames, name) || serves && slices.Contains(serveNames, name) {
				report(n, name)
			}
		case *ast.CallExpr:
			if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" {
				report(sel, "Go")
			}
		}
		return true
	})
	return found
}

// dotNames lists the functions of spawnNames that a file may call without the name
// of their package.
func dotNames(f *File) []string {
	for _, spec := range f.imports() {
		if spec.Name != nil && spec.Name.Name == "." {
			return spawnNames
		}
	}
	return nil
}

// CheckOneWorker wants one worker, made in onlyWorker at one place.
func CheckOneWorker(src *Source) []Finding {
	var found, own []Finding
	there := false
	for _, p := range src.Packages {
		there = there || p.Path == onlyWorker && len(p.Files) > 0
		for _, f := range p.Files {
			if p.Path == onlyWorker {
				own = append(own, newWorkers(src, f)...)
			} else {
				found = append(found, newWorkers(src, f)...)
			}
		}
	}
	switch {
	case len(own) > 1:
		found = append(found, own[1:]...)
	case len(own) == 0 && there:
		found = append(found, Finding{"worker", onlyWorker, "makes no worker; is the check broken?"})
	}
	return sorted(found)
}

// newWorkers finds the places where one file makes a worker.
func newWorkers(src *Source, f *File) []Finding {
	spec := f.imports()[src.Module+"/"+workerPackage]
	if spec == nil {
		return nil
	}
	local := path.Base(workerPackage)
	if spec.Name != nil {
		local = spec.Name.Name
	}
	if local == "." {
		return []Finding{src.finding("worker", spec.Pos(), "imports %s under no name, which hides who makes a worker", workerPackage)}
	}
	var found []Finding
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "New" {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
			found = append(found, src.finding("worker", sel.Pos(), "makes a worker; the one that all share is made in %s", onlyWorker))
		}
		return true
	})
	return found
}
