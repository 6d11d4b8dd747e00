package authorizedkeys_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
)

// files runs a Read.
func (p *place) files(t testing.TB, r authorizedkeys.Read) ([]authorizedkeys.File, int) {
	t.Helper()
	cmd, listing, err := r.Command()
	require.NoError(t, err)
	_, err = p.run(t, cmd)
	require.NoError(t, err)
	files, more, err := listing.Files()
	require.NoError(t, err)
	return files, more
}

func TestReadLines(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	a, b := newPair(t), newPair(t)
	p.write(t, strings.Join([]string{
		"# " + a.line,
		a.line + " forge:k-1",
		"",
		`from="10.0.0.*",command="say \"hi there\"" ` + b.line + " \x1b[31mred\xff forge:unmanaged forge:k-2 forge:k-3\r",
		"no key",
		a.line,
	}, "\n"))
	want := []authorizedkeys.Line{
		{Number: 2, Comment: "forge:k-1", ID: "k-1"},
		{Number: 4, Options: `from="10.0.0.*",command="say \"hi there\""`, Comment: "[31mred forge:unmanaged forge:k-2 forge:k-3", ID: "k-2", Unmanaged: true},
		{Number: 6},
	}
	for i, key := range []pair{a, b, a} {
		want[i].Type, want[i].Base64, _ = strings.Cut(key.line, " ")
		want[i].Fingerprint = key.fingerprint
	}
	files, more := p.files(t, authorizedkeys.Read{})
	require.Zero(t, more)
	require.Equal(t, []authorizedkeys.File{{User: "root", There: true, Lines: want}}, files)
}

