package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// newPolicy is the parent of everything about policy artifacts.
func newPolicy(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Import, verify, activate and roll back policy artifacts",
		Long: "Keep the files of policies in a data directory, and say which of them decides.\n\n" +
			"A policy is a file with a manifest: TOML with the weights of the rules, or safetensors\nwith the tensors of a network. Nothing of it is ever run. Its import is recorded; it\n" +
			"decides only after a signed command, and after its bytes were read and verified again.\nThis version evaluates the rules alone.",
		Example: "  esper policy export settings --data data/demo -o careful.toml\n  esper policy manifest careful.toml --id careful --version 1\n" +
			"  esper policy import careful.toml --data data/demo\n  esper policy activate careful@1 --all --reason 'fewer seeds' --key ada.key --data data/demo\n  esper policy list --data data/demo",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newPolicyManifest(a), newPolicyImport(a), newPolicyList(a), newPolicyShow(a), newPolicyVerify(a), newPolicyActivate(a), newPolicyRollback(a), newPolicyExport(a))
	return c
}

// dataFlag adds the data directory.
func dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "", "the data directory; required")
}

// needData demands it.
func needData(data string) error {
	if data == "" {
		return usagef("--data is required: the data directory of the plane")
	}
	return nil
}

func newPolicyList(a *app) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "list", Short: "List the policies that a log knows, and which of them decide", Args: cobra.NoArgs,
		Long:    "List the policies that were imported, and what decides in each run. Reads only, also\nbeside a live plane.",
		Example: "  esper policy list --data data/demo\n  esper policy list --data data/demo --json",
		RunE:    func(*cobra.Command, []string) error { return a.policyList(data) },
	}
	dataFlag(c, &data)
	return c
}

func (a *app) policyList(data string) error {
	if err := needData(data); err != nil {
		return err
	}
	s, err := folded(data)
	if err != nil {
		return err
	}
	d := admin.PoliciesOf(s)
	if a.json {
		return a.document(d)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "policy\tarchitecture\tformat\tbytes\tsha256\torigin\timported\trecord\n")
	for _, p := range d.Policies {
		fmt.Fprintf(w, "%s@%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\n", p.ID, p.Version, p.Architecture, p.Format, p.Bytes, p.SHA256.Short(), originOf(p), p.Imported, p.Record)
	}
	fmt.Fprint(w, "\nscope\tdecides\tsince record\tbefore\tstate\n")
	if len(d.Scopes) == 0 {
		fmt.Fprint(w, "all\tsettings\t\t\tin use\n")
	}
	for _, x := range d.Scopes {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", scopeName(x.Run), x.Policy, x.Record, x.Before, stateOf(x))
	}
	return w.Flush()
}

func originOf(p admin.PolicyDoc) string {
	if p.Origin == leyline.PolicyTrained {
		return "trained in " + string(p.Run)
	}
	return p.Origin.String()
}

func scopeName(run leyline.RunID) string {
	if run == "" {
		return "all"
	}
	return string(run)
}

// stateOf says in words whether what decides may, and what is under way.
func stateOf(x admin.ScopeDoc) string {
	s := "in use"
	switch {
	case x.Fault != leyline.PolicyFaultNone:
		s = fmt.Sprintf("suspended for %s: %s", x.Fault, printable(x.Detail))
	case !x.Usable:
		s = "verified when it is next needed"
	}
	if x.Loading != "" {
		s += ", " + x.Loading + " is being read"
	}
	return s
}

func newPolicyShow(a *app) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "show ID[@VERSION]", Short: "Print what is recorded of a policy", Args: cobra.ExactArgs(1),
		Example: "  esper policy show careful@1 --data data/demo",
		RunE:    func(_ *cobra.Command, args []string) error { return a.policyShow(data, args[0]) },
	}
	dataFlag(c, &data)
	return c
}

func (a *app) policyShow(data, name string) error {
	if err := needData(data); err != nil {
		return err
	}
	s, err := folded(data)
	if err != nil {
		return err
	}
	found, err := picked(admin.PoliciesOf(s).Policies, name)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(found)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	for _, p := range found {
		fmt.Fprintf(w, "policy\t%s@%s\narchitecture\t%s\nformat\t%s, %d bytes\nsha256\t%s\norigin\t%s\ncreated\t%s\nimported\t%s in record %d, signed with key %s\n",
			p.ID, p.Version, p.Architecture, p.Format, p.Bytes, p.SHA256, originOf(p), p.Created, p.Imported, p.Record, p.By)
		for _, r := range p.Registries {
			fmt.Fprintf(w, "%s\t%d names, %s\n", r.Kind, r.Size, r.SHA256)
		}
	}
	return w.Flush()
}

// picked are the policies of a name: one version, or all of them.
func picked(all []admin.PolicyDoc, name string) ([]admin.PolicyDoc, error) {
	id, version, one := strings.Cut(name, "@")
	found := []admin.PolicyDoc{}
	for _, p := range all {
		if string(p.ID) == id && (!one || p.Version == version) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, usagef("no policy %q was imported here; `esper policy list` lists them", name)
	}
	return found, nil
}

// readBytes reads a file of a bounded size.
func readBytes(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, usagef("cannot read the policy: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, usagef("%s is no file of at most %d bytes", name, limit)
	}
	return os.ReadFile(name)
}
