package replay

import "fmt"

// Mode is how strongly a replay checks.
//
// enum: local because only replay has modes.
type Mode uint8

// The modes. The zero Mode is Redecide.
const (
	Redecide Mode = iota // decide every input again and compare
	Fold                 // apply the recorded events
	WhatIf               // count what would have been decided otherwise
)

var modeNames = [...]string{Redecide: "redecide", Fold: "fold", WhatIf: "whatif"}

// String returns the mode's name on the command line.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("unknown(%d)", uint8(m))
}

// ParseMode is the inverse of String.
func ParseMode(name string) (Mode, error) {
	for i, n := range modeNames {
		if n == name {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not a mode of replay; write fold, redecide or whatif", name)
}

// MarshalText returns the mode's name and refuses unknown modes.
func (m Mode) MarshalText() ([]byte, error) {
	if int(m) >= len(modeNames) {
		return nil, fmt.Errorf("cannot marshal mode %s", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText accepts exactly the names that MarshalText returns.
func (m *Mode) UnmarshalText(b []byte) error {
	v, err := ParseMode(string(b))
	if err == nil {
		*m = v
	}
	return err
}
