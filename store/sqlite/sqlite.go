// Package sqlite keeps forge's records in a file, with SQLite and without cgo:
// the durable store of a single process, which goes on where it was when it is
// started again. Several processes on one machine may share the file.
//
// One update runs at a time. Views see a snapshot, and wait for no update.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// busyTimeout is how long a statement waits for another process that writes.
const busyTimeout = 10 * time.Second

// idleReaders is how many connections stay open for those who read. A new one has
// to read the schema first.
const idleReaders = 8

// Store is a forge.Store and a forge.Notifier. It is safe for concurrent use.
type Store struct {
	read    *sql.DB
	write   *sql.DB
	writer  chan struct{} // holds a token while an update runs
	wal     wal           // of who has the token
	dialect sqlstore.Dialect
	waiters *sqlstore.Waiters
}

var (
	_ forge.Store    = (*Store)(nil)
	_ forge.Notifier = (*Store)(nil)
)

// Open opens a file, which it makes, for its owner alone, when it is not there,
// and brings up to date when it is of an older version. Beside it are files with
// the endings -wal and -shm. Close closes it.
func Open(ctx context.Context, file string) (*Store, error) {
	if file == "" || strings.HasPrefix(file, ":") {
		return nil, &forge.Error{Class: forge.ErrInvalid, Field: "file", Rule: "must be the name of a file"}
	}
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	// SQLite follows links too, and has the other files beside what it finds.
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return nil, err
	}
	s := &Store{
		writer: make(chan struct{}, 1), wal: wal{file: file + "-wal", full: walSize}, waiters: sqlstore.NewWaiters(),
		dialect: sqlstore.Dialect{
			Micros:   true,
			HasLabel: `EXISTS (SELECT 1 FROM json_each("labels") AS label WHERE label.key = ? AND label.value = ?)`,
			Conflict: conflict,
		},
	}
	s.read, err = open(file, "query_only(true)")
	if err != nil {
		return nil, err
	}
	s.read.SetMaxIdleConns(idleReaders)
	s.write, err = open(file, "synchronous(full)")
	if err != nil {
		return nil, errors.Join(err, s.read.Close())
	}
	s.write.SetMaxOpenConns(1)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), s.Close())
	}
	return s, nil
}

func open(file string, pragmas ...string) (*sql.DB, error) {
	params := url.Values{"_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(wal)",
	}, pragmas...)}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+params.Encode())
}

// Close ends those who Wait, and closes the file. Nothing may be done by the
// store after it.
func (s *Store) Close() error {
	s.waiters.Close()
	return errors.Join(s.read.Close(), s.write.Close())
}

// Log yields the stored lines of an action from a line number on. It reads them
// piece by piece.
func (s *Store) Log(ctx context.Context, actionID string, from int64) iter.Seq2[forge.Line, error] {
	return s.dialect.Log(ctx, conn{s.read}.Query, actionID, from)
}
