//go:build unix

package tink

import (
	"io/fs"
	"syscall"
)

// private reports whether a file is kept from those who should not have it. What
// root owns a group may read, as that is how a secret is mounted for a program that
// does not run as root, as by Kubernetes.
func private(info fs.FileInfo) bool {
	others := info.Mode().Perm() & 0o077
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 {
		others &^= 0o040
	}
	return others == 0
}
