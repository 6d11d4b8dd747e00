package sqlite

import (
	"context"
	"errors"
	"strings"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/seed-797f2c2c/forge"
)

// failed gives an error of the database the class of those after which another
// try makes sense: the disk is full, another process writes for too long. When
// ctx has ended it is that which failed.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &forge.Error{Class: forge.ErrUnavailable, Rule: "the database did not do it", Err: err}
}

// busy reports whether another process had the file locked.
func busy(err error) bool {
	var failed *driver.Error
	return errors.As(err, &failed) && failed.Code()&0xff == codes.SQLITE_BUSY
}

// conflict finds the field in "UNIQUE constraint failed: table.column, ...".
func conflict(err error) (field string, ok bool) {
	var failed *driver.Error
	if !errors.As(err, &failed) {
		return "", false
	}
	if code := failed.Code(); code != codes.SQLITE_CONSTRAINT_UNIQUE && code != codes.SQLITE_CONSTRAINT_PRIMARYKEY {
		return "", false
	}
	for columns, field := range fields {
		if strings.Contains(failed.Error(), ": "+columns+" (") {
			return field, true
		}
	}
	return "", false
}

// fields are what the unique indexes are about, by their columns.
var fields = map[string]string{
	"servers.id": "id", "servers.owner, servers.idempotency_key": "idempotency_key",
	"sites.id": "id", "sites.owner, sites.idempotency_key": "idempotency_key",
	"site_domains.server, site_domains.domain": "domain",
	"keys.id": "id", "keys.owner, keys.idempotency_key": "idempotency_key", "keys.owner, keys.fingerprint": "fingerprint",
	"grants.id": "id", "grants.key, grants.server, grants.unix_user": "key",
	"deployments.id": "id", "deployments.site": "status",
	"deliveries.id": "id", "deliveries.site, deliveries.key": "key", "deliveries.site, deliveries.digest": "digest",
	"actions.id": "id", "actions.owner, actions.idempotency_key": "idempotency_key",
	"locks.id": "id",
}
