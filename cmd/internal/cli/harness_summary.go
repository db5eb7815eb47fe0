package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/esper-plane/esper/replay/harness"
)

// summaryName is the table of all runs of scenarios with one --out.
const summaryName = "summary.csv"

// summaryHead are its columns. The metrics of a run stand in one, as NAME=VALUE UNIT
// with semicolons between them: scenarios measure different things.
var summaryHead = []string{"scenario", "held", "checks", "failed", "metrics"}

// addRow adds the row of a run to a table, which is made when it is missing.
func addRow(path string, r harness.Result) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if info.Size() == 0 {
		err = w.Write(summaryHead)
	}
	err = errors.Join(err, w.Write(summaryRow(r)))
	w.Flush()
	return errors.Join(err, w.Error())
}

func summaryRow(r harness.Result) []string {
	failed := 0
	for _, c := range r.Checks {
		if !c.Holds {
			failed++
		}
	}
	var metrics []string
	for _, m := range r.Metrics {
		metrics = append(metrics, fmt.Sprintf("%s=%s %s", m.Name, strconv.FormatFloat(m.Value, 'g', -1, 64), m.Unit))
	}
	return []string{r.Scenario, strconv.FormatBool(r.Held), strconv.Itoa(len(r.Checks)), strconv.Itoa(failed), strings.Join(metrics, "; ")}
}
