package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/replay/recheck"
)

// errVerdicts ends a recomputation that found a difference. The report says all.
var errVerdicts = errors.New("the log holds verdicts that do not follow from it")

func newAuditRecompute(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "recompute DIR",
		Short: "Derive every verdict on a command again from the log alone",
		Long: "Derive the verdict on every command again and compare it with the recorded one: reason,\ndetail, deadline, how long its id is kept and how full the ledger was. " +
			"It starts from the\nadmin key in the log's origin record, checks every signature, runs none of the deciders\nand needs no private key. Reads only, also beside a live plane.\n\n" +
			"Of an authentic command that was rejected because of the state of its run, that last\nreason is for `esper replay`, which runs the deciders. Whether the log is the whole log is\nfor `esper log verify` with a checkpoint from elsewhere.",
		Example: "  esper audit recompute data/demo\n  esper audit recompute --json data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.auditRecompute(args[0]) },
	}
}

func (a *app) auditRecompute(path string) error {
	rep, err := recompute(path)
	if err != nil {
		return err
	}
	if a.json {
		err = a.document(rep)
	} else {
		err = a.printRecompute(rep)
	}
	if err == nil && rep.Differences > 0 {
		return fmt.Errorf("%w: %d differences, the first in record %d", errVerdicts, rep.Differences, rep.Listed[0].Seq)
	}
	return err
}

// recompute reads the whole log.
func recompute(path string) (recheck.Report, error) {
	d, err := datadir.OpenReadOnly(path)
	if err != nil {
		return recheck.Report{}, err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	if err := complete(d.Report()); err != nil {
		return recheck.Report{}, err
	}
	c := recheck.New(d.Origin().AdminKey)
	for r, err := range decoded(d.Source(), 1) {
		if err != nil {
			return recheck.Report{}, err
		}
		c.Apply(r)
	}
	return c.Report(), nil
}

func (a *app) printRecompute(r recheck.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "records   %d (%d to %d)\n", r.Records, r.First, r.Last)
	fmt.Fprintf(&b, "trust     %d configurations, %d keys and %d revocations, signatures checked against the admin key of the origin record\n", r.Configs, r.Keys, r.Revocations)
	fmt.Fprintf(&b, "commands  %d derived again: %d accepted, %d rejected, %d refused by the guard\n", r.Commands, r.Accepted, r.Rejected, r.Refused)
	fmt.Fprintf(&b, "vouched   %d in full; %d are authentic as recorded, why they were rejected all the same is for esper replay\n", r.InFull, r.AsAuthentic)
	if r.Counted > 0 {
		fmt.Fprintf(&b, "counted   %d more were refused at the door; the log has their number and not their bytes, so nothing is derived\n", r.Counted)
	}
	for _, d := range r.Listed {
		fmt.Fprintf(&b, "record %d  command %s: %s is recorded as %s, derived is %s\n", d.Seq, printable(string(d.Command)), d.Field, printable(d.Recorded), printable(d.Derived))
	}
	result := "every verdict follows from the log"
	if r.Differences > 0 {
		result = fmt.Sprintf("%d DIFFERENCES, %d listed", r.Differences, len(r.Listed))
	}
	fmt.Fprintf(&b, "result    %s\n", result)
	_, err := a.out.Write([]byte(b.String()))
	return err
}
