package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: peerbench -dir DIR append [flags]
       peerbench -dir DIR read [flags]

DIR is on the disk to measure; fresh directories are made in it and removed.
"peerbench -dir DIR append -h" lists the flags.
`

func main() {
	// After an interrupt the run that is under way is finished and its directory
	// removed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}

// run carries out a command line. Progress and complaints go to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("peerbench", stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	dir := flags.String("dir", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() == 0 {
		flags.Usage()
		return errors.New("-dir and a command are needed")
	}
	rest := flags.Args()[1:]
	switch command := flags.Arg(0); command {
	case "append":
		return runAppend(ctx, *dir, rest, stdout, stderr)
	case "read":
		return runRead(ctx, *dir, rest, stdout, stderr)
	default:
		flags.Usage()
		return fmt.Errorf("there is no command %q", command)
	}
}

func newFlags(name string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	return flags
}

// common are the flags of both commands.
type common struct {
	rounds int
	peers  string
	json   bool
}

func (c *common) add(flags *flag.FlagSet) {
	flags.IntVar(&c.rounds, "rounds", 5, "how often each peer is measured")
	flags.StringVar(&c.peers, "peers", "", "only these peers, comma-separated")
	flags.BoolVar(&c.json, "json", false, "write JSON to the standard output, and the table to the standard error")
}

// parse parses the arguments of a command, of which none may be left.
func (c *common) parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if c.rounds < 1 {
		return errors.New("-rounds must be at least 1")
	}
	return nil
}

// write puts a report where the flags say.
func (c *common) write(r report, stdout, stderr io.Writer) error {
	if !c.json {
		return r.writeMarkdown(stdout)
	}
	return errors.Join(r.writeMarkdown(stderr), r.writeJSON(stdout))
}

func runAppend(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("append", stderr)
	var c common
	c.add(flags)
	sizes := numbers{256, 1024, 4096}
	producers := numbers{1, 8, 64, 256}
	flags.Var(&sizes, "sizes", "bytes of a record")
	flags.Var(&producers, "producers", "how many append at the same time")
	seconds := flags.Float64("seconds", 1, "how long one run takes")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	peers, err := choose(appendPeers, c.peers)
	if err != nil {
		return err
	}
	if err := errors.Join(sizes.within("-sizes", minRecord, maxGroupBytes), producers.within("-producers", 1, 1<<16)); err != nil {
		return err
	}
	plan := appendPlan{
		dir: dir, sizes: sizes, producers: producers, span: time.Duration(*seconds * float64(time.Second)),
		rounds: c.rounds, peers: peers, progress: stderr,
	}
	before := examine(dir)
	cells, err := plan.run(ctx)
	if err != nil {
		return err
	}
	return c.write(report{
		Host:     before,
		Settings: settings{Rounds: c.rounds, Seconds: *seconds},
		Append:   appendLines(cells, peers),
	}, stdout, stderr)
}

func runRead(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("read", stderr)
	var c common
	c.add(flags)
	plan := readPlan{dir: dir, progress: stderr}
	flags.IntVar(&plan.records, "records", 1_000_000, "how many records are read")
	flags.IntVar(&plan.size, "size", 256, "bytes of a record")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	var err error
	if plan.peers, err = choose(readPeers, c.peers); err != nil {
		return err
	}
	err = errors.Join(numbers{plan.size}.within("-size", minRecord, maxGroupBytes), numbers{plan.records}.within("-records", 1, 1<<30))
	if err != nil {
		return err
	}
	plan.rounds = c.rounds
	before := examine(dir)
	runs, err := plan.run(ctx)
	if err != nil {
		return err
	}
	return c.write(report{
		Host:     before,
		Settings: settings{Rounds: c.rounds, Records: plan.records, Size: plan.size},
		Read:     readLines(runs, plan),
	}, stdout, stderr)
}

// numbers is a flag that holds a comma-separated list.
type numbers []int

func (n *numbers) String() string {
	var texts []string
	for _, v := range *n {
		texts = append(texts, strconv.Itoa(v))
	}
	return strings.Join(texts, ",")
}

// Set replaces the list.
func (n *numbers) Set(text string) error {
	var list numbers
	for field := range strings.SplitSeq(text, ",") {
		v, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", field)
		}
		list = append(list, v)
	}
	*n = list
	return nil
}

// within reports the first number that is not between low and high.
func (n numbers) within(flag string, low, high int) error {
	for _, v := range n {
		if v < low || v > high {
			return fmt.Errorf("%s: %d is not between %d and %d", flag, v, low, high)
		}
	}
	return nil
}
