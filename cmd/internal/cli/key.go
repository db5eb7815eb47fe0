package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/projections"
)

// newKey is the parent of everything about the keys that commands are signed with.
func newKey(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Make, show, enroll, replace and revoke the keys of commands",
		Long: "Make and show keys, and say which of them a log trusts.\n\n" +
			"A key becomes good, is limited or is revoked by a record that the admin key signed, and\nfrom that record on. With --data that record is appended to the data directory, which\nno other process may have open; with -o it is written as a signed envelope, to be\nhanded to a plane that runs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newKeyNew(a), newKeyShow(a), newKeyList(a), newKeyEnroll(a), newKeyRevoke(a), newKeyRotate(a))
	return c
}

func newKeyNew(a *app) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:     "new FILE",
		Short:   "Make a key: the private half in FILE, the public half in FILE.pub",
		Long:    "Make an Ed25519 key. FILE gets the private half as PEM with PKCS #8, readable by its\nowner alone, and FILE.pub the public half as one line of text. Neither may exist.",
		Example: "  esper key new --name ada ada.key",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.keyNew(args[0], name) },
	}
	c.Flags().StringVar(&name, "name", "", "whose key it is: the issuer of its commands")
	return c
}

// shownKey is the JSON form of a key file.
type shownKey struct {
	Path    string
	Key     leyline.KeyID
	Name    string // empty in a private key
	Private bool
	Public  string // as text, with the name "key" if it has none
}

func (a *app) keyNew(path, name string) error {
	key, err := sign.Generate(rand.Reader)
	if err != nil {
		return err
	}
	public, err := sign.MarshalPublic(name, key.Public())
	if err != nil {
		return usagef("--name: %w", err)
	}
	private, err := sign.MarshalPrivate(key)
	if err != nil {
		return err
	}
	if err := writeNew(path, private); err != nil {
		return err
	}
	if err := writeNew(path+".pub", []byte(public+"\n")); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return a.showKey(shownKey{Path: path, Key: key.KeyID(), Name: name, Private: true, Public: public})
}

func newKeyShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Show the id and the public half of a key in a file",
		Example: "  esper key show data/demo/keys/tamiyo.key\n  esper key show --json ada.key.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := readKeyFile(args[0])
			if err != nil {
				return err
			}
			return a.showKey(k)
		},
	}
}

// readKeyFile reads a private or a public key.
func readKeyFile(path string) (shownKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return shownKey{}, err
	}
	if private, err := sign.ParsePrivate(b); err == nil {
		public, err := sign.MarshalPublic("key", private.Public())
		return shownKey{Path: path, Key: private.KeyID(), Private: true, Public: public}, err
	}
	name, public, err := sign.ParsePublic(string(b))
	if err != nil {
		return shownKey{}, fmt.Errorf("%s is neither a private key nor a public one: %w", path, err)
	}
	return shownKey{Path: path, Key: sign.KeyIDOf(public), Name: name, Public: strings.TrimSpace(string(b))}, nil
}

func (a *app) showKey(k shownKey) error {
	if a.json {
		return a.document(k)
	}
	_, err := fmt.Fprintf(a.out, "%s  key %s\npublic  %s\n", k.Path, k.Key, k.Public)
	return err
}

func newKeyList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list DIR",
		Short:   "List the keys that a log trusts, and those that it trusts no longer",
		Long:    "List the keys of a log: whom they speak for, what they may command, and whether they were\nrevoked. Reads only, also beside a live plane.",
		Example: "  esper key list data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.keyList(args[0]) },
	}
}

// listedKey is one key of a log.
type listedKey struct {
	Key       leyline.KeyID
	Issuer    string
	Kinds     []leyline.CommandKind
	Runs      []leyline.RunID // empty: all
	Rate      uint32          // a minute; 0: no limit
	Serial    uint64
	Sheets    bool   // it may sign safety sheets of blueprints
	Sequence  uint64 // highest one spent
	Valid     bool
	RevokedIn leyline.Seq // 0: it is valid
	RevokedAt leyline.Instant
	Reason    string // of the revocation
}

func (a *app) keyList(path string) error {
	s, err := folded(path)
	if err != nil {
		return err
	}
	keys := make([]listedKey, 0, len(s.Plane.Keys))
	for i := range s.Plane.Keys {
		keys = append(keys, keyRow(s, &s.Plane.Keys[i]))
	}
	if a.json {
		return a.document(keys)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "key\tissuer\tcommands\truns\ta minute\tspent\tstate\n")
	for _, k := range keys {
		state := "valid"
		if !k.Valid {
			state = fmt.Sprintf("revoked in record %d: %s", k.RevokedIn, printable(k.Reason))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", k.Key, printable(k.Issuer), mayDo(&k), join(k.Runs, "all"), limit(k.Rate), k.Sequence, state)
	}
	return w.Flush()
}

// mayDo says what a key is good for.
func mayDo(k *listedKey) string {
	s := join(k.Kinds, "none")
	if k.Sheets {
		s += " and safety sheets"
	}
	return s
}

func limit(rate uint32) string {
	if rate == 0 {
		return "no limit"
	}
	return fmt.Sprint(rate)
}

func join[T any](list []T, none string) string {
	if len(list) == 0 {
		return none
	}
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = fmt.Sprint(x)
	}
	return strings.Join(words, ",")
}

func keyRow(s *projections.State, k *leyline.Key) listedKey {
	out := listedKey{
		Key: k.ID, Issuer: k.Issuer, Kinds: k.Kinds, Runs: k.Runs, Rate: k.Rate, Serial: k.Serial, Sheets: k.Sheets, Sequence: s.Kasmina.High(k.ID), Valid: true,
	}
	if r := s.Plane.Revocation(k.ID); r != nil {
		out.Valid, out.RevokedIn, out.RevokedAt, out.Reason = false, r.Seq, r.At, r.Reason
	}
	return out
}

// folded is the state at the end of a log that is only read.
func folded(path string) (*projections.State, error) {
	d, err := datadir.OpenReadOnly(path)
	if err != nil {
		return nil, err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	if err := complete(d.Report()); err != nil {
		return nil, err
	}
	s := &projections.State{}
	for r, err := range decoded(d.Source(), 1) {
		if err != nil {
			return nil, err
		}
		s.ApplyRecord(r)
	}
	return s, nil
}
