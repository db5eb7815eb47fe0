package leyline

import "fmt"

// Enum is the one implementation of every enum in this package. S names the
// members: position is the stored code, position 0 is always "not set".
// Each enum below is an alias of Enum with its own member list.
type Enum[S members] uint8

// members lists the names of an enum in the order of their codes. The list is a
// package variable: an enum is checked for every event, and that allocates
// nothing.
type members interface{ list() []string }

// String returns the member's name, or the code in words if it is unknown.
func (e Enum[S]) String() string {
	var s S
	if names := s.list(); int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("unknown(%d)", uint8(e))
}

// Known reports whether the code is a member, the unset zero included.
func (e Enum[S]) Known() bool {
	var s S
	return int(e) < len(s.list())
}

// Validate returns an error unless e is a member other than the unset zero.
// The error lists what is allowed.
func (e Enum[S]) Validate() error {
	var s S
	if e != 0 && e.Known() {
		return nil
	}
	return fmt.Errorf("is %s; want one of %v", e, s.list()[1:])
}

// Members returns all members except the unset zero, in the order of codes.
func (Enum[S]) Members() []Enum[S] {
	var s S
	out := make([]Enum[S], 0, len(s.list()))
	for i := range s.list()[1:] {
		out = append(out, Enum[S](i+1))
	}
	return out
}

// MarshalText returns the member's name and refuses unknown codes.
func (e Enum[S]) MarshalText() ([]byte, error) {
	if !e.Known() {
		return nil, fmt.Errorf("cannot marshal %s", e)
	}
	return []byte(e.String()), nil
}

// UnmarshalText accepts exactly the names that MarshalText returns.
func (e *Enum[S]) UnmarshalText(b []byte) error {
	var s S
	for i, n := range s.list() {
		if n == string(b) {
			*e = Enum[S](i)
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %v", b, s.list()[1:])
}
