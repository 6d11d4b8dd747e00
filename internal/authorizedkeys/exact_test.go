package authorizedkeys_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

func TestExactKeys(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	wanted, there, gone, goneMarked, unknown, kept, keptByLine, unmanaged := newPair(t), newPair(t), newPair(t), newPair(t), newPair(t), newPair(t), newPair(t), newPair(t)
	p.write(t, strings.Join([]string{
		"# comment",
		"",
		there.line + " forge:there",
		gone.line + " forge:gone",
		`no-pty,command="echo \"hi\" ` + there.line + `" ` + unknown.line + " by hand\r",
		unknown.line + " forge:left",
		goneMarked.line + " x forge:unmanaged",
		kept.line + " kept",
		keptByLine.line + " kept",
		unmanaged.line + " mine\tforge:unmanaged",
		"no key at all",
		unknown.line + " forge:unmanageds",
	}, "\n"))
	change := authorizedkeys.Change{
		Add:     []authorizedkeys.Key{{ID: "there", Line: there.line}, {ID: "new", Line: wanted.line}},
		Remove:  []string{gone.line, goneMarked.line},
		Unknown: true,
		Keep:    []string{kept.line, keptByLine.line},
	}
	o := p.apply(t, change)
	require.NoError(t, o.Err)
	require.Len(t, o.Added, 1)
	require.Equal(t, wanted.fingerprint, o.Added[0].Fingerprint)
	require.Equal(t, "new", o.Added[0].ID)
	var removed []string
	for _, line := range o.Removed {
		removed = append(removed, line.Fingerprint+" "+line.ID)
	}
	require.Equal(t, []string{gone.fingerprint + " gone", unknown.fingerprint + " ", unknown.fingerprint + " left", goneMarked.fingerprint + " ", unknown.fingerprint + " unmanageds"}, removed)
	require.Equal(t, strings.Join([]string{
		"# comment",
		"",
		there.line + " forge:there",
		kept.line + " kept",
		keptByLine.line + " kept",
		unmanaged.line + " mine\tforge:unmanaged",
		"no key at all",
		wanted.line + " forge:new",
		"",
	}, "\n"), p.read(t))
	require.False(t, p.apply(t, change).Changed(), "again")
}

// What one side takes for a key the other does too: what Read shows as unknown
// can be removed, and nothing else is.
func TestBothParsersAgree(t *testing.T) {
	t.Parallel()
	k := newPair(t)
	kind, blob, _ := strings.Cut(k.line, " ")
	for _, line := range []string{
		k.line, "\t " + k.line, k.line + "\r", kind + "\t \t" + blob, kind + " " + blob[:40] + "\r" + blob[40:] + "\f",
		k.line + "\x00" + " forge:unmanaged", k.line + " \xff\xfe forge:x",
		"# " + k.line, "#" + k.line, kind, blob, kind + " ", kind + " " + blob[:len(blob)-1], kind + " " + blob + "=", kind + " " + blob + "AAAA",
		kind + " " + blob[:24], kind + " " + blob[:28], kind + " AAAA", "ssh-rsa " + blob, "rsa-sha2-256 " + blob, "SSH-ED25519 " + blob, "ed25519 " + blob,
		"ssh-dss AAAAB3NzaC1kc3MAAAAB", "rsa-sha2-512 AAAAB3NzaC1yc2EAAAAB", "ssh-rsa AAAAB3NzaC1yc2EAAAAB",
		"ssh-rsa AAAAB3NzaC1yc2EAAAAA", "ssh-rsa AAAAB3NzaC1yc2EB", "ssh-rsa AAAAB3NzaC1yc2EBAA==", "ssh-rsa AAAAB3NzaC1yc2EBAB==", "ssh-rsa AAAAB3NzaC1yc2EBAAE=", "ssh-rsa AAAAB3NzaC1yc2EBAAF=",
		"ssh-rsa AAAAB3NzaC1yc2F" + strings.Repeat("A", 81), "ssh-rsa AAAAB3NzaC1yc2E" + strings.Repeat("A", 16<<10-23), "ssh-rsa AAAAB3NzaC1yc2E" + strings.Repeat("A", 16<<10-19),
		"no-pty " + k.line, "no-pty,x=\"a b\" \t" + k.line, `x="a\" b" ` + k.line, `x="a\\" b" ` + k.line, `x=\"a ` + k.line, `x="a ` + k.line, `x="a" "b" ` + k.line, "\"" + k.line, "a b " + k.line,
		`\ ` + k.line, `"\` + "\" " + k.line, strings.Repeat(`\"`, 70_000) + " " + k.line, `x="` + strings.Repeat(`\" `, 70_000) + `" ` + k.line,
		"cert-authority " + k.line, "\v" + k.line, "\xa0" + k.line, "", " ",
	} {
		p := newPlace(t)
		p.write(t, line+"\n")
		cmd, listing, err := authorizedkeys.Read{Users: []string{"root"}}.Command()
		require.NoError(t, err)
		_, err = p.run(t, cmd)
		require.NoError(t, err)
		files, _, err := listing.Files()
		require.NoError(t, err)
		require.True(t, files[0].There)
		o := p.apply(t, authorizedkeys.Change{Unknown: true})
		require.Equal(t, len(files[0].Lines), len(o.Removed), "%.200q", line)
		if o.Changed() {
			require.Equal(t, files[0].Lines[0].Fingerprint, o.Removed[0].Fingerprint)
			require.Equal(t, files[0].Lines[0].ID, o.Removed[0].ID, "%.200q", line)
			require.Empty(t, p.read(t))
		} else {
			require.Equal(t, line+"\n", p.read(t))
		}
	}
}
