package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/pelletier/go-toml/v2"

	"github.com/esper-plane/esper/leyline"
)

// Rules reads the weights of the rules. The keys are those of the section [rules] of a
// configuration, without the section, and every one is there: what a file leaves out
// would be decided by nobody. The error is a *FormatError.
func Rules(b []byte) (leyline.RulesConfig, error) {
	var c leyline.RulesConfig
	bad := func(err error) (leyline.RulesConfig, error) {
		return leyline.RulesConfig{}, &FormatError{Format: leyline.PolicyTOML, Reason: short(err.Error())}
	}
	if len(b) > leyline.MaxRulesBytes {
		return bad(fmt.Errorf("it has %d bytes, at most %d are allowed", len(b), leyline.MaxRulesBytes))
	}
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&c); err != nil {
		return bad(weightError(err))
	}
	var there map[string]any
	if err := toml.Unmarshal(b, &there); err != nil {
		return bad(weightError(err))
	}
	t := reflect.TypeFor[leyline.RulesConfig]()
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("toml"); there[key] == nil {
			return bad(fmt.Errorf("%s is missing: an artifact names every weight", key))
		}
	}
	if err := c.Validate(); err != nil {
		return bad(err)
	}
	return c, nil
}

// weightError names the key that is wrong in a file of weights.
func weightError(err error) error {
	var m *ManifestError
	if errors.As(manifestError(err), &m) {
		if m.Hint != "" {
			return fmt.Errorf("%s is no weight of the rules", m.Field)
		}
		return fmt.Errorf("%s %s", m.Field, m.Reason)
	}
	return err
}

// MarshalRules writes weights as an artifact holds them.
func MarshalRules(c leyline.RulesConfig) ([]byte, error) { return toml.Marshal(c) }
