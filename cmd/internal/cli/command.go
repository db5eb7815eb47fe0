package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// errRejected ends a command that the plane did not accept. The verdict is on stdout.
var errRejected = errors.New("the command was rejected")

// commandFlags are the flags that every command has.
type commandFlags struct {
	remoteFlags
	key      string
	origin   string
	run      string
	issuer   string
	out      string
	sequence uint64
	notAfter time.Duration
	all      bool // it is about all runs: there is none to be asked for
}

func (f *commandFlags) flags(s *pflag.FlagSet) {
	f.remoteFlags.flags(s)
	s.StringVar(&f.key, "key", "", "sign with the private key in `FILE`")
	s.StringVar(&f.run, "run", "", "the run that it is about (default: the only open one of the plane)")
	s.StringVar(&f.origin, "origin", "", "the log that it is for (default: that of the plane)")
	s.StringVar(&f.issuer, "issuer", "", "whom the key speaks for (default: what the plane has enrolled)")
	s.StringVar(&f.out, "out", "", "write the signed envelope to this new `FILE` as well; without --to it is only written")
	s.Uint64Var(&f.sequence, "sequence", 0, "number it so (default: one above what is kept beside the key)")
	s.DurationVar(&f.notAfter, "not-after", 0, "it is void after this time (default: as the plane's settings say)")
}

func newCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "command",
		Short: "Sign a command and hand it to a running plane",
		Long: "Sign a command with an enrolled key and hand it to a running plane, or write it\nto a file that is handed in later with `esper command send`.\n\n" +
			"The number that each command of a key must have is kept beside the key, in\nFILE.sequence, and is spent before anything is sent, so that two shells never use\n" +
			"the same. If that file is lost the plane is asked.",
		Example: "  esper command emergency raise L2_ELEVATED --reason 'loss looks odd' --key ada.key --to unix:s\n" +
			"  esper command seed cull seed-a --reason 'does not help' --key ada.key --to 127.0.0.1:7070 --json\n" +
			"  esper command registry reset --reason 'begin anew' --key ada.key --origin esper-1f2e --run run-1 --issuer ada --out reset.json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	groups := map[string]*cobra.Command{"": root}
	for _, o := range orders {
		if groups[o.group] == nil {
			groups[o.group] = &cobra.Command{
				Use: o.group, Short: "Commands about " + o.about, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
			}
			root.AddCommand(groups[o.group])
		}
		groups[o.group].AddCommand(a.orderCommand(o))
	}
	root.AddCommand(newSend(a))
	return root
}

// orderCommand is one row of orders on the command line.
func (a *app) orderCommand(o order) *cobra.Command {
	var f commandFlags
	var given orderFlags
	c := &cobra.Command{
		Use: strings.TrimSpace(o.name + " " + o.args), Short: o.short, Args: cobra.ExactArgs(len(strings.Fields(o.args))),
		RunE: func(cmd *cobra.Command, args []string) error { return a.command(cmd.Context(), o, &f, &given, args) },
	}
	f.flags(c.Flags())
	given.flags(c.Flags(), o.flags)
	return c
}

// command builds, signs and hands in one command.
func (a *app) command(ctx context.Context, o order, f *commandFlags, given *orderFlags, args []string) error {
	c := leyline.Command{Kind: o.kind}
	if err := given.check(o.flags); err != nil {
		return err
	}
	if err := o.fill(&c, args, given); err != nil {
		return err
	}
	key, err := f.signer()
	if err != nil {
		return err
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	unlock, err := lockKey(f.key)
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.address(ctx, f, r, key, &c); err != nil {
		return err
	}
	env, err := a.sign(f, key, c)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := writeEnvelope(f.out, env); err != nil {
			return err
		}
		a.notice("%s is signed as %s, number %d of %s: %s", o.title(), c.ID, f.sequence, c.Issuer, f.out)
	}
	if r == nil {
		if a.json {
			return a.document(signedCommand{c.ID, c.Sequence, c.Issuer, key.KeyID(), f.out})
		}
		return nil
	}
	return a.handIn(ctx, r, "/v1/commands", env)
}

// signer reads the key.
func (f *commandFlags) signer() (sign.Signer, error) {
	if f.key == "" {
		return sign.Signer{}, usagef("--key is required: the private key of an operator")
	}
	text, err := readSecret("--key", f.key, "a private key as esper writes it")
	if err != nil {
		return sign.Signer{}, err
	}
	key, err := sign.ParsePrivate([]byte(text))
	if err != nil {
		return key, usagef("--key: %s: %w", f.key, err)
	}
	return key, nil
}

// address fills in whom the command is from and for. What no flag says the plane is
// asked for; f.sequence becomes its number.
func (a *app) address(ctx context.Context, f *commandFlags, r *remote, key sign.Signer, c *leyline.Command) error {
	if r == nil {
		if err := f.offline(); err != nil {
			return err
		}
	} else if err := f.ask(ctx, r); err != nil {
		return err
	}
	floor, known, err := f.enrolled(ctx, r, key)
	if err != nil {
		return err
	}
	if _, err := os.Stat(f.key + sequenceSuffix); errors.Is(err, fs.ErrNotExist) && floor > 0 {
		a.notice("%s is missing; the plane says that %d was the last number of the key. What was signed with --out and not handed in since is void now",
			f.key+sequenceSuffix, floor)
	}
	return f.number(key, c, floor, known)
}

