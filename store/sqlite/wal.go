package sqlite

import (
	"context"
	"database/sql"
	"os"
	"time"
)

const (
	// walSize is how large the log of writes may grow before it is emptied. SQLite
	// writes it over from its beginning by itself, but only when nobody reads.
	walSize = 16 << 20
	// walPatience is how long that waits for those who read, while nobody writes.
	walPatience = 100 * time.Millisecond
)

// wal is the log of writes beside the file.
type wal struct {
	file string
	full int64 // the size at which it is emptied
}

// trim empties the log when it is full. Those who read for long keep it from that,
// until it has grown by as much again.
func (w *wal) trim(ctx context.Context, db *sql.DB) {
	if w.size() < w.full {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), walPatience)
	defer cancel()
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	w.full = w.size() + walSize
}

func (w *wal) size() int64 {
	info, err := os.Stat(w.file)
	if err != nil {
		return 0 // nothing has been written
	}
	return info.Size()
}
