package archtest

import "testing"

func TestPlantedSettings(t *testing.T) {
	// declared is a configuration with one setting, with more text in its file, and
	// what another package does with it.
	declared := func(more, other string) map[string]string {
		return map[string]string{
			"leyline/config.go": "package leyline\ntype ExecutionConfig struct { A Section }\ntype Section struct { X int }\n" + more,
			"replay/a.go":       "package replay\nimport \"example.org/m/leyline\"\nvar c leyline.ExecutionConfig\n" + other,
		}
	}
	elsewhere := declared("", "")
	elsewhere["leyline/decide.go"] = "package leyline\nfunc f(s Section) int { return s.X }"
	tested := declared("", "")
	tested["replay/a_test.go"] = "package replay\nvar y = c.A.X"
	hidden := declared("", "")
	hidden["replay/a.go"] = "package replay\nimport (\"example.com/lib\"; \"example.org/m/leyline\")\nfunc f(c leyline.ExecutionConfig) int { lib.Do(c); return c.A.X }"
	const getter = "func (s Section) Get() int { return s.X }\n"
	expect(t, CheckSettings, []plant{
		{"read", declared("", "var y = c.A.X"), ""},
		{"read in an expression", declared("", "func f() { println(c.A.X + 1) }"), ""},
		{"not read", declared("", ""), "leyline/config.go:3:23: nothing reads the setting X"},
		{"read below the declaration", elsewhere, ""},
		{"read beside a module of others", hidden, ""},
		{"only set", declared("", "func f() { c.A.X = 1; (c.A.X) += 2; c.A.X++ }"), "nothing reads"},
		{"only set with a structure", declared("", "var d = leyline.Section{X: 1}"), "nothing reads"},
		{"set from another setting", declared("", "func f(d leyline.Section) { c.A.X = d.X }"), ""},
		{"only validated", declared("func (s Section) Validate() bool { return s.X > 0 }", "var c2 = c"), "nothing reads"},
		{"only read in a variable of its file", declared("var y = Section{}.X", ""), "nothing reads"},
		{"read by a function that is used", declared(getter, "var y = c.A.Get()"), ""},
		{"read by a function of a function that is used", declared(getter+"func (s Section) Twice() int { return 2 * s.Get() }", "var y = c.A.Twice()"), ""},
		{"only in a test", tested, "nothing reads"},
		{"a field of that name elsewhere", declared("", "type other struct { X int }; var y = other{}.X"), "nothing reads"},
		{"no configuration", pure("type Other struct{}"), "has no ExecutionConfig"},
		{"no section", pure("type ExecutionConfig struct { A int }"), "has no ExecutionConfig with sections"},
	})
}
