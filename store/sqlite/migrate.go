package sqlite

import (
	"context"
	"embed"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// busyPause is between two tries to make a file.
const busyPause = 5 * time.Millisecond

// prepare migrates. Where several make a file at once, SQLite refuses some of them
// without waiting, as they change the way that it is written.
func (s *Store) prepare(ctx context.Context) error {
	for began := time.Now(); ; {
		err := s.migrate(ctx)
		if !busy(err) || time.Since(began) > busyTimeout {
			return err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// migrate brings the file up to date, in one update: of those who open it at once,
// one does it. A file of a newer version is left as it is.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return transact(ctx, s.write, beginUpdate, func(c conn) error {
		_, err := c.Exec(ctx, sqlstore.Stmt{SQL: `CREATE TABLE IF NOT EXISTS "migrations" (
			id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,
			tstamp TIMESTAMP DEFAULT (datetime('now')))`})
		if err != nil {
			return err
		}
		var done int
		err = c.Query(ctx, sqlstore.Stmt{SQL: `SELECT COALESCE(MAX(version_id), 0) FROM "migrations"`},
			func(scan func(...any) error) error { return scan(&done) })
		if err != nil {
			return err
		}
		for _, file := range files { // in the order of their numbers
			if err := apply(ctx, c, file, done); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply executes a file, unless that has been done.
func apply(ctx context.Context, c conn, file string, done int) error {
	digits, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
	version, err := strconv.Atoi(digits)
	if err != nil || version <= done {
		return err
	}
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sqlstore.Stmt{SQL: string(text)},
		sqlstore.Stmt{SQL: `INSERT INTO "migrations" (version_id, is_applied) VALUES (?, 1)`, Args: []any{version}})
	return err
}
