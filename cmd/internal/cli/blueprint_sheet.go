package cli

import (
	"cmp"
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/sheetstore"
	"github.com/esper-plane/esper/subsystems/tamiyo/sheet"
)

// constant: local because the key is a struct tag in leyline, which code cannot refer to.
const catalogueKey = "tamiyo.catalogue_dir"

// checkCatalogue demands that the catalogue is a directory that can be read. What is
// in it is looked at when it is needed.
func (p *served) checkCatalogue(r *supervise.Report) {
	dir := p.config.Tamiyo.CatalogueDir
	if dir == "" {
		return
	}
	if _, err := os.ReadDir(dir); err != nil {
		r.FailWith(catalogueKey, usagef("%s: cannot read the catalogue of safety sheets: %w", catalogueKey, err))
	}
}

// sheetFlags are what people say of a blueprint after it was registered. What is not
// said stays as it is known.
type sheetFlags struct {
	data, catalogue, key, note               string
	tier, band, handling, provenance, advice string
	risk, score                              float64
	stage                                    uint32
	quarantine, approval                     bool
}

func newBlueprintSheet(a *app) *cobra.Command {
	var f sheetFlags
	c := &cobra.Command{
		Use: "sheet ID", Short: "Sign a safety sheet: what is known of a blueprint now", Args: cobra.ExactArgs(1),
		Long: "Write the safety sheet of a blueprint that a log knows into a catalogue, signed with the admin\nkey or a key that was enrolled with --sheets. " +
			"Where a plane has that catalogue, `esper run\n--catalogue DIR`, the sheet takes the place of what the blueprint was registered with. What no\n" +
			"flag says stays as it is known; the serial rises. Reads the log only, also beside a live plane.",
		Example: "  esper blueprint sheet residual-8 --data data/demo --catalogue sheets --risk 0.7 --band high --note 'it leaked in run 12'",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.writeSheet(args[0], &f, cmd.Flags().Changed) },
	}
	s := c.Flags()
	s.StringVar(&f.data, "data", "data", "data directory whose log knows the blueprint")
	s.StringVar(&f.catalogue, "catalogue", "", "directory of safety sheets, created when missing; required")
	s.StringVar(&f.key, "key", "", "private key that signs (default: admin.key of the data directory)")
	s.Float64Var(&f.risk, "risk", 0, "from 0 to 1")
	s.Float64Var(&f.score, "hazard", 0, "score of its hazard, from 0 to 1")
	s.Uint32Var(&f.stage, "stage", 0, "of its approval")
	s.StringVar(&f.tier, "tier", "", among(leyline.BlueprintTier(0).Members()))
	s.StringVar(&f.band, "band", "", among(leyline.HazardBand(0).Members()))
	s.StringVar(&f.handling, "handling", "", among(leyline.HandlingClass(0).Members()))
	s.StringVar(&f.provenance, "provenance", "", among(leyline.Provenance(0).Members()))
	s.StringVar(&f.advice, "recommendation", "", "for people")
	s.BoolVar(&f.quarantine, "quarantine", false, "never to be germinated")
	s.BoolVar(&f.approval, "approval", false, "a person has to approve of it before it is germinated")
	s.StringVar(&f.note, "note", "", "for people")
	return c
}

func (a *app) writeSheet(id string, f *sheetFlags, given func(string) bool) error {
	if f.catalogue == "" {
		return usagef("--catalogue is required")
	}
	s, err := folded(f.data)
	if err != nil {
		return err
	}
	known, ok := s.Plane.Facts(leyline.BlueprintID(id))
	if !ok {
		return usagef("the log of %s knows no blueprint %q", f.data, id)
	}
	dir := sheetstore.Dir(f.catalogue)
	if known, err = latestFacts(&s.Plane, dir, known); err != nil {
		return err
	}
	next := leyline.SafetySheet{
		Blueprint: known.Blueprint, Kernel: s.Plane.Blueprint(known.Blueprint).Digest, Serial: known.Serial + 1, IssuedAt: leyline.Instant(time.Now().UnixNano()),
		Tier: known.Tier, Stage: known.Stage, Risk: known.Risk, Quarantine: known.Quarantine, Approval: known.Approval, Hazard: known.Hazard, Note: f.note,
	}
	if err := f.apply(&next, given); err != nil {
		return err
	}
	return a.signSheet(f, dir, next)
}

// latestFacts are what is known of a blueprint, the sheet included that lies in the catalogue
// and was not looked up yet. One that counts for nothing is not written over.
func latestFacts(p *projections.Plane, dir sheetstore.Dir, known leyline.BlueprintFacts) (leyline.BlueprintFacts, error) {
	env, err := dir.Sheet(context.Background(), known.Blueprint)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return known, err
	}
	switch v := sheet.Judge(p, known.Blueprint, env); v.Fault {
	case leyline.SheetFine:
		return v.Facts, nil
	case leyline.SheetStale:
		return known, nil
	default:
		return known, usagef("%s counts for nothing (%s): %s; move it away first", dir.File(known.Blueprint), v.Fault, v.Detail)
	}
}

// apply sets what flags say.
func (f *sheetFlags) apply(s *leyline.SafetySheet, given func(string) bool) error {
	for name, set := range map[string]func(){
		"risk": func() { s.Risk = f.risk }, "hazard": func() { s.Hazard.Score = f.score }, "stage": func() { s.Stage = f.stage },
		"quarantine": func() { s.Quarantine = f.quarantine }, "approval": func() { s.Approval = f.approval },
		"recommendation": func() { s.Hazard.Recommendation = f.advice },
	} {
		if given(name) {
			set()
		}
	}
	for _, e := range []struct {
		flag, text string
		into       encoding.TextUnmarshaler
	}{
		{"tier", f.tier, &s.Tier}, {"band", f.band, &s.Hazard.Band}, {"handling", f.handling, &s.Hazard.Handling}, {"provenance", f.provenance, &s.Hazard.Provenance},
	} {
		if !given(e.flag) {
			continue
		}
		if err := e.into.UnmarshalText([]byte(strings.ToUpper(e.text))); err != nil {
			return usagef("--%s: %w", e.flag, err)
		}
	}
	if given("handling") && !given("quarantine") {
		s.Quarantine = s.Hazard.Handling == leyline.HandlingQuarantine
	}
	return usageIfAny(s.Validate())
}

func (a *app) signSheet(f *sheetFlags, dir sheetstore.Dir, s leyline.SafetySheet) error {
	path := cmp.Or(f.key, filepath.Join(f.data, "keys", "admin.key"))
	b, err := os.ReadFile(path)
	if err != nil {
		return usagef("cannot read the key: %w", err)
	}
	key, err := sign.ParsePrivate(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	body, err := wire.EncodeSheet(s)
	if err != nil {
		return err
	}
	file, err := sign.MarshalEnvelope(key.Sign(leyline.PayloadSheet, body))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.catalogue, 0o700); err != nil {
		return err
	}
	if err := datadir.WriteFile(dir.File(s.Blueprint), file); err != nil {
		return err
	}
	if a.json {
		return a.document(s)
	}
	_, err = fmt.Fprintf(a.out, "safety sheet %d of blueprint %s, risk %v, hazard %s, is signed with key %s: %s\n",
		s.Serial, s.Blueprint, s.Risk, s.Hazard.Band, key.KeyID(), dir.File(s.Blueprint))
	return err
}
