package logging

import (
	"context"
	"log/slog"
	"slices"

	"github.com/hashicorp/go-hclog"
)

// Handler is a [slog.Handler] that writes to an hclog logger.
//
// The keys of attributes inside groups are joined with dots. Levels fall on
// the nearest one below that hclog has; what is less than Debug is Trace.
// hclog stamps every line with a time of its own, so the time of a
// [slog.Record] is not written and a record without one still gets a time.
//
// A Handler is immutable and safe for concurrent use.
type Handler struct {
	log    hclog.Logger
	prefix string // of keys: the open groups, each followed by a dot
	args   []any  // key, value, ...; Invariant: never appended to in place
}

// NewHandler returns a handler that writes to log.
func NewHandler(log hclog.Logger) *Handler { return &Handler{log: log} }

// Enabled implements slog.Handler by the level of the hclog logger.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	// A logger at level L writes what is at L or above; hclog numbers its levels upwards.
	return hclogLevel(level) >= h.log.GetLevel()
}

// Handle implements slog.Handler. It never returns an error: hclog reports none.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	args := slices.Clone(h.args)
	r.Attrs(func(a slog.Attr) bool {
		args = appendAttr(args, h.prefix, a)
		return true
	})
	h.log.Log(hclogLevel(r.Level), r.Message, args...)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	args := slices.Clone(h.args)
	for _, a := range attrs {
		args = appendAttr(args, h.prefix, a)
	}
	return &Handler{log: h.log, prefix: h.prefix, args: args}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{log: h.log, prefix: h.prefix + name + ".", args: h.args}
}

// appendAttr adds the keys and values of an attribute; a group adds those of
// its members, and an empty attribute or group adds nothing.
func appendAttr(args []any, prefix string, a slog.Attr) []any {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return args
	}
	if a.Value.Kind() != slog.KindGroup {
		return append(args, prefix+a.Key, a.Value.Any())
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range a.Value.Group() {
		args = appendAttr(args, prefix, member)
	}
	return args
}

func hclogLevel(level slog.Level) hclog.Level {
	switch {
	case level >= slog.LevelError:
		return hclog.Error
	case level >= slog.LevelWarn:
		return hclog.Warn
	case level >= slog.LevelInfo:
		return hclog.Info
	case level >= slog.LevelDebug:
		return hclog.Debug
	default:
		return hclog.Trace
	}
}
