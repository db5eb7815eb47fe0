package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
)

// trustFlags say what a key may do, and where that is written.
type trustFlags struct {
	data, admin, out string
	kinds, runs      []string
	rate             uint32
	serial           uint64
	sheets           bool
	reason, to       string
}

// places adds the flags that say where the record goes.
func (f *trustFlags) places(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", "", "append the record to this data directory, signed with its admin.key")
	c.Flags().StringVar(&f.admin, "admin", "", "with -o: the admin key of the log, a private key file")
	c.Flags().StringVarP(&f.out, "out", "o", "", "write the signed envelope to this new file instead")
}

// permissions adds the flags that say what a key may do.
func (f *trustFlags) permissions(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.kinds, "kinds", nil, "commands that the key may issue, for example SEED,EMERGENCY")
	c.Flags().StringSliceVar(&f.runs, "runs", nil, "runs that it may command (default: all)")
	c.Flags().BoolVar(&f.sheets, "sheets", false, "the key may sign safety sheets of blueprints")
	c.Flags().Uint32Var(&f.rate, "rate", 0, "commands that it may spend in a minute; 0: no limit")
}

func (f *trustFlags) check() error {
	switch {
	case (f.data == "") == (f.out == ""):
		return usagef("give either --data, for a data directory that no process has open, or -o with --admin, for a plane that runs")
	case (f.out == "") != (f.admin == ""):
		return usagef("--admin and -o belong together")
	}
	return nil
}

// key makes the key of a public key file, with the permissions of the flags.
func (f *trustFlags) key(path string) (leyline.Key, error) {
	shown, err := readKeyFile(path)
	if err != nil {
		return leyline.Key{}, err
	}
	if shown.Private {
		return leyline.Key{}, usagef("%s is a private key, which stays where it is; give %s.pub", path, path)
	}
	name, public, err := sign.ParsePublic(shown.Public)
	if err != nil {
		return leyline.Key{}, err
	}
	k := leyline.Key{ID: shown.Key, Public: public, Issuer: name, Rate: f.rate, Serial: f.serial, Sheets: f.sheets}
	for _, s := range f.kinds {
		var kind leyline.CommandKind
		if err := kind.UnmarshalText([]byte(s)); err != nil {
			return k, usagef("--kinds: %w", err)
		}
		k.Kinds = append(k.Kinds, kind)
	}
	for _, s := range f.runs {
		k.Runs = append(k.Runs, leyline.RunID(s))
	}
	if err := k.Validate(); err != nil {
		return k, usagef("the key: %w", err)
	}
	return k, nil
}

func newKeyEnroll(a *app) *cobra.Command {
	var f trustFlags
	c := &cobra.Command{
		Use:   "enroll FILE.pub",
		Short: "Make a key good for commands, or change what it may do",
		Long: "Make the key in FILE.pub good for commands in the name that is in the file.\n\n" +
			"A key that is enrolled already gets the new permissions. Its serial has to rise, so that\nan old envelope restores nothing: with --data it does, with -o --serial gives it.",
		Example: "  esper key enroll --kinds EMERGENCY --data data/demo ada.key.pub\n  esper key enroll --kinds SEED --rate 30 --admin admin.key -o ada.enroll ada.key.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			k, err := f.key(args[0])
			if err != nil {
				return err
			}
			return a.entrust(c.Context(), f, func(s *projections.State, admin sign.Signer) (leyline.Input, error) {
				if old := s.Plane.Key(k.ID); old != nil && f.data != "" {
					k.Serial = old.Serial + 1
				}
				body, err := wire.EncodeKey(k)
				return leyline.KeyAdded{Envelope: admin.Sign(leyline.PayloadKey, body)}, err
			})
		},
	}
	f.places(c)
	f.permissions(c)
	c.Flags().Uint64Var(&f.serial, "serial", 0, "with -o, for a key that is enrolled: above its serial in esper key list")
	return c
}

func newKeyRevoke(a *app) *cobra.Command {
	var f trustFlags
	c := &cobra.Command{
		Use:     "revoke KEY",
		Short:   "Revoke a key for ever",
		Long:    "Revoke the key with the id KEY, from the record of it on and for ever. What it commanded\nbefore stays accepted.",
		Example: "  esper key revoke --reason \"the laptop is lost\" --data data/demo 288fe3a9403b2f0c",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withdraw(c.Context(), f, leyline.KeyRevocation{Key: leyline.KeyID(args[0]), Reason: f.reason})
		},
	}
	f.places(c)
	c.Flags().StringVar(&f.reason, "reason", "", "why, for the record")
	return c
}

