package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// order is one command that can be built. To add one, add a row to a list of orders.
type order struct {
	group string // "seed"; empty: it stands by itself
	about string // the group, for its help
	name  string // "germinate"
	args  string // names of its arguments
	short string
	flags string // names of flags out of orderFlags; one that ends in "?" may be left out
	kind  leyline.CommandKind
	fill  func(c *leyline.Command, args []string, f *orderFlags) error
}

func (o *order) title() string { return strings.TrimSpace(o.group + " " + o.name) }

// orders are the commands that this version can build.
var orders = slices.Concat(seedOrders, runOrders, emergencyOrders, registryOrders)

var emergencyOrders = []order{
	{
		group: "emergency", about: "the emergency level of a run", name: "raise", args: "LEVEL", short: "Raise the emergency level; L4_HALT stops the run for good", flags: "reason",
		kind: leyline.CommandEmergency, fill: emergencyOrder(leyline.EmergencyRaise),
	},
	{
		group: "emergency", name: "clear", args: "LEVEL", short: "Lower the emergency level", flags: "reason",
		kind: leyline.CommandEmergency, fill: emergencyOrder(leyline.EmergencyClear),
	},
	{
		group: "emergency", name: "cleanup", short: "Empty the plane's kernel cache, and leave the level alone", flags: "reason",
		kind: leyline.CommandEmergency,
		fill: func(c *leyline.Command, _ []string, f *orderFlags) error {
			c.Emergency = leyline.EmergencyCommand{Action: leyline.EmergencyCleanup, Reason: f.reason}
			return usageIfAny(c.Emergency.Validate())
		},
	},
}

var registryOrders = []order{
	{
		group: "registry", about: "whose parameters are whose", name: "reset", short: "Cull every seed on trial and forget the teacher", flags: "reason",
		kind: leyline.CommandRegistry,
		fill: func(c *leyline.Command, _ []string, f *orderFlags) error {
			c.Registry = leyline.RegistryCommand{Action: leyline.RegistryResetAll, Reason: f.reason}
			return usageIfAny(c.Registry.Validate())
		},
	},
	{
		group: "teacher", about: "the network whose parameters nobody may update", name: "register", args: "FILE",
		short: "Register the teacher that a JSON file describes: id, parameters, bytes, digest", flags: "reason",
		kind: leyline.CommandRegistry, fill: teacherOrder,
	},
	{
		group: "teacher", name: "deregister", args: "ID", short: "End the protection of a teacher's parameters", flags: "reason",
		kind: leyline.CommandRegistry,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Registry = leyline.RegistryCommand{Action: leyline.RegistryForget, Teacher: leyline.Teacher{ID: leyline.TeacherID(args[0])}, Reason: f.reason}
			return usageIfAny(c.Registry.Validate())
		},
	},
}

func emergencyOrder(action leyline.EmergencyAction) func(*leyline.Command, []string, *orderFlags) error {
	return func(c *leyline.Command, args []string, f *orderFlags) error {
		c.Emergency = leyline.EmergencyCommand{Action: action, Reason: f.reason}
		for _, l := range leyline.EmergencyUnspecified.Members() {
			if short, _, _ := strings.Cut(l.String(), "_"); args[0] == short || args[0] == l.String() {
				c.Emergency.Level = l
			}
		}
		if c.Emergency.Level == leyline.EmergencyUnspecified {
			return usagef("LEVEL %q; want one of %v, or L1 to L4", args[0], leyline.EmergencyUnspecified.Members())
		}
		return usageIfAny(c.Emergency.Validate())
	}
}

// usageIfAny: what is missing in a command that is being built is missing in its flags.
func usageIfAny(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func teacherOrder(c *leyline.Command, args []string, f *orderFlags) error {
	b, err := readFile(args[0])
	if err != nil {
		return usagef("cannot read the teacher: %w", err)
	}
	t, err := admin.ParseTeacher(b)
	if err != nil {
		return usagef("%s: %w", args[0], err)
	}
	c.Registry = leyline.RegistryCommand{Action: leyline.RegistryTeach, Teacher: t, Reason: f.reason}
	return usageIfAny(c.Registry.Validate())
}

// orderFlags are the flags that some commands have.
type orderFlags struct {
	set       *pflag.FlagSet
	blueprint string
	layers    []string
	settings  []string
	reason    string
	blendFlags
}

// flags adds those that are named.
func (f *orderFlags) flags(s *pflag.FlagSet, names string) {
	f.set = s
	for _, name := range strings.Fields(names) {
		switch name = strings.TrimSuffix(name, "?"); name {
		case "blueprint":
			s.StringVar(&f.blueprint, name, "", "the kind of seed")
		case "layer":
			s.StringArrayVar(&f.layers, name, nil, "a layer of the host behind which it is grafted; may be repeated")
		case "set":
			s.StringArrayVar(&f.settings, name, nil, "a parameter of the blueprint, as NAME=NUMBER; may be repeated")
		case "reason":
			s.StringVar(&f.reason, name, "", "why, for people")
		default:
			if f.flag(s, name) {
				continue
			}
			panic(fmt.Sprintf("no flag is called %q", name)) // Invariant: orders names flags of this list
		}
	}
}

// check demands the flags that may not be left out.
func (f *orderFlags) check(names string) error {
	for _, name := range strings.Fields(names) {
		if !strings.HasSuffix(name, "?") && !f.set.Changed(name) {
			return usagef("--%s is required", name)
		}
	}
	return nil
}
