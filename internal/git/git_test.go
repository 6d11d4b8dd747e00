package git_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"mvdan.cc/sh/v3/shell"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

var repo = git.Repo{
	URL: "git@github.com:a/b.git", Branch: "main", User: "site",
	Dir: "/home/site/a.com", Key: "/home/site/.ssh/forge-1", KnownHosts: "/etc/forge/sites/1/known_hosts",
}

func TestScriptsAreClean(t *testing.T) {
	t.Parallel()
	access, err := repo.CheckAccess()
	require.NoError(t, err)
	servertest.Shellcheck(t, access.Script)
	fetch, err := repo.Fetch("")
	require.NoError(t, err)
	servertest.Shellcheck(t, fetch.Script)
	clone, err := repo.Clone()
	require.NoError(t, err)
	servertest.Shellcheck(t, string(clone.Script))
	key, err := git.DeployKey("site", "/home/site/.ssh/forge-1", "forge-1")
	require.NoError(t, err)
	servertest.Shellcheck(t, key.Script)
}

// The fingerprints are those that GitHub, GitLab and Bitbucket publish.
func TestShippedKnownHosts(t *testing.T) {
	t.Parallel()
	file, err := git.KnownHosts("")
	require.NoError(t, err)
	got := map[string][]string{}
	for rest := file; ; {
		_, hosts, key, _, next, err := ssh.ParseKnownHosts(rest)
		if err != nil {
			break
		}
		for _, host := range hosts {
			got[host] = append(got[host], ssh.FingerprintSHA256(key))
		}
		rest = next
	}
	github := []string{
		"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", // Ed25519
		"SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM", // ECDSA
		"SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s", // RSA
	}
	gitlab := []string{
		"SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
		"SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
		"SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
	}
	require.Equal(t, map[string][]string{
		"github.com": github, "[ssh.github.com]:443": github,
		"gitlab.com": gitlab, "[altssh.gitlab.com]:443": gitlab,
		"bitbucket.org": {
			"SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
			"SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
			"SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
		},
	}, got)
}

func TestKnownHostsExtra(t *testing.T) {
	t.Parallel()
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	file, err := git.KnownHosts("\n# mine\ngit.example.com,10.0.0.1 " + key + " comment\n[x.example.com]:2222 " + key)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(file, []byte("\ngit.example.com,10.0.0.1 "+key+"\n[x.example.com]:2222 "+key+"\n")), string(file))
	for _, bad := range []string{"nonsense", "@cert-authority * " + key, "host ssh-ed25519 AAAA"} {
		_, err := git.KnownHosts(bad)
		require.Error(t, err, bad)
	}
}

func TestRepoRefuses(t *testing.T) {
	t.Parallel()
	change := func(change func(*git.Repo)) error {
		r := repo
		change(&r)
		_, err := r.CheckAccess()
		return err
	}
	for _, url := range []string{"git@host:x", "git@h:x", "ssh://git@host:22/x", "https://github.com/a/b", "ssh://host/x", "ssh://git@[::1]:22/x"} {
		require.NoError(t, change(func(r *git.Repo) { r.URL = url }), url)
	}
	for _, url := range []string{
		"", "-x", "--upload-pack=x", "ext::sh -c id", "file:///etc", "/srv/x", "git://host/x", "http://host/x",
		"ssh://-oProxyCommand=id/x", "ssh://git@-oProxyCommand=id/x", "git@-oProxyCommand=id:x", "-a@host:x", "git@host:-x", "https://a:b@host/x", "git@host:x y", "git@host:x\n", "https:// host",
	} {
		require.Error(t, change(func(r *git.Repo) { r.URL = url }), url)
	}
	for _, branch := range []string{"", "-x", "a b", "a..b", "a:b", "+a^", "a~1", "a\n", "a*", "x.lock", "/a", "a/", "a@{1}", `a\b`} {
		require.Error(t, change(func(r *git.Repo) { r.Branch = branch }), branch)
	}
	for _, user := range []string{"", "root", "-x", "A", "a b"} {
		require.Error(t, change(func(r *git.Repo) { r.User = user }), user)
	}
	for _, path := range []string{"", "x", "/a b", "/a/../b", "/a'b", "/a$b"} {
		require.Error(t, change(func(r *git.Repo) { r.Key = path }), path)
		require.Error(t, change(func(r *git.Repo) { r.Dir = path }), path)
	}
	for _, commit := range []string{"HEAD", "-x", "abc", strings.Repeat("A", 40), strings.Repeat("a", 41)} {
		_, err := repo.Fetch(commit)
		require.Error(t, err, commit)
	}
}

