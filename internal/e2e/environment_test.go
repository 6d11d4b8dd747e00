package e2e

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// readEnv prints the hash of each variable of the file "$1" as PHP's readers see
// it.
const readEnv = `php -r '
require "/usr/share/php/Dotenv/autoload.php";
require "/usr/share/php/Symfony/Component/Dotenv/autoload.php";
$dotenv = Dotenv\Dotenv::createArrayBacked(dirname($argv[1]), basename($argv[1]))->load();
$symfony = (new Symfony\Component\Dotenv\Dotenv)->parse(file_get_contents($argv[1]));
$dotenv == $symfony or exit("they do not agree");
foreach ($dotenv as $name => $value) echo $name, " ", hash("sha256", $value), "\n";
' -- "$1" | grep -v ^FORGE_`

// withSecret prints a variable of the environment file at both ends of a
// deployment that waits for the file ~/go.
const withSecret = `cd {{SITE_PATH}}
. ./.env
echo "began with $TOKEN in $APP_ENV"
printf '%s\n' "$LINES_"
until [[ -e ~/go ]]; do sleep 0.05; done
. ./.env
echo "ended with $TOKEN in $APP_ENV"`

func (s *site) setEnv(t *testing.T, vars ...forge.EnvVar) *forge.Action {
	t.Helper()
	action, err := s.e.Sites.SetEnvironment(t.Context(), s.ID, vars)
	s.e.finish(t, action, err)
	return action
}

func hidden(name, value string) forge.EnvVar {
	return forge.EnvVar{Name: name, Value: secret.New(value)}
}

func plain(name, value string) forge.EnvVar {
	return forge.EnvVar{Name: name, Value: secret.New(value), Plain: true}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s, thief := refusedSite(t, e, srv, forge.SiteOpts{DeployScript: withSecret}), newSite(t, e, srv, forge.SiteOpts{})
	e.bash(t, srv, `apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 php-vlucas-phpdotenv php-symfony-dotenv >/dev/null 2>&1`)
	token := "it's " + newName() + " $(id) `id` \\n \"${HOME}\" # = \\"
	vars := []forge.EnvVar{
		plain("APP_ENV", "production"),
		hidden("TOKEN", token),
		hidden("LINES_", "-----BEGIN\nfirst "+newName()+"\r\n\\$x=\n"),
		plain("LARGE", strings.Repeat(newName()+"+/", 1<<20)[:1<<20]),
		hidden("EMPTY", ""),
	}
	lines := strings.Split(strings.ReplaceAll(vars[2].Value.Reveal(), "\r", ""), "\n")

	// Before the repository is there, which is cloned beside it.
	spy := watchProcesses(token)
	action := s.setEnv(t, vars...)
	spy.end()
	require.Empty(t, spy.found)
	e.bashAs(t, srv, s.User, "touch ~/go")
	s.allow(t)
	connect, err := e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, connect, err)
	s.reload(t)
	require.Equal(t, forge.SiteDeployed, s.Status)

	t.Run("is read as it was set", func(t *testing.T) {
		var want strings.Builder
		for _, v := range vars {
			fmt.Fprintf(&want, "%s %x\n", v.Name, sha256.Sum256([]byte(v.Value.Reveal())))
		}
		require.Equal(t, want.String(), e.bashAs(t, srv, s.User, readEnv, s.dir(".env")))
		got, err := e.Sites.Environment(t.Context(), s.ID)
		require.NoError(t, err)
		require.Equal(t, vars, got)
		require.Equal(t, "600 "+s.User+" "+s.User+"\n", e.bash(t, srv, `stat -c '%a %U %G' "$1"`, s.dir(".env")))
		require.Equal(t, ".env\n", e.bashAs(t, srv, s.User, `cd "$1"; ls -d .env*`, s.dir("")))
	})
	t.Run("is nobody else's", func(t *testing.T) {
		thief.denied(t, `cat "$1"`, s.dir(".env"))
		require.Equal(t, 403, get(t, srv, s.Domain, "/.env").status)
		require.NotContains(t, e.seen(), token)
		for _, line := range e.lines(t, action.ID, forge.LineSystem) {
			require.NotContains(t, line, token)
		}
	})
	t.Run("is masked, and waits for a deployment", func(t *testing.T) {
		e.bashAs(t, srv, s.User, "rm ~/go")
		d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
		require.NoError(t, err)
		e.await(t, d.Action, "began with [secret] in production")
		next, err := e.Sites.SetEnvironment(t.Context(), s.ID, append(slices.Clone(vars[2:]), hidden("TOKEN", "another"), vars[0]))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			a, err := e.Actions.Get(t.Context(), next.ID)
			return err == nil && a.Waits != ""
		}, 20*time.Second, 20*time.Millisecond)
		e.bashAs(t, srv, s.User, "touch ~/go")
		s.deployed(t, d)
		e.finish(t, next, nil)
		printed := e.lines(t, d.Action, forge.LineOutput)
		require.Equal(t, "ended with [secret] in production", printed[len(printed)-1])
		for _, line := range lines {
			if line != "" {
				require.NotContains(t, strings.Join(printed, "\n"), line)
			}
		}
		require.Equal(t, "TOKEN='another'\n", e.bashAs(t, srv, s.User, `grep ^TOKEN "$1"`, s.dir(".env")))
	})
	t.Run("is replaced in one", func(t *testing.T) {
		files := map[string]bool{}
		set := func(i int) {
			s.setEnv(t, plain("LARGE", strings.Repeat(fmt.Sprint(i%2), 1<<20)))
			files[e.bashAs(t, srv, s.User, `sha256sum <"$1"`, s.dir(".env"))] = true
		}
		set(0)
		read := make(chan string, 1)
		go func() {
			read <- e.bashAs(t, srv, s.User, `cd "$1"; until [[ -e ~/stop ]]; do sha256sum <.env; done | sort -u`, s.dir(""))
		}()
		for i := range 6 {
			set(i + 1)
		}
		e.bashAs(t, srv, s.User, "touch ~/stop")
		require.Len(t, files, 2)
		for _, seen := range strings.SplitAfter(strings.TrimSpace(<-read), "\n") {
			require.True(t, files[strings.TrimSpace(seen)+"\n"], seen)
		}
	})
	t.Run("stays as it was where it cannot be written", func(t *testing.T) {
		before, err := e.Sites.Environment(t.Context(), s.ID)
		require.NoError(t, err)
		e.bashAs(t, srv, s.User, `cd "$1"; rm .env; mkdir -p .env/x`, s.dir(""))
		action, err := e.Sites.SetEnvironment(t.Context(), s.ID, []forge.EnvVar{hidden("A", "B")})
		require.NoError(t, err)
		_, err = e.Actions.Wait(t.Context(), action.ID)
		require.ErrorIs(t, err, forge.ErrFailed)
		after, err := e.Sites.Environment(t.Context(), s.ID)
		require.NoError(t, err)
		require.Equal(t, before, after)
		e.bashAs(t, srv, s.User, `cd "$1"; rm -r .env`, s.dir(""))
	})
	t.Run("goes with its last variable", func(t *testing.T) {
		s.setEnv(t, vars...)
		s.setEnv(t)
		vars, err := e.Sites.Environment(t.Context(), s.ID)
		require.NoError(t, err)
		require.Empty(t, vars)
		e.bashAs(t, srv, s.User, `! [[ -e $1 ]]`, s.dir(".env"))
	})
}
