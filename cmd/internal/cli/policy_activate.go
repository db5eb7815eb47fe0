package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// steerFlags are those of commands about which policy decides.
type steerFlags struct {
	commandFlags
	data, digest, reason string
}

func (f *steerFlags) add(c *cobra.Command) {
	f.commandFlags.flags(c.Flags())
	c.Flags().BoolVar(&f.all, "all", false, "in all runs that have none of their own, also in those to come, instead of one run")
	c.Flags().StringVar(&f.reason, "reason", "", "why, for people; required")
	c.Flags().StringVar(&f.data, "data", "", "without --to: the data directory of a plane that does not run")
}

const steerHelp = "\n\nWith --to a running plane is told, with --data one that does not run, and with --out the\nsigned command is only written, for `esper command send`. The file is read and verified\n" +
	"before it decides; if it cannot be used, what decided goes on, and the exit code is 5."

func newPolicyActivate(a *app) *cobra.Command {
	var f steerFlags
	c := &cobra.Command{
		Use: "activate ID@VERSION", Short: "Let a policy decide in a run, or in all of them", Args: cobra.ExactArgs(1),
		Long: "Sign the command that lets an imported policy decide from the next window on, in place of\nthe weights of the settings." + steerHelp,
		Example: "  esper policy activate careful@1 --run run-1 --reason 'fewer seeds' --key ada.key --to unix:s\n" +
			"  esper policy activate careful@1 --all --reason 'fewer seeds' --key ada.key --data data/demo",
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0], f.digest)
			if err != nil {
				return err
			}
			return a.steer(cmd.Context(), &f, leyline.PolicyCommand{Action: leyline.PolicyActivate, Policy: ref})
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.digest, "digest", "", "SHA-256 of its file (default: that with which the plane has imported it)")
	return c
}

func newPolicyRollback(a *app) *cobra.Command {
	var f steerFlags
	c := &cobra.Command{
		Use: "rollback", Short: "Let the policy decide again that did before", Args: cobra.NoArgs,
		Long:    "Sign the command that goes back to what decided before the policy in force: the policy\nthat was activated before it, or the settings." + steerHelp,
		Example: "  esper policy rollback --run run-1 --reason 'it proposes nothing' --key ada.key --to unix:s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.steer(cmd.Context(), &f, leyline.PolicyCommand{Action: leyline.PolicyRollback})
		},
	}
	f.add(c)
	return c
}

func parseRef(name, digest string) (leyline.PolicyRef, error) {
	id, version, found := strings.Cut(name, "@")
	ref := leyline.PolicyRef{ID: leyline.PolicyID(id), Version: version}
	if !found {
		return ref, usagef("%q: name the policy as ID@VERSION", name)
	}
	if digest != "" {
		if err := ref.Digest.UnmarshalText([]byte(digest)); err != nil {
			return ref, usagef("--digest: %w", err)
		}
	}
	return ref, nil
}