// What git gives to a shell stays the words that it is made of.
func TestSSHCommandProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := repo
		r.Key = "/" + rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{1,12}`), rapid.StringMatching(`[a-z./-]{1,12}`)).Draw(t, "key")
		if _, err := r.CheckAccess(); err != nil {
			return
		}
		words, err := shell.Fields(r.Env()["GIT_SSH_COMMAND"], nil)
		require.NoError(t, err)
		require.Equal(t, r.Key, words[4])
		require.Len(t, words, 19)
	})
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 20)
	got, err := git.ParseHead([]byte(hash + "\trefs/heads/main\n"))
	require.NoError(t, err)
	require.Equal(t, hash, got)
	for _, bad := range []string{"nonsense", hash[1:] + "\tx", "\x00", "ref: x\tHEAD"} {
		_, err := git.ParseHead([]byte(bad))
		require.Error(t, err, bad)
	}
}

func FuzzParseCommit(f *testing.F) {
	hash := strings.Repeat("0a", 20)
	f.Add([]byte(hash + "\x00Ann\x00Subject"))
	f.Add([]byte(hash + "\x00Ann\xff\x00" + strings.Repeat("ü", 256) + "\x1b[31m\x00x"))
	f.Fuzz(func(t *testing.T, out []byte) {
		c, err := git.ParseCommit(out)
		if err != nil {
			return
		}
		require.Regexp(t, `^([0-9a-f]{40}|[0-9a-f]{64})$`, c.Hash)
		for _, text := range []string{c.Subject, c.Author} {
			require.Equal(t, strings.ToValidUTF8(text, "?"), text)
			require.LessOrEqual(t, len([]rune(text)), 255)
			require.NotRegexp(t, `[\x00-\x1f\x7f]`, text)
		}
	})
}

func TestParseDeployKey(t *testing.T) {
	t.Parallel()
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	got, err := git.ParseDeployKey([]byte(key + " forge-1\n"))
	require.NoError(t, err)
	require.Equal(t, key+" forge-1", got)
	got, err = git.ParseDeployKey([]byte(key + " <script>\n"))
	require.NoError(t, err)
	require.Equal(t, key, got, "a comment of others is left out")
	for _, bad := range []string{"", "x", key + "\n" + key + "\n", `command="id" ` + key, "ssh-rsa AAAA", key + strings.Repeat(" ", 1024)} {
		_, err := git.ParseDeployKey([]byte(bad))
		require.Error(t, err, bad)
	}
}

// What git, ssh and the git servers say.
func TestExplain(t *testing.T) {
	t.Parallel()
	const tail = "\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n"
	for stderr, want := range map[string]git.Outcome{
		"git@github.com: Permission denied (publickey)." + tail:                                                                git.AccessRefused,
		"ERROR: Repository not found." + tail:                                                                                  git.AccessRefused,
		"remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found":                                 git.AccessRefused,
		"remote: ERROR: The project you were looking for could not be found or you don't have permission to view it." + tail:   git.AccessRefused,
		"fatal: could not read Username for 'https://github.com': terminal prompts disabled":                                   git.AccessRefused,
		"fatal: 'x.git' does not appear to be a git repository" + tail:                                                         git.AccessRefused,
		"No ED25519 host key is known for x and you have requested strict checking.\r\nHost key verification failed.\r" + tail: git.HostKeyUnknown,
		"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed." + tail:                    git.HostKeyChanged,
		"ssh: Could not resolve hostname x: Name or service not known\r" + tail:                                                git.Unreachable,
		"ssh: connect to host x port 22: Connection timed out\r" + tail:                                                        git.Unreachable,
		"ssh: connect to host x port 22: Connection refused\r" + tail:                                                          git.Unreachable,
		"fatal: unable to access 'https://x/': Could not resolve host: x":                                                      git.Unreachable,
		"fatal: unable to access 'https://x/': The requested URL returned error: 503":                                          git.Unreachable,
		"fatal: couldn't find remote ref refs/heads/x":                                                                         git.BranchMissing,
		"fatal: unable to create '/home/a/.git/index.lock': Permission denied":                                                 git.Failed,
		"": git.Failed,
	} {
		exit := &sshexec.ExitError{ExitCode: 128, Stderr: stderr}
		err := git.Explain(exit)
		var e *git.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Outcome, stderr)
		require.ErrorIs(t, err, exit)
	}
	var e *git.Error
	require.ErrorAs(t, git.Explain(&sshexec.ExitError{ExitCode: 124}), &e)
	require.Equal(t, git.Unreachable, e.Outcome)
	other := errors.New("other")
	require.Equal(t, other, git.Explain(other))
	require.NoError(t, git.Explain(nil))
}
