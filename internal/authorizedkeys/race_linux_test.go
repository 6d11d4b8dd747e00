package authorizedkeys_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// Others append without a lock, as ssh-copy-id does, while keys come and go.
func TestAppendedLinesStay(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string][]string{
		"exchange": nil,
		"rename":   {"sub exchange {\n", "sub exchange {\n\treturn 0;\n"},
		"no swift": noSwift,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, replace...)
			p.write(t, "# first\n")
			const writers, each = 3, 1000
			var appending sync.WaitGroup
			for w := range writers {
				appending.Go(func() {
					for i := range each {
						f, err := os.OpenFile(p.file(), os.O_APPEND|os.O_WRONLY, 0)
						if err == nil {
							_, err = fmt.Fprintf(f, "# writer %d line %d.\n", w, i)
							_ = f.Close()
						}
						if err != nil {
							t.Errorf("append: %v", err)
						}
					}
				})
			}
			defer appending.Wait()
			done := make(chan struct{})
			go func() {
				defer close(done)
				appending.Wait()
			}()
			key := newPair(t)
			for edits := 0; edits < 10 || !closed(done); edits++ {
				require.True(t, p.apply(t, authorizedkeys.Change{Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}}).Changed())
				require.True(t, p.apply(t, authorizedkeys.Change{Remove: []string{key.line}}).Changed())
			}
			text := p.read(t)
			for w := range writers {
				for i := range each {
					require.Equal(t, 1, strings.Count(text, fmt.Sprintf("# writer %d line %d.\n", w, i)))
				}
			}
			require.Equal(t, 1+writers*each, strings.Count(text, "\n"))
			p.requireNothingBeside(t)
		})
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// What another does in the very moment of the swap is seen afterwards.
func TestChangedInTheMomentOfTheSwap(t *testing.T) {
	t.Parallel()
	ours, gone, theirs := newPair(t), newPair(t), newPair(t)
	const before = "# before\n"
	for _, test := range []struct{ name, meddle, want string }{
		{"appended", `open my $f, '>>', $file; print $f "# theirs\n"`, before + ours.line + " forge:k\n# theirs\n"},
		{"appended a key to remove", `$turn == 1 or return; open my $f, '>>', $file; print $f "` + gone.line + `\n"`, before + ours.line + " forge:k\n"},
		{"appended later", `open my $f, '>>', $file; if (!fork) { select undef, undef, undef, 0.2; print $f "# theirs\n"; close $f; exec 'true' }`,
			before + ours.line + " forge:k\n# theirs\n"},
		{"rewritten", `open my $f, '>', $file; print $f "# theirs\n"`, "# theirs\n" + ours.line + " forge:k\n"},
		{"rewritten later", `open my $f, '+<', $file; if (!fork) { truncate $f, 0; select undef, undef, undef, 0.2; print $f "# theirs\n"; close $f; exec 'true' }`,
			"# theirs\n" + ours.line + " forge:k\n"},
		{"replaced", `open my $f, '>', "$file.x"; print $f "# theirs\n"; close $f; rename "$file.x", $file`, "# theirs\n" + ours.line + " forge:k\n"},
		{"replaced with the key", `open my $f, '>', "$file.x"; print $f "` + ours.line + ` other\n"; close $f; rename "$file.x", $file`, ours.line + " other\n"},
	} {
		for name, replace := range map[string][]string{"": nil, " without swift": noSwift} {
			t.Run(test.name+name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, append(meddled(test.meddle), replace...)...)
				p.write(t, before)
				p.apply(t, authorizedkeys.Change{Add: []authorizedkeys.Key{{ID: "k", Line: ours.line}}, Remove: []string{gone.line, theirs.line}})
				require.Equal(t, test.want, p.read(t))
				p.requireNothingBeside(t)
			})
		}
	}
}

// meddled has perl code run just before each swap.
func meddled(code string) (replace []string) {
	return []string{"sub exchange {\n", "sub meddle { our $turn++; our $file = shift; " + code + " }\nsub exchange {\n\tmeddle($_[1]);\n"}
}

// Theirs takes the place of ours again, with what was appended to ours meanwhile.
func TestReplacedAndAppendedTo(t *testing.T) {
	t.Parallel()
	const taken = "@$user{'base', 'mine'} = ($theirs, $new);\n"
	p := newPlace(t, append(meddled(`$turn == 1 or return; open my $f, '>', "$file.x"; print $f "# theirs\n"; close $f; rename "$file.x", $file`),
		taken, taken+`open my $f, '>>', $file; print $f "# more\n"; close $f;`)...)
	p.write(t, "# before\n")
	key := newPair(t)
	p.apply(t, authorizedkeys.Change{Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}})
	require.Equal(t, "# theirs\n# more\n"+key.line+" forge:k\n", p.read(t))
	p.requireNothingBeside(t)
}

func TestNoFileAnyMoreInTheMomentOfTheSwap(t *testing.T) {
	t.Parallel()
	p := newPlace(t, meddled(`$turn == 1 or return; unlink $file; mkdir $file; mkdir "$file/theirs"`)...)
	p.write(t, "# before\n")
	cmd, err := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: newPair(t).line}}}.Command()
	require.NoError(t, err)
	_, err = p.run(t, cmd)
	require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrUnreadable)
	require.DirExists(t, p.file()+"/theirs")
	p.requireNothingBeside(t)
}

// What is taken out of the way of a swap is not thrown away when the work cannot
// be brought to its end.
func TestLateLinesAreKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t,
		"sub exchange {\n", "sub exchange {\n\topen my $f, '>>', $_[1]; print $f \"# theirs\\n\"; close $f;\n",
		"sub append {\n", "sub append {\n\t$! = 28;\n\trefused(1, $_[0]);\n")
	p.write(t, "# before\n")
	cmd, err := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: newPair(t).line}}}.Command()
	require.NoError(t, err)
	out, err := p.run(t, cmd)
	require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrNoSpace)
	o := outcome(t, out)
	require.ErrorIs(t, o.Err, authorizedkeys.ErrNoSpace)
	_, name, _ := strings.Cut(o.Err.Error(), "what others wrote meanwhile is in ")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "# before\n# theirs\n", string(text))
}

func TestChangedAllTheTime(t *testing.T) {
	t.Parallel()
	const meddle = "\topen my $f, '>', $_[0]; print $f rand; close $f;\n"
	p := newPlace(t, "sub beside {\n", "sub beside {\n"+meddle, "sub written {\n", "sub written {\n"+meddle)
	p.write(t, "# before\n")
	cmd, err := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: newPair(t).line}}}.Command()
	require.NoError(t, err)
	_, err = p.run(t, cmd)
	require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrBusy)
	p.requireNothingBeside(t)
}

func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "alarm 30;", "alarm 1;")
	lock, err := os.Create(filepath.Join(p.dir, ".lock"))
	require.NoError(t, err)
	defer func() { _ = lock.Close() }()
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	key := newPair(t)
	cmd, err := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}}.Command()
	require.NoError(t, err)
	_, err = p.run(t, cmd)
	require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrLocked)
	require.NoFileExists(t, p.file())
	require.False(t, p.apply(t, authorizedkeys.Change{Remove: []string{key.line}}).Changed(), "what is so already needs no lock")
}