// number gives a command its number, its id and its time, and addresses it.
func (f *commandFlags) number(key sign.Signer, c *leyline.Command, floor uint64, known bool) (err error) {
	if f.sequence, err = spend(f.key, key.KeyID(), floor, known, f.sequence); err != nil {
		return err
	}
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	now := leyline.Instant(time.Now().UnixNano())
	c.Issuer, c.ID, c.Sequence, c.IssuedAt = f.issuer, leyline.CommandID("op-"+hex.EncodeToString(id[:])), f.sequence, now
	c.Audience = leyline.Audience{Origin: f.origin, Run: leyline.RunID(f.run)}
	if f.notAfter > 0 {
		c.NotAfter = now.Add(f.notAfter)
	}
	return nil
}

// offline demands what only a plane could say.
func (f *commandFlags) offline() error {
	if f.out == "" {
		return usagef("name the plane with --to, or a file with --out")
	}
	for _, x := range []struct{ flag, value string }{{"--origin", f.origin}, {"--run", f.run}, {"--issuer", f.issuer}} {
		if x.value == "" && !(f.all && x.flag == "--run") {
			return usagef("%s is required without --to", x.flag)
		}
	}
	return nil
}

// ask asks the plane for its name and its only open run, where no flag says them.
func (f *commandFlags) ask(ctx context.Context, r *remote) error {
	if f.origin != "" && (f.run != "" || f.all) {
		return nil
	}
	d, err := r.planeDoc(ctx)
	if err != nil {
		return err
	}
	if f.origin == "" {
		f.origin = d.Origin
	}
	if f.run != "" || f.all {
		return nil
	}
	var open []string
	for _, x := range d.Runs {
		if x.Status == leyline.RunStatusOpen {
			open = append(open, string(x.Run))
		}
	}
	if len(open) != 1 {
		return usagef("--run is required: the plane has %d open runs %v", len(open), open)
	}
	f.run = open[0]
	return nil
}

// enrolled asks the plane who the key speaks for and what it has spent; known is false
// without a plane.
func (f *commandFlags) enrolled(ctx context.Context, r *remote, key sign.Signer) (spent uint64, known bool, err error) {
	if r == nil {
		return 0, false, nil
	}
	k, err := r.key(ctx, key.KeyID())
	if err != nil {
		return 0, false, err
	}
	if f.issuer == "" {
		f.issuer = k.Issuer
	}
	return k.Sequence, true, nil
}

func (a *app) sign(f *commandFlags, key sign.Signer, c leyline.Command) (leyline.Envelope, error) {
	body, err := wire.EncodeCommand(c)
	if err != nil {
		return leyline.Envelope{}, usagef("cannot sign it: %w", err)
	}
	if len(body) > leyline.MaxCommandBytes {
		return leyline.Envelope{}, usagef("cannot sign it: it has %d bytes, at most %d are allowed", len(body), leyline.MaxCommandBytes)
	}
	return key.Sign(leyline.PayloadCommand, body), nil
}

// signedCommand is a command that was written and not handed in.
type signedCommand struct {
	Command  leyline.CommandID
	Sequence uint64
	Issuer   string
	Key      leyline.KeyID
	File     string
}

// writeEnvelope writes an envelope as the routes take it.
func writeEnvelope(name string, env leyline.Envelope) error {
	b, err := json.MarshalIndent(admin.DocOf(env), "", "  ")
	if err != nil {
		return err
	}
	return writeNew(name, append(b, '\n'))
}

// handIn posts an envelope and says what became of it.
func (a *app) handIn(ctx context.Context, r *remote, path string, env leyline.Envelope) error {
	said, err := r.post(ctx, path, env)
	if err != nil {
		return err
	}
	if a.json {
		if _, err := fmt.Fprintf(a.out, "%s\n", said.document); err != nil {
			return err
		}
	}
	switch {
	case said.rejection != nil:
		x := said.rejection
		if !a.json {
			where := "no record of its own"
			if x.Record > 0 {
				where = fmt.Sprintf("record %d", x.Record)
			}
			if _, err := fmt.Fprintf(a.out, "rejected as %s: %s (%s)\n", x.Reason, printable(x.Detail), where); err != nil {
				return err
			}
		}
		return fmt.Errorf("%w: %s", errRejected, x.Reason)
	case a.json:
		return nil
	case said.verdict.Verdict == "":
		_, err = fmt.Fprintf(a.out, "recorded as record %d\n", said.verdict.Record)
	case said.verdict.Settled:
		_, err = fmt.Fprintf(a.out, "accepted and carried out: %s is record %d\n", said.verdict.Command, said.verdict.Record)
	default:
		_, err = fmt.Fprintf(a.out, "accepted: %s is record %d, to be carried out by %s\n", said.verdict.Command, said.verdict.Record, said.verdict.Deadline)
	}
	return err
}
