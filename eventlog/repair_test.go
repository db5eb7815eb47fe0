package eventlog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

const repairAt = eventlogtest.Start + 1e9

func repairOptions() eventlog.RepairOptions {
	return eventlog.RepairOptions{By: "op@host", Note: "why", At: repairAt}
}

// tail names the last segment.
func (files dirTree) tail() string {
	s := files.segments()
	return s[len(s)-1]
}

// repairs is what can be repaired: the damage, and what is done about it.
var repairs = map[string]struct {
	base    func(testing.TB) dirTree
	harm    func(dirTree)
	from    bool // needs a copy
	loss    bool // needs AcceptLoss
	actions []string
}{
	"torn tail":       {base: killedLog, harm: func(c dirTree) { c[c.tail()] += c[c.tail()][:20] }, actions: []string{"cut"}},
	"surplus":         {base: signedLog, harm: func(c dirTree) { c[c.tail()] += "xyz" }, actions: []string{"cut"}},
	"hashes":          {base: signedLog, harm: func(c dirTree) { flip("hashes", 200, 1)(c) }, actions: []string{"rebuild", "rebuild"}},
	"short hashes":    {base: signedLog, harm: func(c dirTree) { c["hashes"] = c["hashes"][:100] }, actions: []string{"rebuild", "rebuild"}},
	"no hashes":       {base: signedLog, harm: func(c dirTree) { delete(c, "hashes") }, actions: []string{"rebuild", "rebuild"}},
	"seals":           {base: signedLog, harm: func(c dirTree) { flip("seals", 20, 1)(c) }, actions: []string{"rebuild", "rebuild"}},
	"seals pruned":    {base: prunedLog, harm: func(c dirTree) { flip("seals", len(c["seals"])-20, 1)(c) }, actions: []string{"rebuild", "rebuild"}},
	"watermark":       {base: signedLog, harm: func(c dirTree) { flip("durable", 9, 1)(c) }, actions: []string{"set_aside"}},
	"clean marker":    {base: signedLog, harm: func(c dirTree) { flip("CLEAN", 30, 1)(c) }, actions: []string{"set_aside"}},
	"format":          {base: signedLog, harm: func(c dirTree) { c["FORMAT"] = "junk" }, actions: []string{"replace"}},
	"no format":       {base: signedLog, harm: func(c dirTree) { delete(c, "FORMAT") }, actions: []string{"replace"}},
	"unfinished file": {base: signedLog, harm: func(c dirTree) { c["CLEAN.new"] = "half" }, actions: []string{"set_aside"}},
	"checkpoint":      {base: signedLog, harm: func(c dirTree) { flip("checkpoint", 30, 1)(c) }, actions: []string{"replace"}},
	"second copy":     {base: twoCopies, harm: func(c dirTree) { flip(c.segments()[0], 50, 1)(c) }, actions: []string{"set_aside"}},
	"spare copy":      {base: twoCopies, harm: func(c dirTree) { flip("archive/00000000000000000001.zst", 50, 1)(c) }, actions: []string{"set_aside"}},
	"sealed segment":  {base: signedLog, harm: func(c dirTree) { flip(c.segments()[1], 50, 1)(c) }, from: true, actions: []string{"replace"}},
	"no segment":      {base: signedLog, harm: func(c dirTree) { delete(c, c.segments()[1]) }, from: true, actions: []string{"replace"}},
	"archive":         {base: archivedLog, harm: func(c dirTree) { flip("archive/00000000000000000001.zst", 50, 1)(c) }, from: true, actions: []string{"replace", "set_aside"}},
	"lost end": {base: closedLog, harm: func(c dirTree) { flip(c.tail(), 60, 1)(c) }, loss: true,
		actions: []string{"set_aside", "set_aside", "give_up"}},
	"lost segment": {base: killedLog, harm: func(c dirTree) { delete(c, c.tail()) }, loss: true, actions: []string{"set_aside", "give_up"}},
	"several": {base: signedLog, harm: func(c dirTree) { flip("hashes", 200, 1)(c); flip(c.segments()[1], 50, 1)(c); delete(c, "FORMAT") }, from: true,
		actions: []string{"replace", "rebuild", "rebuild", "replace"}},
}

// twoCopies is a signed log of which one segment is also compressed.
func twoCopies(t testing.TB) dirTree {
	files := signedLog(t)
	dir := files.write(t)
	if _, err := eventlog.Archive(dir, eventlog.ArchiveOptions{}); err != nil {
		t.Fatal(err)
	}
	return files.with(func(c dirTree) {
		const name = "archive/00000000000000000001.zst"
		c[name] = readTree(t, dir)[name]
	})
}

