package signal

import "errors"

// Why a file is not opened.
var (
	// ErrFile: what is there is no regular file of 64 bytes.
	ErrFile = errors.New("not the file of an emergency signal")
	// ErrInUse: another writer has it open.
	ErrInUse = errors.New("the emergency signal has a writer already")
)

// Why a page cannot be read or written. Whoever sees a raised flag and cannot
// read the page should stop as for a halt.
var (
	// ErrHalfWritten: the page was being written for longer than a writer needs.
	// A writer died there, or the machine is so busy that it got no turn; the
	// next publication, or trying again, mends it.
	ErrHalfWritten = errors.New("the emergency signal is half-written")
	// ErrVersion: the page has a layout that this package does not know.
	ErrVersion = errors.New("the emergency signal is of an unknown version")
	// ErrLevel: the level is none of leyline's.
	ErrLevel = errors.New("the emergency signal has an unknown level")
	// ErrMalformed: the page is not one that a writer publishes.
	ErrMalformed = errors.New("the emergency signal is malformed")
	// ErrFault: the file is no longer behind its mapping: it was cut short or
	// removed, or its disk failed.
	ErrFault = errors.New("the emergency signal has lost its file")
	// ErrClosed: the reader or writer was closed.
	ErrClosed = errors.New("the emergency signal is closed")
)
