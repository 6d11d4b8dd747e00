package river

import (
	"context"
	"log/slog"
)

// logger is for River, which tells much that only its own developers need.
func (q *Queue) logger() *slog.Logger { return slog.New(warnings{q.cfg.Logger.Handler()}) }

// warnings lets through what is one, or worse.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
