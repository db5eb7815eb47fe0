package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/policyfile"
)

func newPolicyVerify(a *app) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "verify [ID[@VERSION]]", Short: "Hold the files of policies against what was imported", Args: cobra.MaximumNArgs(1),
		Long: "Read every file that the log knows, hold its bytes against the digest that was imported,\nand look at every number in it. A file that is not what was imported exits with 5. Files\n" +
			"that no record names are listed: an import that was interrupted leaves them, and they are\nnever used. Reads only, also beside a live plane.",
		Example: "  esper policy verify --data data/demo\n  esper policy verify careful --data data/demo --json",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.policyVerify(cmd.Context(), data, args) },
	}
	dataFlag(c, &data)
	return c
}

// checked is one line of a verification.
type checked struct {
	Policy string              `json:",omitempty"` // empty: no record names the file
	File   string              // in the policy store
	OK     bool                // it is what was imported
	Fault  leyline.PolicyFault `json:",omitempty"`
	Detail string              `json:",omitempty"`
}

func (a *app) policyVerify(ctx context.Context, data string, names []string) error {
	if err := needData(data); err != nil {
		return err
	}
	s, err := folded(data)
	if err != nil {
		return err
	}
	store, err := policyfile.OpenStore(datadir.PoliciesPath(data))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if store != nil {
		defer store.Close() // only read
	}
	var failed error
	found := 0
	for i := range s.Tamiyo.Artifacts {
		x := &s.Tamiyo.Artifacts[i].Facts
		if len(names) > 0 && names[0] != string(x.ID) && names[0] != x.Name() {
			continue
		}
		found++
		row, err := verifyPolicy(ctx, store, x)
		failed = errors.Join(failed, err)
		if err := a.tellChecked(row); err != nil {
			return err
		}
	}
	switch {
	case len(names) > 0 && found == 0:
		return usagef("no policy %q was imported here; `esper policy list` lists them", names[0])
	case len(names) > 0 || store == nil:
		return failed
	}
	return errors.Join(failed, a.orphans(store, s))
}

// verifyPolicy holds one file against its record.
func verifyPolicy(ctx context.Context, store *policyfile.Store, x *leyline.PolicyArtifact) (checked, error) {
	row := checked{Policy: x.Name(), File: x.File(), OK: true}
	var err error = &policyfile.Fault{Kind: leyline.PolicyFileMissing, Err: errors.New("there is no policy store")}
	if store != nil {
		_, err = store.Load(ctx, x.File(), x.Digest, x.Bytes)
	}
	var fault *policyfile.Fault
	switch {
	case errors.As(err, &fault):
		row.OK, row.Fault, row.Detail = false, fault.Kind, err.Error()
		return row, &leyline.Refusal{
			Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalArtifact, Field: "file", Identifier: x.Name(), Reason: err.Error(),
			Hint: "import the file again: `esper policy import`",
		}
	case err != nil:
		row.OK, row.Detail = false, err.Error()
	}
	return row, err
}

func (a *app) tellChecked(c checked) error {
	if a.json {
		return a.line(c)
	}
	said := "ok"
	if !c.OK {
		said = fmt.Sprintf("%s: %s", c.Fault, printable(c.Detail))
	}
	_, err := fmt.Fprintf(a.out, "%s: %s\n", c.Policy, said)
	return err
}

// orphans lists what lies in the store and no record names. It is harmless.
func (a *app) orphans(store *policyfile.Store, s *projections.State) error {
	entries, err := store.List()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for i := range s.Tamiyo.Artifacts {
		known[s.Tamiyo.Artifacts[i].Facts.File()] = true
	}
	for _, e := range entries {
		if known[e.Name] {
			continue
		}
		why := "no record names it: it is never used"
		if e.Partial {
			why = "its writing was interrupted: it is never used"
		}
		if a.json {
			err = a.line(checked{File: e.Name, Detail: why})
		} else {
			_, err = fmt.Fprintf(a.out, "%s: %s\n", printable(e.Name), why)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newPolicyExport(a *app) *cobra.Command {
	var data, out string
	c := &cobra.Command{
		Use: "export ID@VERSION|settings", Short: "Write a policy and its manifest to files, or the weights of the settings", Args: cobra.ExactArgs(1),
		Long: "Write the verified file of a policy to FILE and its manifest to FILE" + policyfile.ManifestSuffix + ". For \"settings\" the\n" +
			"weights of the rules that the configuration of the log holds are written, without a\nmanifest: to be changed, and described with `esper policy manifest`. Neither file may exist.",
		Example: "  esper policy export careful@1 --data data/demo -o careful.toml\n  esper policy export settings --data data/demo -o weights.toml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.policyExport(cmd.Context(), data, out, args[0])
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVarP(&out, "out", "o", "", "write to this new `FILE`; required")
	return c
}

func (a *app) policyExport(ctx context.Context, data, out, name string) error {
	if err := needData(data); err != nil {
		return err
	}
	if out == "" {
		return usagef("-o is required: the file to be written")
	}
	s, err := folded(data)
	if err != nil {
		return err
	}
	if name == (leyline.PolicyRef{}).String() {
		return a.exportSettings(s, out)
	}
	id, version, _ := strings.Cut(name, "@")
	art := s.Tamiyo.Artifact(leyline.PolicyID(id), version)
	if art == nil {
		return usagef("no policy %q was imported here; `esper policy list` lists them", name)
	}
	store, err := policyfile.OpenStore(datadir.PoliciesPath(data))
	if err != nil {
		return err
	}
	defer store.Close() // only read
	x := &art.Facts
	if _, err := verifyPolicy(ctx, store, x); err != nil {
		return err
	}
	b, _, err := store.Read(ctx, x.File(), x.Bytes)
	if err != nil {
		return err
	}
	text, err := policyfile.MarshalManifest(*x)
	if err != nil {
		return err
	}
	if _, err := policyfile.Artifact(b, text); err != nil { // what was read is what was verified
		return err
	}
	if err := errors.Join(writeNew(out, b), writeNew(out+policyfile.ManifestSuffix, text)); err != nil {
		return err
	}
	return a.tell(checked{Policy: x.Name(), File: out, OK: true}, "%s is written to %s and %s\n", x.Name(), out, out+policyfile.ManifestSuffix)
}

func (a *app) exportSettings(s *projections.State, out string) error {
	if !s.Plane.Configured {
		return usagef("no plane was ever configured there: `esper run` does it")
	}
	b, err := policyfile.MarshalRules(s.Plane.Config.Rules)
	if err != nil {
		return err
	}
	if err := writeNew(out, b); err != nil {
		return err
	}
	return a.tell(checked{Policy: "settings", File: out, OK: true}, "the weights of the settings are written to %s; change them, then describe them with `esper policy manifest`\n", out)
}
