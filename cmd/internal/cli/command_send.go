package cli

import (
	"bytes"
	"context"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

func newSend(a *app) *cobra.Command {
	var f remoteFlags
	c := &cobra.Command{
		Use:   "send FILE",
		Short: "Hand in a signed envelope from a file: a command, or a key",
		Long: "Hand in a signed envelope from a file, as --out writes it. A command is judged\nby the plane's verifier; what the admin key has signed, such as a key, is recorded.\n" +
			"To hand in the same file twice is safe.",
		Example: "  esper command send reset.json --to unix:s\n  esper command send ada-key.json --to unix:s",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.send(cmd.Context(), f, args[0]) },
	}
	f.flags(c.Flags())
	return c
}

func (a *app) send(ctx context.Context, f remoteFlags, file string) error {
	b, err := readFile(file)
	if err != nil {
		return usagef("cannot read the envelope: %w", err)
	}
	env, err := parseEnvelope(b)
	if err != nil {
		return usagef("%s holds no envelope: %w", file, err)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	if r == nil {
		return usagef("--to is required: the plane that it is handed to")
	}
	path := "/v1/keys"
	if env.PayloadType == leyline.PayloadCommand {
		path = "/v1/commands"
	}
	return a.handIn(ctx, r, path, env)
}

// parseEnvelope reads an envelope in either form.
func parseEnvelope(b []byte) (leyline.Envelope, error) {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		return admin.ParseEnvelope(b)
	}
	return wire.DecodeEnvelope(b)
}
