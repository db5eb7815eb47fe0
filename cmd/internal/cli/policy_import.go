package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/policyfile"
)

type importFlags struct {
	remoteFlags
	data, manifest, key string
}

func newPolicyImport(a *app) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import FILE", Short: "Copy the file of a policy into a data directory and record it", Args: cobra.ExactArgs(1),
		Long: "Hold a file against its manifest, FILE" + policyfile.ManifestSuffix + " or the entry " + policyfile.MetadataKey + " in a safetensors file, copy it\n" +
			"into the policy store of the data directory, and record the import, signed with the admin\nkey or another key for POLICY commands. Nothing decides otherwise because of it.\n\n" +
			"Without --to no process may have the data directory open. To import the same file again\nis safe: what is missing of it is mended.",
		Example: "  esper policy import careful.toml --data data/demo\n  esper policy import net.safetensors --data data/demo --to unix:s --key ada.key",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.policyImport(cmd.Context(), &f, args[0]) },
	}
	dataFlag(c, &f.data)
	c.Flags().StringVar(&f.manifest, "manifest", "", "the manifest in `FILE` (default: beside the policy, under its name with "+policyfile.ManifestSuffix+" behind it)")
	c.Flags().StringVar(&f.key, "key", "", "sign with the private key in `FILE` (default: the admin key of the data directory)")
	f.remoteFlags.flags(c.Flags())
	return c
}

// imported is the JSON form of an import.
type imported struct {
	Policy string
	SHA256 leyline.Digest
	Record leyline.Seq // that holds it
	Again  bool        // it was recorded before: only its file was put back
}

func (a *app) policyImport(ctx context.Context, f *importFlags, file string) error {
	if err := needData(f.data); err != nil {
		return err
	}
	b, art, err := readPolicy(file, f.manifest)
	if err != nil {
		return err
	}
	s, err := folded(f.data)
	if err != nil {
		return err
	}
	old := s.Tamiyo.Artifact(art.ID, art.Version)
	if old != nil && old.Facts.Digest != art.Digest {
		return &leyline.Refusal{
			Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalPolicyExists, Field: "version", Identifier: art.Name(),
			Reason: fmt.Sprintf("was imported in record %d with the digest %s, this file has %s", old.Seq, old.Facts.Digest.Short(), art.Digest.Short()),
			Hint:   "a changed policy gets another version",
		}
	}
	if err := putPolicy(f.data, &art, b); err != nil {
		return err
	}
	done := imported{Policy: art.Name(), SHA256: art.Digest}
	if old != nil {
		done.Record, done.Again = old.Seq, true
		return a.tell(done, "%s was imported before, in record %d; its file is whole\n", done.Policy, done.Record)
	}
	return a.recordPolicy(ctx, f, art, done)
}

// readPolicy reads a file and what is said of it.
func readPolicy(file, manifest string) ([]byte, leyline.PolicyArtifact, error) {
	b, err := readBytes(file, leyline.MaxPolicyBytes)
	if err != nil {
		return nil, leyline.PolicyArtifact{}, err
	}
	path := manifest
	if path == "" {
		path = file + policyfile.ManifestSuffix
	}
	text, err := readBytes(path, leyline.MaxManifestBytes)
	if err != nil && (manifest != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, leyline.PolicyArtifact{}, err
	}
	art, err := policyfile.Artifact(b, text)
	if err != nil {
		return nil, art, fmt.Errorf("%s: %w", file, err)
	}
	return b, art, nil
}

// putPolicy stores the file before anything is recorded of it: a crash in between leaves
// a file that no record names, which `esper policy verify` lists.
func putPolicy(data string, art *leyline.PolicyArtifact, b []byte) error {
	store, err := policyfile.MakeStore(datadir.PoliciesPath(data))
	if err != nil {
		return err
	}
	return errors.Join(store.Put(art, b), store.Close())
}