func TestReadTrouble(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	put("full", strings.Repeat("#", 1<<20))
	put("larger", strings.Repeat("#", 1<<20+1))
	require.NoError(t, os.Symlink("/etc/shadow", filepath.Join(p.dir, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(p.dir, "dir"), 0o700))
	put(".root.0123456789abcdef", "left")
	put("John.Doe", "")
	put("bad\nname", "")
	files, _ := p.files(t, authorizedkeys.Read{})
	var names []string
	for _, f := range files {
		names = append(names, f.User)
	}
	require.Equal(t, []string{"John.Doe", "dir", "full", "larger", "link"}, names)
	require.ErrorIs(t, files[1].Err, authorizedkeys.ErrUnreadable)
	require.NoError(t, files[2].Err)
	require.True(t, files[2].There)
	require.ErrorIs(t, files[3].Err, authorizedkeys.ErrTooLarge)
	require.ErrorIs(t, files[4].Err, authorizedkeys.ErrUnreadable)

	files, _ = p.files(t, authorizedkeys.Read{Users: []string{"nobody-here", "full"}})
	require.Equal(t, []authorizedkeys.File{{User: "nobody-here"}, {User: "full", There: true}}, files)

	for i := range 260 {
		put(fmt.Sprintf("u%03d", i), strings.Repeat("#", 20<<10))
	}
	files, more := p.files(t, authorizedkeys.Read{})
	require.Len(t, files, 256)
	require.Equal(t, 9, more)
	require.ErrorIs(t, files[255].Err, authorizedkeys.ErrTooLarge, "more than is read in all")

	require.NoError(t, os.RemoveAll(p.dir))
	files, _ = p.files(t, authorizedkeys.Read{})
	require.Empty(t, files)
}

func TestReadHomes(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	for _, user := range []string{"reader-a", "reader-b", "reader-c"} {
		newUser(t, srv, user)
	}
	key := newPair(t)
	srv.BashAs(t, "reader-a", `mkdir ~/.ssh; echo "$1 forge:k" >~/.ssh/authorized_keys`, key.line)
	srv.BashAs(t, "reader-b", `mkdir ~/.ssh; ln -s /etc/shadow ~/.ssh/authorized_keys`)
	cmd, listing, err := authorizedkeys.Read{Home: true, Users: []string{"reader-a", "reader-b", "reader-c", "nobody-here", "root"}}.Command()
	require.NoError(t, err)
	_, err = srv.Run(t, cmd)
	require.NoError(t, err)
	files, _, err := listing.Files()
	require.NoError(t, err)
	require.Len(t, files, 5)
	require.Equal(t, key.fingerprint, files[0].Lines[0].Fingerprint)
	require.ErrorIs(t, files[1].Err, authorizedkeys.ErrUnreadable)
	require.Equal(t, authorizedkeys.File{User: "reader-c"}, files[2])
	require.ErrorIs(t, files[3].Err, authorizedkeys.ErrNoUser)
	require.True(t, files[4].There)
	require.Equal(t, ssh.FingerprintSHA256(srv.Signer.PublicKey()), files[4].Lines[0].Fingerprint)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, r := range []authorizedkeys.Read{{Home: true}, {Users: []string{"-x"}}, {Users: make([]string, 257)}} {
		_, _, err := r.Command()
		require.Error(t, err)
	}
	for _, answer := range []string{
		"", "end", "none a\n", "none a\nend", "end\nnone a\n", "none -x\nend\n", "none a/b\nend\n", "what a\nend\n", "file a\nend\n", "file a -1\n\nend\n",
		"file a 99\nabc\nend\n", "file a 18446744073709551616\nabc\nend\n", "more -1\nend\n", "more x\nend\n", strings.Repeat("none a\n", 257) + "end\n",
	} {
		var l authorizedkeys.Listing
		_, err := l.Write([]byte(answer))
		require.NoError(t, err)
		_, _, err = l.Files()
		require.Error(t, err, answer)
	}
	var l authorizedkeys.Listing
	written := 0
	for chunk := make([]byte, 1<<20); written < 8<<20; written += len(chunk) {
		if _, err := l.Write(chunk); err != nil {
			break
		}
	}
	require.Equal(t, 4<<20, written, "what is kept of an endless answer")
}

func TestOutcomesRefuses(t *testing.T) {
	t.Parallel()
	key := newPair(t)
	for _, answer := range []string{
		"", "end", "user a done\n", "user a\nend\n", "user -x done\nend\n", "added " + key.line + " forge:k\nend\n", "user a done\nadded x\nend\n",
		"user a done\nadded " + key.line + "\n", "user a done\nwhat " + key.line + "\nend\n", "user a done\nomitted -1\nend\n",
	} {
		_, err := authorizedkeys.Outcomes([]byte(answer))
		require.Error(t, err, answer)
	}
	outcomes, err := authorizedkeys.Outcomes([]byte("user a failed 84 x\x1b[31m\nuser b failed 7 y\nuser c done\nremoved " + key.line + " -\nomitted 3\nend\n"))
	require.NoError(t, err)
	require.ErrorIs(t, outcomes[0].Err, authorizedkeys.ErrUnreadable)
	require.Equal(t, "the file of keys cannot be read: x[31m", outcomes[0].Err.Error())
	require.Error(t, outcomes[1].Err)
	require.Equal(t, key.fingerprint, outcomes[2].Removed[0].Fingerprint)
	require.Equal(t, 3, outcomes[2].Omitted)
}

// Whatever a server prints, what is made of it is bounded and can be shown.
func FuzzListing(f *testing.F) {
	key := newPair(f)
	text := "no-pty,x=\"a b\" " + key.line + " me forge:k forge:unmanaged\r\n# no\n" + key.line + "\x00\n"
	f.Add(fmt.Sprintf("file a %d\n%s\nnone b\nfailed c 84 text\nmore 3\nend\n", len(text), text))
	f.Add("user a done\nadded " + key.line + " forge:k\nremoved " + key.line + " -\nomitted 1\nuser b failed 84 text\nend\n")
	shown := func(t *testing.T, text string, most int) {
		if len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", text)
		}
	}
	line := func(t *testing.T, l authorizedkeys.Line) {
		shown(t, l.Options, 4<<10)
		shown(t, l.Comment, 255)
		shown(t, l.Type, 128)
		shown(t, l.Base64, 16<<10)
		shown(t, l.ID, 64)
		require.Regexp(t, `^SHA256:[A-Za-z0-9+/]{43}$`, l.Fingerprint)
		blob, err := base64.StdEncoding.DecodeString(l.Base64)
		require.NoError(t, err)
		if key, err := ssh.ParsePublicKey(blob); err == nil {
			require.Equal(t, ssh.FingerprintSHA256(key), l.Fingerprint)
		}
	}
	f.Fuzz(func(t *testing.T, answer string) {
		var l authorizedkeys.Listing
		_, err := l.Write([]byte(answer))
		require.NoError(t, err)
		files, _, _ := l.Files()
		for _, file := range files {
			for _, entry := range file.Lines {
				line(t, entry)
			}
			if file.Err != nil {
				shown(t, file.Err.Error(), 2<<10)
			}
		}
		outcomes, _ := authorizedkeys.Outcomes([]byte(answer))
		for _, o := range outcomes {
			for _, entry := range append(o.Added, o.Removed...) {
				line(t, entry)
			}
			if o.Err != nil {
				shown(t, o.Err.Error(), 2<<10)
			}
		}
	})
}