// steer signs a POLICY command, hands it in and waits for what becomes of it.
func (a *app) steer(ctx context.Context, f *steerFlags, x leyline.PolicyCommand) error {
	x.Reason, x.Scope = f.reason, leyline.PolicyOfRun
	switch {
	case f.all && f.run != "":
		return usagef("--all and --run exclude each other")
	case f.all:
		x.Scope = leyline.PolicyOfAll
	}
	if f.data != "" && f.to == "" && f.out == "" {
		return a.steerStopped(ctx, f, x)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	if err := f.known(ctx, r, &x); err != nil {
		return err
	}
	o := order{name: "policy " + x.Action.String(), kind: leyline.CommandPolicy, fill: func(c *leyline.Command, _ []string, _ *orderFlags) error {
		c.Policy = x
		return usageIfAny(x.Validate())
	}}
	if r == nil {
		return a.command(ctx, o, &f.commandFlags, &orderFlags{}, nil)
	}
	ask := func() (d admin.PoliciesDoc, err error) { return d, r.get(ctx, "/v1/policies", &d) }
	before, err := ask()
	if err != nil {
		return err
	}
	if err := a.command(ctx, o, &f.commandFlags, &orderFlags{}, nil); err != nil {
		return err
	}
	return a.arrived(ask, before, leyline.RunID(f.run))
}

// known fills in the digest that the plane has imported.
func (f *steerFlags) known(ctx context.Context, r *remote, x *leyline.PolicyCommand) error {
	if x.Action != leyline.PolicyActivate || !x.Policy.Digest.IsZero() {
		return nil
	}
	var d admin.PoliciesDoc
	switch {
	case r != nil:
		if err := r.get(ctx, "/v1/policies", &d); err != nil {
			return err
		}
	case f.data != "":
		s, err := folded(f.data)
		if err != nil {
			return err
		}
		d = admin.PoliciesOf(s)
	default:
		return usagef("--digest is required without --to and --data")
	}
	found, err := picked(d.Policies, x.Policy.String())
	if err == nil {
		x.Policy.Digest = found[0].SHA256
	}
	return err
}

// steerStopped does it on a data directory that no process has open.
func (a *app) steerStopped(ctx context.Context, f *steerFlags, x leyline.PolicyCommand) error {
	key, err := f.signer()
	if err != nil {
		return err
	}
	if err := f.known(ctx, nil, &x); err != nil {
		return err
	}
	unlock, err := lockKey(f.key)
	if err != nil {
		return err
	}
	defer unlock()
	return a.onStopped(ctx, f.data, func(p *plane.Plane, s *projections.State, _ datadir.Keys) error {
		c := leyline.Command{Kind: leyline.CommandPolicy, Policy: x}
		if err := f.addressed(s, key, &c); err != nil {
			return err
		}
		if err := c.Validate(); err != nil {
			return usageError{err}
		}
		env, err := a.sign(&f.commandFlags, key, c)
		if err != nil {
			return err
		}
		before := admin.PoliciesOf(s)
		if err := a.judged(ctx, p, env); err != nil {
			return err
		}
		return a.arrived(func() (d admin.PoliciesDoc, err error) {
			return d, p.View(ctx, func(s *projections.State) { d = admin.PoliciesOf(s) })
		}, before, c.Audience.Run)
	})
}

// judged hands a command to a plane in this process and tells its verdict.
func (a *app) judged(ctx context.Context, p *plane.Plane, env leyline.Envelope) error {
	said, err := p.Judge(ctx, leyline.CommandReceived{Envelope: env, Peer: leyline.PeerOperator, PeerName: "esper policy"})
	if err != nil {
		return err
	}
	if said.Accepted {
		return a.tell(said, "accepted: %s is record %d\n", said.Command, said.Seq)
	}
	if err := a.tell(said, "rejected as %s: %s (record %d)\n", said.Reason, printable(said.Detail), said.Seq); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", errRejected, said.Reason)
}

// addressed fills in what the log says.
func (f *steerFlags) addressed(s *projections.State, key sign.Signer, c *leyline.Command) error {
	k := s.Plane.Key(key.KeyID())
	if k == nil {
		return usagef("--key %s: the log does not know it; `esper key enroll --kinds POLICY --data %s` enrolls it", f.key, f.data)
	}
	if f.issuer == "" {
		f.issuer = k.Issuer
	}
	if f.run == "" && !f.all {
		var open []string
		for i := range s.Tolaria.Runs {
			if r := &s.Tolaria.Runs[i]; r.Status == leyline.RunStatusOpen {
				open = append(open, string(r.ID))
			}
		}
		if len(open) != 1 {
			return usagef("--run or --all is required: the log has %d open runs %v", len(open), open)
		}
		f.run = open[0]
	}
	f.origin = s.Plane.Origin
	return f.number(key, c, s.Kasmina.High(key.KeyID()), true)
}

// arrival is how often it is asked what became of an accepted command.
const arrival = 50 * time.Millisecond

// arrived waits until the file of an accepted command was read, and says what decides
// then: something else than before, or the file could not be used. The plane ends the
// wait: it gives up a file at the deadline of the command.
func (a *app) arrived(ask func() (admin.PoliciesDoc, error), before admin.PoliciesDoc, run leyline.RunID) error {
	for {
		d, err := ask()
		if err != nil {
			return err
		}
		now := scopeOf(d, run)
		switch {
		case now.Loading != "":
			time.Sleep(arrival)
			continue
		case now.Record == scopeOf(before, run).Record:
			return &leyline.Refusal{
				Subsystem: leyline.SubsystemTamiyo, Kind: leyline.RefusalArtifact, Field: "policy", Identifier: now.Policy,
				Reason: "goes on deciding: the file of the other could not be used", Hint: "`esper policy verify` says what is wrong with it",
			}
		}
		a.notice("%s decides in %s", now.Policy, scopeName(run))
		return nil
	}
}

// scopeOf is what decides in a scope; the zero value: none was ever activated there.
func scopeOf(d admin.PoliciesDoc, run leyline.RunID) admin.ScopeDoc {
	for _, s := range d.Scopes {
		if s.Run == run {
			return s
		}
	}
	return admin.ScopeDoc{}
}
