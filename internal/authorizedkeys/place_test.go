package authorizedkeys_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// Root writes nothing where others could have put something in its way, and does
// not make a file that all can read of one that only root can.
func TestPlaceIsRootsAlone(t *testing.T) {
	t.Parallel()
	key := newPair(t)
	for _, test := range []struct {
		name    string
		trouble func(p *place) error
	}{
		{"others can write", func(p *place) error { return os.Chmod(p.dir, 0o777) }},
		{"of another", func(p *place) error { return os.Chown(p.dir, 1, 0) }},
		{"a link", func(p *place) error {
			if err := os.Rename(p.dir, p.dir+".real"); err != nil {
				return err
			}
			return os.Symlink(p.dir+".real", p.dir)
		}},
		{"a file that is a link", func(p *place) error { return os.Symlink("/etc/shadow", p.file()) }},
		{"a file that is a directory", func(p *place) error { return os.Mkdir(p.file(), 0o755) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.NoError(t, test.trouble(p))
			before, err := os.ReadDir(p.dir)
			require.NoError(t, err)
			cmd, err := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}}.Command()
			require.NoError(t, err)
			_, err = p.run(t, cmd)
			require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrUnreadable)
			after, err := os.ReadDir(p.dir)
			require.NoError(t, err)
			require.Equal(t, len(before), len(after))
		})
	}
}
