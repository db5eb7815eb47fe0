// Package python holds the source of the Python package esper_plane, so that the
// program can run what belongs to it without an installation.
package python

import "embed"

// Source is the package, in the folder esper_plane.
//
//go:embed esper_plane/*.py
var Source embed.FS
