package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// populated is a store with many records: of n servers, 2 sites on each, 50
// deployments of each site, and what belongs to them. Half of all is one
// owner's. The id of a table's number i is numbered(i).
type populated struct {
	*postgres.Store
	pool *pgxpool.Pool // without a tracer
	n    int
	sent *recorder
}

func numbered(i int) string { return fmt.Sprintf("%08x-0000-7000-8000-000000000000", i) }

// populate has the database make the records, in seconds.
func populate(t testing.TB, n int) *populated {
	url, schema := pgtest.Schema(t)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	sent := new(recorder)
	config.ConnConfig.Tracer = sent
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	p := &populated{with(t, postgres.Config{Pool: pool, Schema: schema}), pgtest.Pool(t, url+"&search_path="+schema), n, sent}
	require.NoError(t, p.Migrate(t.Context()))
	words := strings.NewReplacer(
		"OWNER(", "who(", "ID(", "num(", "{at}", "'2026-01-01'::timestamptz + i * interval '1 second'",
	)
	_, err = p.pool.Exec(t.Context(), words.Replace(`
CREATE FUNCTION num(i bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lpad(to_hex(i), 8, '0') || '-0000-7000-8000-000000000000' $$;
CREATE FUNCTION who(server bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT CASE server % 2 WHEN 0 THEN 'big' ELSE 'owner-' || server % 101 END $$;
`))
	require.NoError(t, err)
	for _, fill := range []struct {
		rows int
		sql  string
	}{
		{n, `INSERT INTO servers (id, owner, name, labels, provider, status, created)
			SELECT ID(i), OWNER(i), 'web-' || i, jsonb_build_object('env', CASE i % 10 WHEN 0 THEN 'test' ELSE 'live' END, 'team', (i % 100)::text),
			CASE i % 50 WHEN 0 THEN 'hetzner' ELSE 'digitalocean' END,
			CASE i % 200 WHEN 0 THEN 'error' WHEN 1 THEN 'pending' ELSE 'active' END, {at}`},
		{2 * n, `INSERT INTO sites (id, owner, server, labels, domain, status, created)
			SELECT ID(i), OWNER(i % n), ID(i % n), jsonb_build_object('env', CASE i % 10 WHEN 0 THEN 'test' ELSE 'live' END, 'team', (i % 100)::text),
			'site-' || i || '.example.com', CASE i % 200 WHEN 0 THEN 'failed' ELSE 'deployed' END, {at}`},
		{2 * n, `INSERT INTO site_domains (server, domain, site) SELECT ID(i % n), 'site-' || i || '.example.com', ID(i)`},
		{n / 5, `INSERT INTO keys (id, owner, name, labels, fingerprint, created)
			SELECT ID(i), OWNER(i), 'key-' || i, jsonb_build_object('team', (i % 100)::text), 'SHA256:' || i, {at}`},
		{4 * n, `INSERT INTO grants (id, owner, "key", server, unix_user, status, created)
			SELECT ID(i), OWNER(i % n), ID(i / 20), ID(i % n), CASE i % 500 WHEN 0 THEN 'root' ELSE 'forge' END,
			CASE i % 500 WHEN 1 THEN 'failed' ELSE 'synced' END, {at}`},
		{100 * n, `INSERT INTO deployments (id, owner, site, server, action, branch, status, commit_message, created, started, finished)
			SELECT ID(i), OWNER(i % n), ID(i % (2 * n)), ID(i % n), ID(i), 'main', STATUS, 'Make it better, in some way or other', {at}, {at},
			CASE WHEN i < 99 * n THEN {at} END`},
		{100 * n, `INSERT INTO actions (id, owner, kind, subject_kind, subject, server, status, run_at, holder, lease, created, started, finished)
			SELECT ID(i), OWNER(i % n), CASE WHEN i % 1000 = 7 THEN 'reboot_server' WHEN i % 20 = 7 THEN 'execute_command' ELSE 'deploy_site' END,
			CASE WHEN i % 20 = 7 THEN 'server' ELSE 'site' END, CASE WHEN i % 20 = 7 THEN ID(i % n) ELSE ID(i % (2 * n)) END, ID(i % n),
			STATUS, {at}, CASE WHEN STATUS = 'running' THEN 'worker' ELSE '' END, CASE WHEN STATUS = 'running' THEN {at} END, {at}, {at},
			CASE WHEN i < 99 * n THEN {at} END`},
		{20 * n, `INSERT INTO deliveries (id, owner, site, source, "key", digest, result, created)
			SELECT ID(i), OWNER(i % n), ID(i % (2 * n)), 'github', 'key-' || i, 'digest-' || i, 'deployed', {at}`},
		{3 * n, `INSERT INTO locks (id, holder, fence) SELECT 'site-' || ID(i), CASE WHEN i % 100 = 0 THEN ID(i) ELSE '' END, i`},
		{10 * n, `INSERT INTO events (seq, time, type) SELECT i + 1, {at}, 'status'`},
	} {
		// The newest of a server in a hundred is open.
		status := `CASE WHEN i >= 99 * n AND i % 100 = 1 THEN 'running' WHEN i >= 99 * n AND i % 100 = 3 THEN 'pending'
			WHEN i % 100 = 2 THEN 'failed' WHEN i % 100 = 4 THEN 'superseded' WHEN i % 1000 = 6 THEN 'cancelled' ELSE 'finished' END`
		sql := words.Replace(strings.ReplaceAll(fill.sql, "STATUS", status)) + fmt.Sprintf(" FROM generate_series(0, %d) AS i, (SELECT %d AS n) AS _", fill.rows-1, n)
		_, err = p.pool.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	_, err = p.pool.Exec(t.Context(), "VACUUM ANALYZE")
	require.NoError(t, err)
	return p
}

// recorder keeps the last statement that selected records, with its arguments.
type recorder struct {
	sql  string
	args []any
}

func (*recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if strings.Contains(data.SQL, " FROM ") {
		r.sql, r.args = data.SQL, data.Args
	}
}

// lister lists a page, and returns the ids in it.
type lister func(tx forge.Tx, p forge.Page) ([]string, error)

func listing[T, F any](table func(forge.Tx) forge.Table[T, F], id func(*T) string, f F) lister {
	return func(tx forge.Tx, p forge.Page) (ids []string, err error) {
		records, err := table(tx).List(f, p)
		for _, r := range records {
			ids = append(ids, id(r))
		}
		return ids, err
	}
}

func servers(f forge.ServerFilter) lister {
	return listing(forge.Tx.Servers, func(r *forge.Server) string { return r.ID }, f)
}

func sites(f forge.SiteFilter) lister {
	return listing(forge.Tx.Sites, func(r *forge.Site) string { return r.ID }, f)
}

func keys(f forge.KeyFilter) lister {
	return listing(forge.Tx.Keys, func(r *forge.Key) string { return r.ID }, f)
}

func grants(f forge.GrantFilter) lister {
	return listing(forge.Tx.Grants, func(r *forge.Grant) string { return r.ID }, f)
}

func deployments(f forge.DeploymentFilter) lister {
	return listing(forge.Tx.Deployments, func(r *forge.Deployment) string { return r.ID }, f)
}

func actions(f forge.ActionFilter) lister {
	return listing(forge.Tx.Actions, func(r *forge.Action) string { return r.ID }, f)
}

func deliveries(f forge.DeliveryFilter) lister {
	return listing(forge.Tx.Deliveries, func(r *forge.Delivery) string { return r.ID }, f)
}