func (a *app) recordPolicy(ctx context.Context, f *importFlags, art leyline.PolicyArtifact, done imported) error {
	body, err := wire.EncodePolicy(art)
	if err != nil {
		return usagef("the manifest: %w", err)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	if r != nil {
		key, err := f.signer()
		if err != nil {
			return err
		}
		return a.handIn(ctx, r, "/v1/policies", key.Sign(leyline.PayloadPolicy, body))
	}
	err = a.onStopped(ctx, f.data, func(p *plane.Plane, _ *projections.State, keys datadir.Keys) error {
		key := keys.Admin
		if f.key != "" {
			if key, err = f.signer(); err != nil {
				return err
			}
		}
		done.Record, err = p.Import(ctx, leyline.PolicyImported{
			Envelope: key.Sign(leyline.PayloadPolicy, body), Peer: leyline.PeerOperator, PeerName: "esper policy",
		})
		return err
	})
	if err != nil {
		return err
	}
	return a.tell(done, "%s is imported in record %d\n", done.Policy, done.Record)
}

// signer reads the key of the flags, or the admin key.
func (f *importFlags) signer() (sign.Signer, error) {
	c := commandFlags{key: f.key}
	if c.key == "" {
		c.key = datadir.AdminKeyPath(f.data)
	}
	return c.signer()
}

// manifestFlags are what people say of a file; the rest is measured.
type manifestFlags struct {
	id, version, architecture, run string
	blueprints                     []string
}

func newPolicyManifest(a *app) *cobra.Command {
	var f manifestFlags
	c := &cobra.Command{
		Use: "manifest FILE", Short: "Write the manifest of a policy beside its file", Args: cobra.ExactArgs(1),
		Long: "Measure a file and write FILE" + policyfile.ManifestSuffix + ". A policy that was trained names its run; one without\n" +
			"was written by hand. With --blueprint it can only decide where just these kinds of seed\nare there.",
		Example: "  esper policy manifest careful.toml --id careful --version 1\n  esper policy manifest net.safetensors --id net --version 7 --architecture hetgnn/1 --run run-1 --blueprint residual-mlp-16",
		RunE:    func(_ *cobra.Command, args []string) error { return a.policyManifest(&f, args[0]) },
	}
	s := c.Flags()
	s.StringVar(&f.id, "id", "", "names the policy; required")
	s.StringVar(&f.version, "version", "", "of the policy; with its id it names this file for ever; required")
	s.StringVar(&f.architecture, "architecture", leyline.RulesArchitecture, "what evaluates it, as NAME/NUMBER")
	s.StringVar(&f.run, "run", "", "the run that it was trained on (default: none, it was written by hand)")
	s.StringArrayVar(&f.blueprints, "blueprint", nil, "that its scores index; may be repeated (default: it indexes none)")
	return c
}

func (a *app) policyManifest(f *manifestFlags, file string) error {
	b, err := readBytes(file, leyline.MaxPolicyBytes)
	if err != nil {
		return err
	}
	art := leyline.PolicyArtifact{
		ID: leyline.PolicyID(f.id), Version: f.version, Architecture: f.architecture, Digest: sha256.Sum256(b), Bytes: uint64(len(b)),
		Origin: leyline.PolicyHandWritten, Run: leyline.RunID(f.run), Created: time.Now().UTC().Format(time.RFC3339), Registries: leyline.FixedRegistries(),
	}
	if art.Format, err = policyfile.Sniff(b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if f.run != "" {
		art.Origin = leyline.PolicyTrained
	}
	if len(f.blueprints) > 0 {
		ids := make([]leyline.BlueprintID, len(f.blueprints))
		for i, id := range f.blueprints {
			ids[i] = leyline.BlueprintID(id)
		}
		art.Registries = append(art.Registries, leyline.BlueprintRegistry(ids))
	}
	if err := art.Validate(); err != nil {
		return usageError{err}
	}
	text, err := policyfile.MarshalManifest(art)
	if err != nil {
		return err
	}
	if _, err := policyfile.Artifact(b, text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := writeNew(file+policyfile.ManifestSuffix, text); err != nil {
		return err
	}
	return a.tell(art, "%s says that %s is %s, %s\n", file+policyfile.ManifestSuffix, file, art.Name(), art.Architecture)
}
