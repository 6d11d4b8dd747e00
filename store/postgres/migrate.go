package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/seed-797f2c2c/forge"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the files that Migrate applies, for those who apply them by
// goose themselves. They name no schema: set the search_path.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(fmt.Sprintf("postgres: the folder is embedded: %v", err))
	}
	return sub
}

// Migrate makes the schema and its tables, or brings those of an older version
// up to date. Several processes may call it at once. It connects by itself, with
// the settings of the pool, as it needs a session.
func (s *Store) Migrate(ctx context.Context) error {
	var encoding string
	if err := s.pool.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return failed(ctx, err)
	}
	if encoding != "UTF8" {
		return &forge.Error{Class: forge.ErrState, Rule: "the database must be of the encoding UTF8, and is of " + encoding}
	}
	if _, err := s.pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{s.schema}.Sanitize()); err != nil {
		var exists bool // another process makes it at the same moment
		const look = `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`
		if e := s.pool.QueryRow(ctx, look, s.schema).Scan(&exists); e != nil || !exists {
			return fmt.Errorf("make the schema %s: %w", s.schema, err)
		}
	}
	config := s.pool.Config()
	connect := config.ConnConfig.Copy()
	connect.RuntimeParams["search_path"] = s.schema
	var options []stdlib.OptionOpenDB
	if config.BeforeConnect != nil {
		options = append(options, stdlib.OptionBeforeConnect(config.BeforeConnect))
	}
	if config.AfterConnect != nil { // it may take the role that is to own the tables
		options = append(options, stdlib.OptionAfterConnect(config.AfterConnect))
	}
	db := stdlib.OpenDB(*connect, options...)
	defer func() { _ = db.Close() }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockKey("migrations", s.schema)),
		lock.WithLockTimeout(1, 300)) // seconds, times
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, Migrations(), goose.WithSessionLocker(locker),
		goose.WithTableName("migrations"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema %s: %w", s.schema, err)
	}
	return nil
}
