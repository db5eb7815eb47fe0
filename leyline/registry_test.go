package leyline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestParametersAreInOrder: a list of parameters names every tensor once, printably,
// with a size, and is bounded.
func TestParametersAreInOrder(t *testing.T) {
	list := func(names ...string) []leyline.Parameter {
		var out []leyline.Parameter
		for _, n := range names {
			out = append(out, leyline.Parameter{Name: n, Size: 1})
		}
		return out
	}
	var many []string
	for i := range leyline.MaxSeedParameters + 1 {
		many = append(many, fmt.Sprintf("p%05d", i))
	}
	for name, c := range map[string]struct {
		ps    []leyline.Parameter
		field string
	}{
		"none":           {nil, ""},
		"in order":       {list("a", "b", "b.c", "\u00e9"), ""},
		"as many":        {list(many[1:]...), ""},
		"too many":       {list(many...), "parameters"},
		"twice":          {list("a", "b", "b"), "parameters[2].name"},
		"out of order":   {list("b", "a"), "parameters[1].name"},
		"no name":        {list(""), "parameters[0].name"},
		"long":           {list(strings.Repeat("x", leyline.MaxParameterName+1)), "parameters[0].name"},
		"a line break":   {list("a\nb"), "parameters[0].name"},
		"not UTF-8":      {list("a\xff"), "parameters[0].name"},
		"without a size": {[]leyline.Parameter{{Name: "a"}}, "parameters[0].size"},
	} {
		err := leyline.CommandAcked{Run: "r", Incarnation: 1, Command: "c", Outcome: leyline.OutcomeOK, Parameters: c.ps}.Validate()
		r, refused := leyline.AsRefusal(err)
		if refused != (c.field != "") || refused && r.Field != c.field {
			t.Errorf("%s: %v, want a refusal of %q", name, err, c.field)
		}
	}
}

func TestRegistryCommand(t *testing.T) {
	teacher := leyline.Teacher{ID: "t", Parameters: []leyline.Parameter{{Name: "w", Size: 1}}, Bytes: 8, Digest: leyline.Digest{1}}
	for _, c := range []struct {
		cmd   leyline.RegistryCommand
		field string
	}{
		{leyline.RegistryCommand{Action: leyline.RegistryResetAll, Reason: "x"}, ""},
		{leyline.RegistryCommand{Action: leyline.RegistryResetAll}, "reason"},
		{leyline.RegistryCommand{Reason: "x"}, "action"},
		{leyline.RegistryCommand{Action: 9, Reason: "x"}, "action"},
		{leyline.RegistryCommand{Action: leyline.RegistryTeach, Teacher: teacher, Reason: "x"}, ""},
		{leyline.RegistryCommand{Action: leyline.RegistryTeach, Reason: "x"}, "teacher.id"},
		{leyline.RegistryCommand{Action: leyline.RegistryTeach, Teacher: leyline.Teacher{ID: "t"}, Reason: "x"}, "teacher.parameters"},
		{leyline.RegistryCommand{Action: leyline.RegistryForget, Teacher: leyline.Teacher{ID: "t"}, Reason: "x"}, ""},
		{leyline.RegistryCommand{Action: leyline.RegistryForget, Reason: "x"}, "teacher.id"},
	} {
		r, refused := leyline.AsRefusal(c.cmd.Validate())
		if refused != (c.field != "") || refused && r.Field != c.field {
			t.Errorf("%+v: %v, want a refusal of %q", c.cmd, r, c.field)
		}
	}
}
