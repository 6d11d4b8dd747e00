package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-797f2c2c/forge"
)

// Codes of errors, see the appendix of PostgreSQL's manual.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	noTable              = "42P01"
	noColumn             = "42703"
)

// failed gives an error of the database the class of those after which another
// try makes sense. When ctx has ended it is that which failed.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	rule := "the database did not do it"
	if code := codeOf(err); code == noTable || code == noColumn {
		rule = "the tables are missing or of an older version; call Migrate"
	}
	return &forge.Error{Class: forge.ErrUnavailable, Rule: rule, Err: err}
}

// uncommitted is failed for a commit. Unless the database said that it did not
// commit, or was never asked, the error is of the class forge.ErrUnknown too.
func uncommitted(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR" || pgconn.SafeToRetry(err) {
		return failed(ctx, err)
	}
	if ctx.Err() != nil {
		return &forge.Error{Class: forge.ErrUnknown, Rule: "the commit was asked for", Err: ctx.Err()}
	}
	return &forge.Error{Class: forge.ErrUnavailable, Rule: "the connection broke at the commit",
		Err: fmt.Errorf("%w: %w", forge.ErrUnknown, err)}
}

// again reports whether the same transaction may succeed at another try. Of two
// that append to a log at once, the second finds its chunk there before it sees
// that the cursor has moved.
func again(err error) bool {
	switch codeOf(err) {
	case serializationFailure, deadlockDetected:
		return true
	case uniqueViolation:
		_, known := conflict(err)
		return !known
	}
	return false
}

func codeOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// fields are what the unique indexes are about. That of the chunks of logs is
// not here.
var fields = map[string]string{ //nolint:gochecknoglobals // a constant
	"servers_pkey": "id", "servers_idempotency": "idempotency_key",
	"sites_pkey": "id", "sites_idempotency": "idempotency_key", "site_domains_pkey": "domain",
	"keys_pkey": "id", "keys_idempotency": "idempotency_key", "keys_fingerprint": "fingerprint",
	"grants_pkey": "id", "grants_unique": "key",
	"deployments_pkey": "id", "deployments_pending": "status", "deployments_running": "status",
	"deliveries_pkey": "id", "deliveries_key": "key", "deliveries_digest": "digest",
	"actions_pkey": "id", "actions_idempotency": "idempotency_key",
	"locks_pkey": "id",
}

func conflict(err error) (field string, ok bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != uniqueViolation {
		return "", false
	}
	field, ok = fields[pg.ConstraintName]
	return field, ok
}
