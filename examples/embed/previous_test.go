package main

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// previous builds the worker as it was a commit ago, or as it was when it last
// could be built.
func previous(t *testing.T) (program string) {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("these are no files of a git repository, so there is no previous commit")
	}
	git := func(args ...string) error {
		out, err := exec.CommandContext(t.Context(), "git",
			append([]string{"-C", root, "-c", "safe.directory=*"}, args...)...).CombinedOutput()
		t.Logf("git %v: %s", args, out)
		return err
	}
	for age := 1; age <= 5; age++ {
		commit := "HEAD~" + strconv.Itoa(age)
		if git("rev-parse", "--verify", commit+":examples/worker") != nil {
			break
		}
		tree := t.TempDir()
		files := filepath.Join(tree, "files.tar")
		require.NoError(t, git("archive", "-o", files, commit))
		out, err := exec.CommandContext(t.Context(), "tar", "-xf", files, "-C", tree).CombinedOutput()
		require.NoError(t, err, "%s", out)
		if program, err = build(t, filepath.Join(tree, "examples", "worker")); err == nil {
			return program
		}
		t.Log(err)
	}
	t.Skip("the history has no previous worker that can be built: fetch more of it than one commit")
	return ""
}

// TestPreviousWorkerOnTheNewSchema is an upgrade half way: the schema and the web
// process are new, and what works is as old as the last commit.
func TestPreviousWorkerOnTheNewSchema(t *testing.T) {
	t.Parallel()
	old := previous(t)
	pg := pgtest.Start(t, pgtest.Options{})
	keys, err := tink.New()
	require.NoError(t, err)
	env := []string{"DATABASE_URL=" + pg.URL(), "FORGE_KEYSET=" + keys.Text().Reveal()}
	web := begin(t, ".", env...) // it migrates
	worker := start(t, old, env...)
	status, body := web.ask(http.MethodPost, "acme", "/servers", url.Values{"name": {"web-1"}, "address": {"192.0.2.7"}})
	require.Equal(t, http.StatusOK, status, body)

	store, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, pg.URL())})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	filter := forge.ActionFilter{Kind: forge.KindProvision, Status: []forge.ActionStatus{forge.ActionFinished}}
	require.Eventually(t, func() bool {
		var done []*forge.Action
		err := store.View(t.Context(), func(tx forge.Tx) (err error) {
			done, err = tx.Actions().List(filter, forge.Page{})
			return err
		})
		return err == nil && len(done) == 1
	}, time.Minute, 50*time.Millisecond, "the old worker did it")
	worker.end()
	requireHandedBack(t, pg.URL())
}
