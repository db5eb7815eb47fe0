// Package sheetstore is a catalogue of safety sheets in a directory: for each blueprint
// one file, ID.sheet, with its newest sheet in a DSSE envelope (package sign). Whoever
// keeps the catalogue replaces a file by renaming a new one over it. Nothing here
// judges a signature: that is decided.
package sheetstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
)

// Suffix ends the name of a file; before it comes the id of the blueprint.
const Suffix = ".sheet"

// maxBytes bounds a file: the payload of an envelope in base64 and a few short texts.
const maxBytes = leyline.MaxCommandBytes/3*4 + 8192

// Dir is a catalogue in a directory. It may be used by several goroutines at once.
type Dir string

// Error says what is wrong with a file of the catalogue.
type Error struct {
	Fault leyline.SheetFault // too_large or malformed
	File  string
	Err   error
}

// Error names the file.
func (e *Error) Error() string {
	return fmt.Sprintf("safety sheet %s is %s: %v", e.File, e.Fault, e.Err)
}

// Unwrap returns what was wrong.
func (e *Error) Unwrap() error { return e.Err }

// String names the directory.
func (d Dir) String() string { return string(d) }

// File is the path of the sheet of a blueprint.
func (d Dir) File(id leyline.BlueprintID) string { return filepath.Join(string(d), string(id)+Suffix) }

// Sheet reads the sheet of a blueprint. A read that hangs, of a pipe or of a network
// disk, ends when ctx does. The error wraps fs.ErrNotExist where there is none, and is
// an *Error where there is one that is no envelope. An id that is none is refused.
func (d Dir) Sheet(ctx context.Context, id leyline.BlueprintID) (leyline.Envelope, error) {
	if err := leyline.CheckID(id); err != nil {
		return leyline.Envelope{}, fmt.Errorf("cannot look up a safety sheet: %w", err)
	}
	name := d.File(id)
	b, err := read(ctx, name)
	if err != nil {
		return leyline.Envelope{}, err
	}
	if len(b) > maxBytes {
		return leyline.Envelope{}, &Error{leyline.SheetTooLarge, name, fmt.Errorf("it is longer than %d bytes", maxBytes)}
	}
	env, err := sign.ParseEnvelope(b)
	if err != nil {
		return leyline.Envelope{}, &Error{leyline.SheetMalformed, name, err}
	}
	return env, nil
}

// read reads a file, and one byte more than is allowed of one that is too long.
func read(ctx context.Context, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot look up a safety sheet: %w", err)
	}
	unhook := context.AfterFunc(ctx, func() { _ = f.Close() })
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if unhook() {
		err = errors.Join(err, f.Close())
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the safety sheet: %w", err)
	}
	return b, nil
}
