package sshtest

import (
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func (s *Server) serveFiles(ch ssh.Channel) {
	h := files{s.files}
	server := sftp.NewRequestServer(ch, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h},
		sftp.WithRSMaxTxPacket(256<<10))
	_ = server.Serve()
	_ = server.Close()
}

// files serves a directory as the whole file system of root.
type files struct{ root *os.Root }

// inside makes a path of the client one in the directory.
func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name != "" {
		return name
	}
	return "."
}

func (f files) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	return f.root.Open(inside(r.Filepath))
}

func (f files) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	asked, flags := r.Pflags(), os.O_WRONLY
	if asked.Read {
		flags = os.O_RDWR
	}
	if asked.Creat {
		flags |= os.O_CREATE
	}
	if asked.Excl {
		flags |= os.O_EXCL
	}
	if asked.Trunc {
		flags |= os.O_TRUNC
	}
	return f.root.OpenFile(inside(r.Filepath), flags, 0o600)
}

func (f files) Filecmd(r *sftp.Request) error {
	name := inside(r.Filepath)
	switch r.Method {
	case "Setstat":
		if r.AttrFlags().Permissions {
			return f.root.Chmod(name, r.Attributes().FileMode().Perm())
		}
		return nil
	case "Rename":
		if _, err := f.root.Lstat(inside(r.Target)); err == nil {
			return fs.ErrExist
		}
		return f.root.Rename(name, inside(r.Target))
	case "Mkdir":
		return f.root.Mkdir(name, 0o755)
	case "Remove", "Rmdir":
		return f.root.Remove(name)
	case "Symlink":
		return f.root.Symlink(r.Filepath, inside(r.Target))
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (f files) PosixRename(r *sftp.Request) error {
	return f.root.Rename(inside(r.Filepath), inside(r.Target))
}

func (f files) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		info, err := f.root.Stat(inside(r.Filepath))
		return infos{info}, err
	}
	entries, err := fs.ReadDir(f.root.FS(), inside(r.Filepath))
	if err != nil {
		return nil, err
	}
	var list infos
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			list = append(list, info)
		}
	}
	return list, nil
}

func (f files) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := f.root.Lstat(inside(r.Filepath))
	return infos{info}, err
}

type infos []fs.FileInfo

func (l infos) ListAt(to []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := 0
	for _, info := range l[offset:min(int64(len(l)), offset+int64(len(to)))] {
		to[n] = rootsFile{info}
		n++
	}
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// rootsFile belongs to root, whoever runs the test.
type rootsFile struct{ fs.FileInfo }

//nolint:revive // the name is that of sftp.FileInfoUidGid
func (rootsFile) Uid() uint32 { return 0 }
func (rootsFile) Gid() uint32 { return 0 }
