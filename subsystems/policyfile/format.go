package policyfile

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// FormatError says why the bytes of a file are no policy.
type FormatError struct {
	Format leyline.PolicyFormat // that was tried; unset: it is in none that is read
	Reason string
}

// Error says all of it.
func (e *FormatError) Error() string {
	if e.Format == leyline.PolicyFormatUnspecified {
		return "the file " + e.Reason + "; only TOML and safetensors are read, which hold numbers and run nothing"
	}
	return fmt.Sprintf("the file is no policy in %s: %s", e.Format, e.Reason)
}

// foreign are the first bytes of files that policies are not. Most are those in which
// frameworks store networks and which run code when they are loaded.
var foreign = [...]struct{ magic, what string }{
	{"PK\x03\x04", "is a zip archive, as which torch stores pickles"},
	{"PK\x05\x06", "is an empty zip archive"},
	{"PK\x07\x08", "is a zip archive in parts"},
	{"\x80\x02", "is a pickle"},
	{"\x80\x03", "is a pickle"},
	{"\x80\x04", "is a pickle"},
	{"\x80\x05", "is a pickle"},
	{"\x1f\x8b", "is compressed with gzip"},
	{"\x28\xb5\x2f\xfd", "is compressed with zstd"},
	{"BZh", "is compressed with bzip2"},
	{"\xfd7zXZ", "is compressed with xz"},
	{"\x93NUMPY", "is an array of NumPy"},
	{"\x89HDF", "is in HDF5"},
	{"\x7fELF", "is a program"},
	{"MZ", "is a program"},
	{"\x00asm", "is a program in WebAssembly"},
	{"#!", "is a script"},
	{"GGUF", "is in GGUF"},
}

// Sniff tells the format of a file by its bytes; its name does not matter. The error is
// a *FormatError.
func Sniff(b []byte) (leyline.PolicyFormat, error) {
	for _, f := range foreign {
		if bytes.HasPrefix(b, []byte(f.magic)) {
			return 0, &FormatError{Reason: f.what}
		}
	}
	switch {
	case len(b) == 0:
		return 0, &FormatError{Reason: "is empty"}
	case len(b) > leyline.MaxPolicyBytes:
		return 0, &FormatError{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(b), leyline.MaxPolicyBytes)}
	case len(b) > 8 && b[8] == '{' && bytes.IndexByte(b[:8], 0) >= 0:
		return leyline.PolicySafetensors, nil
	case utf8.Valid(b) && bytes.IndexByte(b, 0) < 0:
		return leyline.PolicyTOML, nil
	}
	return 0, &FormatError{Reason: "is neither text nor safetensors"}
}

// Check reads all that a file of a format holds. The error is a *FormatError.
func Check(format leyline.PolicyFormat, b []byte) error {
	switch format {
	case leyline.PolicyTOML:
		_, err := Rules(b)
		return err
	case leyline.PolicySafetensors:
		return checkTensors(b)
	}
	return &FormatError{Reason: "has no format"}
}

// checkTensors demands tensors of finite numbers. What shapes a network wants is for
// whoever evaluates it; here each tensor has one, and holds something.
func checkTensors(b []byte) error {
	bad := func(format string, args ...any) error {
		return &FormatError{Format: leyline.PolicySafetensors, Reason: fmt.Sprintf(format, args...)}
	}
	_, tensors, err := tensorfile.Decode(b)
	if err != nil {
		return bad("%v", err)
	}
	if len(tensors) == 0 {
		return bad("it holds no tensor")
	}
	for _, t := range tensors {
		if len(t.Data) == 0 {
			return bad("tensor %.64q holds nothing", t.Name)
		}
		for i, x := range t.Data {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return bad("tensor %.64q: element %d is %v", t.Name, i, x)
			}
		}
	}
	return nil
}
