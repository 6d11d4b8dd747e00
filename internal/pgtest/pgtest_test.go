package pgtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSchemaIsOfOneTestAndGoesWithIt(t *testing.T) {
	t.Parallel()
	var url, first string
	t.Run("uses it", func(t *testing.T) {
		url, first = pgtest.Schema(t)
		_, second := pgtest.Schema(t)
		require.NotEqual(t, first, second)
		pool := pgtest.Pool(t, url)
		_, err := pool.Exec(t.Context(), "CREATE SCHEMA "+first)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), "CREATE TABLE "+first+".a (id int)")
		require.NoError(t, err)
	})
	var exists bool
	pool := pgtest.Pool(t, url)
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", first).
		Scan(&exists))
	require.False(t, exists)
}

func TestADurableServerKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{Durable: true})
	query := func(sql string) (n int) {
		conn, err := pgx.Connect(t.Context(), s.URL())
		require.NoError(t, err)
		defer func() { _ = conn.Close(t.Context()) }()
		require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE a (id int)")
	require.NoError(t, err)
	s.Restart(t)
	require.Error(t, conn.Ping(t.Context()), "connections end with the server")

	require.Equal(t, 1, query("INSERT INTO a VALUES (1) RETURNING id"))
	s.Kill(t)
	_, err = pgx.Connect(t.Context(), s.URL())
	require.Error(t, err, "nobody answers meanwhile")
	s.Start(t)
	require.Equal(t, 1, query("SELECT count(*) FROM a"))
}

// The binary starts itself again with this set, to be killed.
const victim = "FORGE_PGTEST_VICTIM"

func TestNothingIsLeftOfAKilledBinary(t *testing.T) {
	t.Parallel()
	if os.Getenv(victim) != "" {
		s := pgtest.Start(t, pgtest.Options{})
		fmt.Println(s.URL())
		select {}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victim+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var url string
	for lines := bufio.NewScanner(out); lines.Scan() && url == ""; {
		if strings.HasPrefix(lines.Text(), "postgres:") {
			url = lines.Text()
			break
		}
	}
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	pid, err := os.ReadFile(filepath.Join(config.Host, "data", "postmaster.pid"))
	require.NoError(t, err)

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	gone := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return os.IsNotExist(err) }
	}
	require.Eventually(t, gone(config.Host), 30*time.Second, 10*time.Millisecond, "its directory is removed")
	first, _, _ := strings.Cut(string(pid), "\n")
	require.Eventually(t, gone("/proc/"+first), 30*time.Second, 10*time.Millisecond, "its postmaster has ended")
}
