package archtest

import (
	"go/ast"
	"slices"
	"strings"
)

// CheckImports holds every import against the table. Compiled files obey
// their rule to the letter. Test files may import any package of the module,
// except that those outside cmd must not reach up into cmd, and the modules of
// others only if the table or testModules names them.
func CheckImports(src *Source, table []Rule) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		rule, ok := ruleFor(table, p.Path)
		if !ok {
			found = append(found, Finding{"imports", p.Path, "no rule names this package; add one to the table in rules.go"})
			continue
		}
		for _, f := range p.Files {
			found = append(found, checkFile(src, f, func(path string) string { return src.refuse(rule, path) })...)
		}
		for _, f := range p.Tests {
			found = append(found, checkFile(src, f, func(path string) string { return src.refuseTest(table, p.Path, path) })...)
		}
	}
	return found
}

func checkFile(src *Source, f *File, refuse func(path string) string) []Finding {
	var found []Finding
	for path, spec := range f.imports() {
		if why := refuse(path); why != "" {
			found = append(found, src.finding("imports", spec.Pos(), "%s", why))
		}
	}
	return sorted(found)
}

// refuse says why a compiled file may not import a path, or nothing.
func (s *Source) refuse(rule Rule, path string) string {
	if own, ok := s.own(path); ok {
		if !slices.ContainsFunc(rule.Own, func(p string) bool { return matches(p, own) }) {
			return rule.Package + " may not import " + own
		}
		return ""
	}
	if thirdParty(path) && !inModules(rule.Third, path) {
		return rule.Package + " may not import " + path
	}
	return ""
}

// refuseTest says why a test file of pkg may not import a path, or nothing.
func (s *Source) refuseTest(table []Rule, pkg, path string) string {
	if own, ok := s.own(path); ok {
		if matches("cmd/...", own) && !matches("cmd/...", pkg) {
			return "a test outside cmd may not import " + own
		}
		return ""
	}
	if !thirdParty(path) || inModules(testModules, path) {
		return ""
	}
	for _, rule := range table {
		if inModules(rule.Third, path) {
			return ""
		}
	}
	return "no rule allows " + path + ", and testModules does not list it"
}

// own turns an import path into a path below the module, if it is one of ours.
func (s *Source) own(path string) (string, bool) {
	if path == s.Module {
		return ".", true
	}
	return strings.CutPrefix(path, s.Module+"/")
}

// thirdParty says whether a path is neither ours nor the standard library's.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func inModules(modules []string, path string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return matches(m+"/...", path) })
}

// CheckPureImports looks for imports that a pure or timeless package may not have.
func CheckPureImports(src *Source, table []Rule) []Finding {
	var found []Finding
	for _, p := range src.Packages {
		rule, _ := ruleFor(table, p.Path)
		if rule.Purity == Free {
			continue
		}
		for _, f := range p.Files {
			for path, spec := range f.imports() {
				found = append(found, checkPureImport(src, rule, path, spec)...)
			}
		}
	}
	return sorted(found)
}

func checkPureImport(src *Source, rule Rule, path string, spec *ast.ImportSpec) []Finding {
	why := banned(outsideImports, path)
	if why == "" && rule.Purity == Pure {
		why = banned(sharedImports, path)
	}
	if why == "" {
		return nil
	}
	return []Finding{src.finding("purity", spec.Pos(), "imports %s, which %s", path, why)}
}

// banned returns the reason against a path or against a package above it.
func banned(list map[string]string, path string) string {
	for p, why := range list {
		if matches(p+"/...", path) {
			return why
		}
	}
	return ""
}

func sorted(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return found
}
