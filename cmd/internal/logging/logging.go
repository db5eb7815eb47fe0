// Package logging builds the one logger of a process.
//
// esper logs through hclog: a package takes an [hclog.Logger] in its
// constructor and gives itself a name with Named. Pure packages take none. Code
// that speaks log/slog, such as a library, gets the same logger through
// [NewHandler]:
//
//	log, err := logging.New(logging.Options{Name: "esper", Level: "info", Output: os.Stderr})
//	slog.SetDefault(slog.New(logging.NewHandler(log)))
//
// Logs go to standard error, never to standard output, which belongs to the
// answer of a command. Nothing that esper has to remember is only in a log:
// that is what the event log is for.
package logging

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Levels are the texts that Options.Level understands, from most to least talkative.
var Levels = []string{"trace", "debug", "info", "warn", "error", "off"}

// Options say what a logger writes, how and where.
type Options struct {
	Name   string           // of the root logger, for example "esper"; may be empty
	Level  string           // one of Levels in any case; empty means info
	JSON   bool             // one JSON object per line instead of text
	Output io.Writer        // must be set; a logger locks around each write
	Now    func() time.Time // stamps lines; nil means the wall clock
}

// New builds a logger. It refuses a level that it does not know and a missing
// output, rather than logging less or elsewhere than was asked for.
func New(o Options) (hclog.Logger, error) {
	if o.Output == nil {
		return nil, errors.New("cannot build a logger: no output")
	}
	level := hclog.Info
	if o.Level != "" {
		if level = hclog.LevelFromString(o.Level); level == hclog.NoLevel {
			return nil, fmt.Errorf("cannot build a logger: unknown level %q (known: %s)", o.Level, strings.Join(Levels, ", "))
		}
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:       o.Name,
		Level:      level,
		Output:     o.Output,
		JSONFormat: o.JSON,
		TimeFn:     o.Now,
		TimeFormat: "2006-01-02T15:04:05.000Z07:00",
	}), nil
}
