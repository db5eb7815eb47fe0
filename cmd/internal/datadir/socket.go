package datadir

import "path/filepath"

// socketName is where a plane that is served listens unless it is told another place;
// its framed lane has the suffix FastSuffix.
const socketName = "esper.sock"

// FastSuffix ends the path of a framed lane: before it comes that of the socket.
const FastSuffix = ".fast"

// SignalPath is the file of the emergency signal of a data directory.
func SignalPath(path string) string { return filepath.Join(path, signalName) }

// SocketPath is where the plane of a data directory listens by default.
func SocketPath(path string) string { return filepath.Join(path, socketName) }
