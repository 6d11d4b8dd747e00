package sitectl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func must(t testing.TB, cmd sshexec.Command, err error) sshexec.Command {
	t.Helper()
	require.NoError(t, err)
	return cmd
}

func TestTry(t *testing.T) {
	srv := servertest.Start(t)
	s := sitectl.Site{ID: "try", User: "try", Directory: "try.example.com", WebDirectory: "/public", Kind: nginx.PHP, PHPVersion: "8.2", Names: []string{"try.example.com"}}
	for range 2 {
		cmd, err := sitectl.Create(s)
		require.NoError(t, err)
		r, err := srv.Client.Run(t.Context(), cmd)
		require.NoError(t, err)
		t.Logf("%v %s %s", r.Duration, r.Stdout, r.Stderr)
	}
	t.Log(srv.Bash(t, `ls -la /home/ /home/try /run/php /etc/forge/sites/try; cat /etc/forge/sites/try/made; curl -sS -i -H 'Host: try.example.com' http://127.0.0.1/x`))
	for range 2 {
		cmd, err := sitectl.Delete(s)
		require.NoError(t, err)
		r, err := srv.Client.Run(t.Context(), cmd)
		require.NoError(t, err)
		t.Logf("%v %s %s", r.Duration, r.Stdout, r.Stderr)
	}
	t.Log(srv.Bash(t, `ls -la /home/ /run/php /etc/forge/sites; grep try /etc/passwd /etc/group /etc/sub?id || true; find / -xdev -name '*try*' -newer /etc/nginx/conf.d/forge.conf -not -path '/proc/*'`))
}
