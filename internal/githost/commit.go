package githost

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Repo returns the URL of a repository, which its first commit makes.
func (s *Server) Repo(name string) string { return s.URL + "/" + name + ".git" }

// Commit puts a commit on the branch main of a repository, and returns its hash.
func (s *Server) Commit(t testing.TB, name string, files map[string]string) string {
	t.Helper()
	return s.CommitLinks(t, name, files, nil)
}

// CommitLinks is Commit with submodules: the hashes of their commits by path.
// That .gitmodules knows them is for the caller to see to.
func (s *Server) CommitLinks(t testing.TB, name string, files, links map[string]string) string {
	t.Helper()
	dir := filepath.Join(s.dir, name+".git")
	git := func(stdin string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	require.NoError(t, exec.CommandContext(t.Context(), "git", "init", "--quiet", "--bare", "--initial-branch=main", dir).Run())
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\ndata 6\nChange\n", time.Now().Unix())
	if git("", "for-each-ref", "refs/heads/main") != "" {
		b.WriteString("from refs/heads/main^0\n")
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", path, len(files[path]), files[path])
	}
	for _, path := range slices.Sorted(maps.Keys(links)) {
		fmt.Fprintf(&b, "M 160000 %s %s\n", links[path], path)
	}
	git(b.String(), "fast-import", "--quiet")
	return git("", "rev-parse", "refs/heads/main")
}
