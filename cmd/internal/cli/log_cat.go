package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

type logCatFlags struct {
	from, to uint64
	kind     string
	raw      bool
}

func newLogCat(a *app) *cobra.Command {
	var f logCatFlags
	c := &cobra.Command{
		Use:   "cat DIR",
		Short: "Show the records of a log, of every kind, as far as they can be read",
		Long: "Show the records of a log: number, time, kind, lag, length of the payload in bytes,\nleaf hash, and what they say. The lag is how many records, this one included, were\nnot yet acknowledged when it was written. " +
			"Reads only, also beside a live plane.\n\nOf a damaged log it shows what comes before the damage, says what is wrong, and ends\nwith exit code 4.",
		Example: "  esper log cat --from 140 --to 150 data/demo\n  esper log cat --kind repair --json data/demo\n  esper log cat --raw --from 142 --to 142 data/demo | xxd",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logCat(args[0], f) },
	}
	c.Flags().Uint64Var(&f.from, "from", 0, "first record")
	c.Flags().Uint64Var(&f.to, "to", 0, "last record")
	c.Flags().StringVar(&f.kind, "kind", "", "only transition, checkpoint, repair or origin")
	c.Flags().BoolVar(&f.raw, "raw", false, "the bytes of the payload of one record, and nothing else")
	return c
}

// check finds contradictions between the flags.
func (f *logCatFlags) check(asJSON bool) error {
	known := f.kind == ""
	for k := eventlog.Kind(1); k.Valid(); k++ {
		known = known || f.kind == k.String()
	}
	switch {
	case !known:
		return usagef("--kind %q; want transition, checkpoint, repair or origin", f.kind)
	case f.to != 0 && f.from > f.to:
		return usagef("--from %d is after --to %d", f.from, f.to)
	case f.raw && asJSON:
		return usagef("--raw writes bytes, --json writes JSON; leave one out")
	case f.raw && (f.from == 0 || f.to != f.from):
		return usagef("--raw writes one record: give its number as --from and as --to")
	}
	return nil
}

func (a *app) logCat(path string, f logCatFlags) error {
	if err := f.check(a.json); err != nil {
		return err
	}
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	read := 0
	for e, err := range eventlog.Salvage(dir, f.from) {
		read++
		switch {
		case errors.Is(err, eventlog.ErrNotFound):
			return usagef("--from: %w", err)
		case err != nil:
			return err
		case f.to != 0 && e.Seq > f.to:
			return nil
		case f.kind != "" && f.kind != e.Kind.String():
			continue
		}
		if err := a.printEntry(e, f.raw); err != nil {
			return err
		}
	}
	if read == 0 {
		return usagef("--from %d is after the last record", f.from)
	}
	return nil
}

func (a *app) printEntry(e eventlog.Entry, raw bool) error {
	if raw {
		_, err := a.out.Write(e.Payload)
		return err
	}
	c, err := catalogue(e)
	if err != nil {
		return err
	}
	if a.json {
		return a.line(c)
	}
	_, err = fmt.Fprintf(a.out, "%d\t%s\t%s\tlag %d\t%d bytes\t%s\t%s\n", c.Seq, c.At, c.Kind, c.Lag, c.Bytes, c.Leaf[:16], printable(c.words()))
	return err
}

// catalogued is one record as it is shown.
type catalogued struct {
	Seq        uint64           `json:"seq"`
	At         leyline.Instant  `json:"at"`
	Kind       string           `json:"kind"`
	Lag        uint16           `json:"lag"`
	Bytes      int              `json:"bytes"`
	Leaf       string           `json:"leaf_hash"`
	Run        leyline.RunID    `json:"run,omitempty"`
	Input      *told            `json:"input,omitempty"`
	Events     []told           `json:"events,omitempty"`
	Checkpoint *tree.Checkpoint `json:"checkpoint,omitempty"`
	Content    json.RawMessage  `json:"content,omitempty"` // of an origin or a repair
}

// told is an input or an event under its name.
type told struct {
	Kind  string `json:"kind"`
	Value any    `json:"value"`
}

// catalogue decodes what the payload says.
func catalogue(e eventlog.Entry) (catalogued, error) {
	c := catalogued{Seq: e.Seq, At: leyline.Instant(e.At), Kind: e.Kind.String(), Lag: e.Lag, Bytes: len(e.Payload),
		Leaf: fmt.Sprintf("%x", eventlog.LeafHash(eventlog.AppendFrame(nil, e)))}
	var err error
	switch e.Kind {
	case eventlog.KindTransition:
		err = c.transition(e)
	case eventlog.KindCheckpoint:
		c.Checkpoint = new(tree.Checkpoint)
		*c.Checkpoint, err = tree.ReadCheckpoint(e.Payload)
	default:
		if c.Content = append(c.Content, e.Payload...); !json.Valid(c.Content) {
			err = fmt.Errorf("record %d of kind %v is not JSON", e.Seq, e.Kind)
		}
	}
	return c, err
}

func (c *catalogued) transition(e eventlog.Entry) error {
	r, err := wire.DecodeRecord(leyline.Seq(e.Seq), leyline.Instant(e.At), e.Payload)
	if err != nil {
		return fmt.Errorf("record %d: %w", e.Seq, err)
	}
	c.Run = r.Run
	c.Input = &told{r.Input.InputKind().String(), jsonForm(reflect.ValueOf(r.Input))}
	for _, ev := range r.Events {
		c.Events = append(c.Events, told{ev.EventKind().String(), jsonForm(reflect.ValueOf(ev))})
	}
	return nil
}

// words says in one line what the record says.
func (c *catalogued) words() string {
	switch {
	case c.Checkpoint != nil:
		return fmt.Sprintf("%s, %d records, root %s", c.Checkpoint.Origin, c.Checkpoint.Size, c.Checkpoint.Root)
	case c.Input == nil:
		return string(c.Content)
	}
	var events []string
	for _, e := range c.Events {
		events = append(events, e.Kind)
	}
	text := c.Input.Kind
	if c.Run != "" {
		text = string(c.Run) + " " + text
	}
	if len(events) > 0 {
		text += " -> " + strings.Join(events, ", ")
	}
	return text
}