func newKeyRotate(a *app) *cobra.Command {
	var f trustFlags
	c := &cobra.Command{
		Use:     "rotate KEY",
		Short:   "Replace a key by another of the same issuer, in one record",
		Long:    "Revoke the key with the id KEY and enroll the key of --to in the same record: there is no\nmoment at which both are good, or neither.",
		Example: "  esper key rotate --reason yearly --to ada-2.key.pub --kinds EMERGENCY --data data/demo 288fe3a9403b2f0c",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.to == "" {
				return usagef("--to says which key takes its place")
			}
			next, err := f.key(f.to)
			if err != nil {
				return err
			}
			return a.withdraw(c.Context(), f, leyline.KeyRevocation{Key: leyline.KeyID(args[0]), Reason: f.reason, Successor: next})
		},
	}
	f.places(c)
	f.permissions(c)
	c.Flags().StringVar(&f.reason, "reason", "", "why, for the record")
	c.Flags().StringVar(&f.to, "to", "", "public key file of the key that takes its place")
	return c
}

func (a *app) withdraw(ctx context.Context, f trustFlags, v leyline.KeyRevocation) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := v.Validate(); err != nil {
		return usagef("%w", err)
	}
	return a.entrust(ctx, f, func(_ *projections.State, admin sign.Signer) (leyline.Input, error) {
		body, err := wire.EncodeRevocation(v)
		return leyline.KeyRevoked{Envelope: admin.Sign(leyline.PayloadRevocation, body)}, err
	})
}

// entrusted is the JSON form of what was done.
type entrusted struct {
	Record leyline.Seq // in which it is; 0 with File
	File   string      // that holds the envelope; empty with Record
	Key    leyline.KeyID
}

// entrust signs a change of trust and appends it, or writes it to a file.
func (a *app) entrust(ctx context.Context, f trustFlags, make func(*projections.State, sign.Signer) (leyline.Input, error)) error {
	if f.out != "" {
		return a.entrustFile(f, make)
	}
	var done entrusted
	err := a.onStopped(ctx, f.data, func(p *plane.Plane, s *projections.State, keys datadir.Keys) error {
		in, err := make(s, keys.Admin)
		if err != nil {
			return err
		}
		done.Key = keys.Admin.KeyID()
		switch x := in.(type) {
		case leyline.KeyAdded:
			done.Record, err = p.Enroll(ctx, x, "esper key")
		case leyline.KeyRevoked:
			done.Record, err = p.Revoke(ctx, x, "esper key")
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.tell(done, "recorded in record %d, signed with admin key %s\n", done.Record, done.Key)
}

func (a *app) entrustFile(f trustFlags, make func(*projections.State, sign.Signer) (leyline.Input, error)) error {
	b, err := os.ReadFile(f.admin)
	if err != nil {
		return err
	}
	admin, err := sign.ParsePrivate(b)
	if err != nil {
		return fmt.Errorf("%s: %w", f.admin, err)
	}
	in, err := make(&projections.State{}, admin)
	if err != nil {
		return err
	}
	env := leyline.Envelope{}
	switch x := in.(type) {
	case leyline.KeyAdded:
		env = x.Envelope
	case leyline.KeyRevoked:
		env = x.Envelope
	}
	file, err := sign.MarshalEnvelope(env)
	if err != nil {
		return err
	}
	if err := writeNew(f.out, file); err != nil {
		return err
	}
	return a.tell(entrusted{File: f.out, Key: admin.KeyID()}, "%s is signed with key %s; hand it to the plane\n", f.out, admin.KeyID())
}

func (a *app) tell(doc any, format string, args ...any) error {
	if a.json {
		return a.document(doc)
	}
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}

// onStopped starts a plane on a data directory that no process has open, does
// something with it and stops it: the same guard judges what is appended, under the
// same lock. The directory must hold a log with a configuration.
func (a *app) onStopped(ctx context.Context, path string, do func(*plane.Plane, *projections.State, datadir.Keys) error) (err error) {
	s, err := folded(path)
	if err != nil {
		return err
	}
	if !s.Plane.Configured {
		return usagef("no plane was ever configured in %s: `esper run --data %s` does it", path, path)
	}
	log, err := a.logger()
	if err != nil {
		return err
	}
	d, err := datadir.Open(path, datadir.Options{Rand: rand.Reader, Now: time.Now, Logger: log, Log: s.Plane.Config.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	j := &served{app: a, dir: d, config: s.Plane.Config}
	o, err := j.planeOptions(log)
	if err != nil {
		return err
	}
	o.Admit, o.Policy, o.Released, o.Free = nil, nil, nil, nil
	o.Bootstrap = func(now *projections.State) ([]leyline.Input, error) { s = now; return nil, nil }
	p, err := plane.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Shutdown(context.WithoutCancel(ctx))) }()
	return do(p, s, d.Keys)
}
