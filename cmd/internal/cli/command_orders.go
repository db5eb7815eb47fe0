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

var seedOrders = []order{
	seedOrder("germinate", "Plant a seed of a blueprint behind layers of the host", "blueprint layer", leyline.OpGerminate),
	seedOrder("train", "Let a germinated seed train beside the host", "", leyline.OpStartTraining),
	seedOrder("graft", "Begin to blend a trained seed into the host", "mode? steps temperature?", leyline.OpStartGrafting),
	seedOrder("stabilize", "Run a blended seed at full strength", "", leyline.OpStabilize),
	seedOrder("evaluate", "Put a seed on probation", "", leyline.OpEvaluate),
	seedOrder("fossilize", "Make a seed a lasting part of the host", "", leyline.OpFossilize),
	seedOrder("fine-tune", "Take a seed out of the host's output and let it train again", "", leyline.OpFineTune),
	seedOrder("cull", "Give a seed up", "reason", leyline.OpCull),
	seedOrder("cancel", "Call a seed on trial off", "reason", leyline.OpCancel),
}

var emergencyOrders = []order{
	{
		group: "emergency", about: "the emergency level of a run", name: "raise", args: "LEVEL", short: "Raise the emergency level; L4_HALT stops the run for good", flags: "reason",
		kind: leyline.CommandEmergency, fill: emergencyOrder(leyline.EmergencyRaise),
	},
	{
		group: "emergency", name: "clear", args: "LEVEL", short: "Lower the emergency level", flags: "reason",
		kind: leyline.CommandEmergency, fill: emergencyOrder(leyline.EmergencyClear),
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

// seedOrder is the row of an operation on a seed.
func seedOrder(name, short, flags string, op leyline.SeedOperation) order {
	return order{
		group: "seed", about: "the seed in a slot", name: name, args: "SLOT", short: short, flags: flags, kind: leyline.CommandSeed,
		fill: func(c *leyline.Command, args []string, f *orderFlags) error {
			c.Seed = leyline.SeedCommand{
				Operation: op, Seed: leyline.SeedID(args[0]), Blueprint: leyline.BlueprintID(f.blueprint), Mesh: f.layers, Reason: f.reason,
			}
			if op == leyline.OpStartGrafting {
				return f.blend(&c.Seed.Blend)
			}
			return nil
		},
	}
}

func (f *orderFlags) blend(p *leyline.BlendPlan) error {
	p.TotalSteps, p.Temperature = f.steps, f.temperature
	if err := p.Mode.UnmarshalText([]byte(f.mode)); err != nil {
		return usagef("--mode %w", err)
	}
	return nil
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
	set         *pflag.FlagSet
	blueprint   string
	layers      []string
	mode        string
	steps       uint32
	temperature float64
	reason      string
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
		case "mode":
			s.StringVar(&f.mode, name, leyline.BlendResidual.String(), "how the seed's output is mixed into the host's")
		case "steps":
			s.Uint32Var(&f.steps, name, 0, "optimizer steps until the blend is complete")
		case "temperature":
			s.Float64Var(&f.temperature, name, leyline.DefaultConfig().Tamiyo.BlendTemperature, "temperature of the alpha schedule, in steps")
		case "reason":
			s.StringVar(&f.reason, name, "", "why, for people")
		default:
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
