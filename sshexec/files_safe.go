package sshexec

import (
	"fmt"
	"io/fs"
	"path"
	"sync"

	"github.com/pkg/sftp"
)

// safeDirs resolves directories, and refuses those in which root cannot write
// safely. It looks at each directory once.
type safeDirs struct {
	session *sftpSession
	user    string
	known   sync.Map // directory to func() (string, error)
}

func (d *safeDirs) resolve(dir string) (string, error) {
	if d.user != "root" {
		return dir, nil // the kernel is the judge
	}
	once, _ := d.known.LoadOrStore(dir, sync.OnceValues(func() (string, error) {
		resolved, err := d.session.RealPath(dir)
		if err != nil {
			return "", err
		}
		return resolved, d.check(resolved)
	}))
	return once.(func() (string, error))()
}

// check refuses a directory when somebody but root could replace it, one above
// it, or what is in it. In a sticky directory others cannot touch what is
// root's.
func (d *safeDirs) check(dir string) error {
	info, err := d.session.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*sftp.FileStat)
	switch {
	case !ok || !info.IsDir():
		return &UnsafeDirError{Dir: dir, Reason: "it is not a directory"}
	case stat.UID != 0:
		return &UnsafeDirError{Dir: dir, Reason: fmt.Sprintf("it belongs to the user %d", stat.UID)}
	case writableByOthers(info.Mode(), stat.GID) && info.Mode()&fs.ModeSticky == 0:
		return &UnsafeDirError{Dir: dir, Reason: fmt.Sprintf("others can write it (%v)", info.Mode().Perm())}
	case dir == "/":
		return nil
	}
	return d.check(path.Dir(dir))
}

func writableByOthers(mode fs.FileMode, gid uint32) bool {
	return mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && gid != 0
}
