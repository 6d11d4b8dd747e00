package access

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
)

// Files that people have are given a line and freed of it again, and are as they
// were; what somebody writes meanwhile stays.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	odd := map[string]string{
		"symbolic link":   `mv .ssh/authorized_keys keys; ln -s ../keys .ssh/authorized_keys`,
		"10,000 lines":    `line=$(head -n 1 .ssh/authorized_keys); for ((i = 0; i < 10000; i++)); do echo "from=\"10.0.$((i / 256)).$((i % 256))\" $line $i"; done >>.ssh/authorized_keys`,
		"CRLF":            `sed -i 's/$/\r/' .ssh/authorized_keys; printf '# text\r\n\r\n' >>.ssh/authorized_keys`,
		"no last newline": `truncate -s -1 .ssh/authorized_keys`,
		"no file":         `rm -r .ssh`,
		"slow":            ``,
	}
	w := newWorld(t, len(odd)+1)
	names := map[*sshfleet.Host]string{}
	before := map[string]string{}
	for name, script := range odd {
		h := w.fleet.Hosts[len(names)]
		names[h] = name
		w.bash(h, "cd /home/deploy; "+script+"\n[[ ! -e .ssh/authorized_keys ]] || chown -R deploy: . ")
		if before[name] = ""; name != "no file" {
			before[name] = w.file(h, "deploy")
		}
		if name == "slow" {
			require.NoError(t, h.DropConnections(t.Context()))
			mend, err := h.Break(t.Context(), sshfleet.Slow)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, mend()) })
		}
	}
	edited := w.fleet.Hosts[len(odd)]
	written := make(chan error, 1)
	go func() { // as ssh-copy-id does it, while forge does, and not so fast that the file grows too large to edit
		_, err := edited.Run(t.Context(), `touch /tmp/goes; n=0
while [[ -e /tmp/goes ]]; do
	echo "# line $((n++))" >>/home/deploy/.ssh/authorized_keys
	sleep 0.001
done
echo "$n" >/tmp/count`)
		written <- err
	}()

	ada, to := w.person("ada"), forge.Selector{All: true, User: "deploy"}
	for range 5 {
		w.done(w.Keys.Sync(t.Context(), ada.key.ID, to))
		for h, name := range names {
			separator := ""
			if was := before[name]; was != "" && !strings.HasSuffix(was, "\n") {
				separator = "\n"
			}
			require.Equal(t, before[name]+separator+ada.line(), w.file(h, "deploy"), name)
			before[name] += separator
		}
		ada.getsIn(edited, "deploy")
		w.done(w.Keys.Revoke(t.Context(), ada.key.ID, to, nil))
		for h, name := range names {
			require.Equal(t, before[name], w.file(h, "deploy"), name)
		}
		ada.isRefused(edited, "deploy")
	}
	w.bash(edited, "rm /tmp/goes")
	require.NoError(t, <-written)
	count := strings.TrimSpace(w.bash(edited, "cat /tmp/count"))
	require.NotEqual(t, "0", count)
	require.Equal(t, count, strings.TrimSpace(w.bash(edited, `grep -c '^# line [0-9]*$' /home/deploy/.ssh/authorized_keys`)), "every line that was written is there")
	for h, name := range names {
		if name == "symbolic link" {
			require.Equal(t, "../keys\n", w.bash(h, "readlink /home/deploy/.ssh/authorized_keys"))
		}
	}
}
