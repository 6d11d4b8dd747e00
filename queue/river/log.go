package river

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
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

// failures logs the jobs that fail. It asks River for nothing.
type failures struct{ log *slog.Logger }

// HandleError implements river.ErrorHandler.
func (f failures) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	f.write(ctx, job, "job failed", slog.Any("error", err))
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (f failures) HandlePanic(ctx context.Context, job *rivertype.JobRow, v any, stack string) *river.ErrorHandlerResult {
	f.write(ctx, job, "job panicked", slog.String("panic", fmt.Sprint(v)), slog.String("stack", stack))
	return nil
}

func (f failures) write(ctx context.Context, row *rivertype.JobRow, msg string, attrs ...slog.Attr) {
	var w wakeUp
	_ = json.Unmarshal(row.EncodedArgs, &w) // what cannot be read has failed for that, and says so
	attrs = append(attrs, slog.String("job", w.ID), slog.String("kind", w.Work), slog.String("pool", row.Queue))
	f.log.LogAttrs(ctx, slog.LevelError, msg, attrs...)
}
