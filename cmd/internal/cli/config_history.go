package cli

import (
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// appliedConfig is a configuration that a plane was given.
type appliedConfig struct {
	Seq     leyline.Seq
	At      leyline.Instant
	Key     leyline.KeyID  // that signed it, as the envelope says
	Digest  leyline.Digest // of the signed bytes
	Refused string         `json:",omitempty"` // why it was not adopted
	Changes []difference   // A is what was in force before
}

// appliedConfigs lists every config.applied of a source. The first one changes what
// is in force at the beginning: the defaults, or in a bundle what its state says.
func appliedConfigs(o opened) ([]appliedConfig, error) {
	out, c := []appliedConfig{}, o.config
	for r, err := range decoded(o.source, 1) {
		if err != nil {
			return nil, err
		}
		in, ok := r.Input.(leyline.ConfigApplied)
		if !ok {
			continue
		}
		x := appliedConfig{
			Seq: r.Seq, At: r.At, Key: in.Envelope.KeyID, Digest: sha256.Sum256(in.Envelope.Payload), Changes: []difference{},
		}
		for _, ev := range r.Events {
			switch ev := ev.(type) {
			case leyline.ConfigAdopted:
				x.Changes = differences(c, ev.Config)
				c = ev.Config
			case leyline.DependencyViolated:
				x.Refused = ev.Refusal.Error()
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (a *app) configHistory(path string) error {
	if inLog, err := holdsRecords(path); err != nil {
		return err
	} else if !inLog {
		return usagef("--history: %s is no data directory and no bundle", path)
	}
	o, err := openSource(path)
	if err != nil {
		return err
	}
	defer o.close() // a reader; nothing is lost when closing it fails
	if o.note != "" {
		a.notice("%s", o.note)
	}
	list, err := appliedConfigs(o)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			Path    string
			Configs []appliedConfig
		}{path, list})
	}
	for _, x := range list {
		if err := a.printApplied(x); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printApplied(x appliedConfig) error {
	if _, err := fmt.Fprintf(a.out, "record %d  %s  key %s  digest %s\n", x.Seq, x.At, x.Key, x.Digest); err != nil {
		return err
	}
	if x.Refused != "" {
		_, err := fmt.Fprintf(a.out, "  refused: %s\n", x.Refused)
		return err
	}
	if len(x.Changes) == 0 {
		_, err := fmt.Fprintln(a.out, "  changes nothing")
		return err
	}
	for _, d := range x.Changes {
		if _, err := fmt.Fprintf(a.out, "  %s  %s -> %s\n", d.Key, settingText(d.a), settingText(d.b)); err != nil {
			return err
		}
	}
	return nil
}