func TestRepair(t *testing.T) {
	for name, c := range repairs {
		t.Run(name, func(t *testing.T) {
			whole := c.base(t)
			harmed := whole.with(c.harm)
			dir := harmed.write(t)
			o := repairOptions()
			o.AcceptLoss = c.loss
			if c.from {
				refusesToRepair(t, dir, o)
				o.From = whole.write(t)
			}
			if c.loss {
				o.AcceptLoss = false
				refusesToRepair(t, dir, o)
				o.AcceptLoss = true
			}
			o.DryRun = true
			if r := repair(t, dir, o); !sameActions(r, c.actions) || r.Record != 0 {
				t.Errorf("the dry run says %+v", r)
			}
			if got := readTree(t, dir); !sameTree(got, harmed) {
				t.Fatal("the dry run has changed the log")
			}
			o.DryRun = false
			r := repair(t, dir, o)
			if !sameActions(r, c.actions) {
				t.Errorf("did %+v, want %v", r.Actions, c.actions)
			}
			checkRepaired(t, dir, harmed, r, c.loss)
			if r := repair(t, dir, o); len(r.Actions) > 0 || r.Record != 0 {
				t.Errorf("the second repair did %+v", r)
			}
		})
	}
}

func repair(t testing.TB, dir string, o eventlog.RepairOptions) *eventlog.RepairReport {
	t.Helper()
	r, err := eventlog.Repair(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sameActions(r *eventlog.RepairReport, want []string) bool {
	var got []string
	for _, a := range r.Actions {
		got = append(got, a.What)
	}
	return strings.Join(got, " ") == strings.Join(want, " ")
}

// refusesToRepair wants a refusal that changes nothing.
func refusesToRepair(t testing.TB, dir string, o eventlog.RepairOptions) {
	t.Helper()
	before := readTree(t, dir)
	_, err := eventlog.Repair(dir, o)
	var refused *eventlog.RepairError
	var damage *eventlog.DamageError
	if !errors.As(err, &refused) || !errors.As(err, &damage) {
		t.Errorf("got %v, want a refusal", err)
	}
	if after := readTree(t, dir); !sameTree(before, after) {
		t.Error("a refused repair has changed the log")
	}
}

// checkRepaired wants a whole log, a record that says what was done, and the
// bytes that were changed.
func checkRepaired(t *testing.T, dir string, harmed dirTree, r *eventlog.RepairReport, lost bool) {
	t.Helper()
	v := verify(t, dir, eventlog.VerifyOptions{})
	if !v.Whole() || len(v.Findings) > 0 || !v.Clean {
		t.Errorf("after the repair: %+v", v)
	}
	l, err := eventlog.Open(dir, eventlog.Options{CheckAll: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var last eventlog.Entry
	for e, err := range l.All(0) {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if last.Kind != eventlog.KindRepair || last.Seq != r.Record || !lost && last.Seq <= 20 {
		t.Fatalf("the last record is %d of kind %v, the report says %d", last.Seq, last.Kind, r.Record)
	}
	var said struct {
		Version        *int
		Actions        []eventlog.RepairAction
		At             int64
		By, Note, Kept string
	}
	if err := json.Unmarshal(last.Payload, &said); err != nil {
		t.Fatal(err)
	}
	if said.Version == nil || *said.Version != 0 || said.At != repairAt || said.By != "op@host" || said.Note != "why" || said.Kept != r.Kept || len(said.Actions) != len(r.Actions) {
		t.Errorf("the record says %s", last.Payload)
	}
	for _, a := range said.Actions {
		checkKept(t, dir, harmed, a)
	}
}

// checkKept wants the bytes that an action has removed.
func checkKept(t *testing.T, dir string, harmed dirTree, a eventlog.RepairAction) {
	t.Helper()
	old, there := harmed[a.Segment]
	if a.Kept == "" {
		if there && int64(len(old)) > a.Offset {
			t.Errorf("%+v: nothing was kept", a)
		}
		return
	}
	kept, err := os.ReadFile(filepath.Join(dir, a.Kept))
	if err != nil {
		t.Fatal(err)
	}
	if a.What == "cut" || a.What == "give_up" {
		old = old[a.Offset:]
	}
	if string(kept) != old || a.Bytes != int64(len(old)) {
		t.Errorf("%+v: kept %d bytes, want %d", a, len(kept), len(old))
	}
}

func TestWholeLogsNeedNoRepair(t *testing.T) {
	for name, files := range wholeLogs(t) {
		if name == "torn" {
			continue
		}
		dir := files.write(t)
		r := repair(t, dir, repairOptions())
		if len(r.Actions) > 0 || r.Record != 0 || r.Kept != "" {
			t.Errorf("%s: %+v", name, r)
		}
		if after := readTree(t, dir); !sameTree(after, files) {
			t.Errorf("%s: the log was changed", name)
		}
	}
}

func TestWhatIsNotRepaired(t *testing.T) {
	for name, c := range map[string]struct {
		base func(testing.TB) dirTree
		harm func(dirTree)
	}{
		"a foreign file": {signedLog, func(c dirTree) { c["segments/junk"] = "" }},
		"record 1": {powerless, func(c dirTree) {
			clear := c.segments()[1:]
			flip(c.segments()[0], 3, 1)(c)
			removeAll(c, clear)
			delete(c, "seals")
		}},
		"a segment and its seal":    {signedLog, func(c dirTree) { flip(c.segments()[0], 50, 1)(c); delete(c, "seals") }},
		"PRUNED":                    {prunedLog, func(c dirTree) { flip("PRUNED", 30, 1)(c) }},
		"hashes of pruned records":  {prunedLog, func(c dirTree) { flip("hashes", 70, 1)(c) }},
		"seals of pruned records":   {prunedLog, func(c dirTree) { flip("seals", 20, 1)(c) }},
		"an older copy":             {shortened, func(dirTree) {}},
		"checkpoint of killed log":  {signedLog, func(c dirTree) { flip("checkpoint", 30, 1)(c); delete(c, "CLEAN") }},
		"a swapped segment":         {signedLog, func(c dirTree) { s := c.segments(); c[s[0]], c[s[1]] = c[s[1]], c[s[0]] }},
		"damage and a foreign file": {signedLog, func(c dirTree) { flip("hashes", 200, 1)(c); c["segments/junk"] = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			o := repairOptions()
			o.AcceptLoss = true
			refusesToRepair(t, c.base(t).with(c.harm).write(t), o)
		})
	}
}

func removeAll(c dirTree, names []string) {
	for _, name := range names {
		delete(c, name)
	}
}

// shortened is a log that ends before its newest checkpoint.
func shortened(t testing.TB) dirTree {
	return signedLog(t).with(func(c dirTree) {
		c[c.tail()] = c[c.tail()][:0]
		removeAll(c, []string{"CLEAN", "durable", c.tail()})
		c[c.tail()] = c[c.tail()][:len(c[c.tail()])/2]
	})
}

// TestWrongCopiesAreRefused offers copies that are intact but not right.
func TestWrongCopiesAreRefused(t *testing.T) {
	files := signedLog(t)
	name := files.segments()[1]
	harmed := files.with(flip(name, 50, 1))
	other := t.TempDir()
	l := createSigned(t, other, eventlog.Options{SegmentSize: 600})
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 60)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wrong := readTree(t, other)
	for text, from := range map[string]dirTree{
		"the same damage": harmed,
		"another history": files.with(func(c dirTree) { c[name] = wrong[wrong.segments()[1]] }),
		"longer":          files.with(func(c dirTree) { c[name] += "x" }),
		"shorter":         files.with(func(c dirTree) { c[name] = c[name][:len(c[name])-1] }),
		"empty":           {"FORMAT": files["FORMAT"]},
	} {
		t.Run(text, func(t *testing.T) {
			o := repairOptions()
			o.From = from.write(t)
			refusesToRepair(t, harmed.write(t), o)
		})
	}
}

// TestACopyOfTheSameLengthIsRefused offers an intact segment with the same
// numbers.
func TestACopyOfTheSameLengthIsRefused(t *testing.T) {
	a := readTree(t, evenLog(t, 0))
	dir := a.with(flip(a.segments()[1], 50, 1)).write(t)
	o := repairOptions()
	o.From = evenLog(t, 1)
	refusesToRepair(t, dir, o)
	o.From = a.write(t)
	if r := repair(t, dir, o); !sameActions(r, []string{"replace"}) {
		t.Errorf("did %+v", r)
	}
}

func TestRepairNeedsANameAndTheLock(t *testing.T) {
	dir := signedLog(t).write(t)
	if _, err := eventlog.Repair(dir, eventlog.RepairOptions{}); !errors.Is(err, eventlog.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := repairOptions()
	for range 2 {
		if _, err := eventlog.Repair(dir, o); !errors.Is(err, eventlog.ErrLocked) {
			t.Errorf("got %v", err)
		}
		o.DryRun = true
	}
	if _, err := eventlog.Repair(t.TempDir(), o); !errors.Is(err, eventlog.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestARepairThatIsStoppedCanBeFinished stops repairs before and after each
// change, and loses what was not synced.
func TestARepairThatIsStoppedCanBeFinished(t *testing.T) {
	if testing.Short() {
		t.Skip("many images of a disk")
	}
	for _, name := range []string{"lost end", "several", "archive", "clean marker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := repairs[name]
			whole := c.base(t)
			o := repairOptions()
			o.AcceptLoss = c.loss
			if c.from {
				o.From = whole.write(t)
			}
			faultdisk.Explore(t, faultdisk.Scenario{
				Start: whole.with(c.harm).write(t),
				Seeds: 1,
				Run: func(root string, d *faultdisk.Disk) error {
					o := o
					o.Options = o.Options.OnDisk(d)
					_, err := eventlog.Repair(root, o)
					return err
				},
				Check: func(image string, _ faultdisk.Crash, _ []faultdisk.Op) error {
					return finishRepair(image, o, c.actions)
				},
			})
		})
	}
}

// finishRepair repairs what a crash has left and wants a whole log whose records
// tell of all actions. What the stopped repair itself left behind may have a
// record of its own.
func finishRepair(dir string, o eventlog.RepairOptions, actions []string) error {
	if _, err := eventlog.Repair(dir, o); err != nil {
		return err
	}
	v, err := eventlog.Verify(dir, eventlog.VerifyOptions{})
	if err != nil {
		return err
	}
	if err := v.Err(); err != nil {
		return err
	}
	said, records, err := repairRecords(dir)
	if err != nil {
		return err
	}
	if records < 1 || records > 2 {
		return fmt.Errorf("%d repair records", records)
	}
	for _, what := range actions {
		if !slices.Contains(said, what) {
			return fmt.Errorf("the records say %q, which lacks %q", said, what)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "repaired", "*", "unfinished.json")); err != nil || len(left) > 0 {
		return fmt.Errorf("left %v, %v", left, err)
	}
	return nil
}

// repairRecords returns what all repair records of a log say was done.
func repairRecords(dir string) (said []string, records int, err error) {
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var places []string
	for e, err := range r.All(0) {
		if err != nil {
			return nil, 0, err
		}
		if e.Kind != eventlog.KindRepair {
			continue
		}
		records++
		var one struct{ Actions []eventlog.RepairAction }
		if err := json.Unmarshal(e.Payload, &one); err != nil {
			return nil, 0, err
		}
		for _, a := range one.Actions {
			place := fmt.Sprint(a.What, " ", a.Segment, " ", a.Offset)
			if slices.Contains(places, place) {
				return nil, 0, fmt.Errorf("two records say %q", place)
			}
			places, said = append(places, place), append(said, a.What)
		}
	}
	return said, records, nil
}

func TestSalvageReadsUpToTheDamage(t *testing.T) {
	files := signedLog(t)
	lost := closedLog(t).without("CLEAN")
	for name, c := range map[string]struct {
		files   dirTree
		records int // 0: some
		whole   bool
	}{
		"whole":        {closedLog(t), 20, true},
		"killed":       {killedLog(t), 20, true},
		"lost end":     {lost.with(func(c dirTree) { c[c.tail()] = c[c.tail()][:len(c[c.tail()])-1] }), 19, false},
		"clean marker": {closedLog(t).with(flip("CLEAN", 30, 1)), 20, false},
		"no format":    {closedLog(t).without("FORMAT"), 20, false},
		"damage":       {files.with(flip(files.segments()[2], 50, 1)), 0, false},
		"pruned":       {prunedLog(t).with(flip("CLEAN", 30, 1)), 0, false},
	} {
		n := 0
		var failed error
		for _, err := range eventlog.Salvage(c.files.write(t), 0) {
			if failed = err; err == nil {
				n++
			}
		}
		var damage *eventlog.DamageError
		if errors.As(failed, &damage) == c.whole || n == 0 || c.records != 0 && n != c.records {
			t.Errorf("%s: %d records, then %v", name, n, failed)
		}
	}
}
