package deployscript_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/deployscript"
	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/servertest"
)

func TestDefaultsAreClean(t *testing.T) {
	t.Parallel()
	for _, kind := range []nginx.Kind{nginx.PHP, nginx.Static} {
		servertest.Shellcheck(t, deployscript.Default(kind))
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	v := deployscript.Values{Path: "/home/a/a.com", Branch: "feature/x-1", Domain: "a.com"}
	got, err := deployscript.Render("cd {{SITE_PATH}} # {{DOMAIN}}{{DOMAIN}}\ngit pull origin '{{BRANCH}}' {{OTHER}} {{", v)
	require.NoError(t, err)
	require.Equal(t, "cd /home/a/a.com # a.coma.com\ngit pull origin 'feature/x-1' {{OTHER}} {{", string(got))

	v.Branch = "fix#1"
	_, err = deployscript.Render("git pull origin {{BRANCH}}", v)
	require.ErrorContains(t, err, "{{BRANCH}}")
	_, err = deployscript.Render(`git pull origin "$FORGE_SITE_BRANCH"`, v)
	require.NoError(t, err, "it is not asked for")
	v.Branch = "-x"
	_, err = deployscript.Render("git pull origin {{BRANCH}}", v)
	require.Error(t, err)
	v.Branch, v.Domain = "{{DOMAIN}}", "a.com"
	_, err = deployscript.Render("{{BRANCH}}", v)
	require.Error(t, err)
}

// A value that is let through is the same word wherever it stands.
func TestRenderProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{1,12}`), rapid.StringMatching(`[a-z0-9/_.@+-]{1,12}`)).Draw(t, "value")
		script, err := deployscript.Render(`cd /
printf '%s\n' {{BRANCH}} "{{BRANCH}}" '{{BRANCH}}' "$(printf %s {{BRANCH}})" "${none:-{{BRANCH}}}"
cat <<END
{{BRANCH}}
END
x={{BRANCH}}
echo "$x"`, deployscript.Values{Branch: value})
		if err != nil {
			return
		}
		out, err := exec.Command("bash", "-euo", "pipefail", "-c", string(script)).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, strings.Repeat(value+"\n", 7), string(out))
	})
}

func TestEnv(t *testing.T) {
	t.Parallel()
	v := deployscript.Values{Path: "/p", Branch: "b", Domain: "d"}
	require.Equal(t, map[string]string{"FORGE_SITE_PATH": "/p", "FORGE_SITE_BRANCH": "b", "FORGE_SITE_DOMAIN": "d"}, v.Env())
	v.Commit, v.PHP = "abc", "php8.2"
	require.Equal(t, "abc", v.Env()["FORGE_DEPLOY_COMMIT"])
	require.Equal(t, "php8.2", v.Env()["FORGE_PHP"])
}

// A commit that is there is not fetched again, and one that is not is.
func TestDefaultsFetchWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, kind := range []nginx.Kind{nginx.PHP, nginx.Static, nginx.Proxy} {
		script := `set -euo pipefail
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a GIT_CONFIG_GLOBAL=/dev/null
export FORGE_SITE_PATH="$1/copy" FORGE_SITE_BRANCH=main
git init --quiet --initial-branch=main "$1/origin"
commit() { git -C "$1/origin" commit --quiet --allow-empty -m "$2" && git -C "$1/origin" rev-parse HEAD; }
first=$(commit "$1" first)
git clone --quiet "$1/origin" "$1/copy"
second=$(commit "$1" second)
deploy() { FORGE_DEPLOY_COMMIT=$1 bash -euo pipefail -c "$script" >/dev/null 2>&1; git -C "$FORGE_SITE_PATH" log -1 --format=%s; }
script=$2
mv "$1/origin" "$1/away"
deploy "$first"
mv "$1/away" "$1/origin"
deploy "$second"
git -C "$1/copy" reset --quiet --hard "$first"
deploy ''`
		out, err := exec.CommandContext(t.Context(), "bash", "-c", script, "bash", t.TempDir(), deployscript.Default(kind)).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, "first\nsecond\nsecond\n", string(out))
	}
}
