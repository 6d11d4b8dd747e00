//go:build !unix

package tink

import "io/fs"

// private is not known where the bits of a mode are made up.
func private(fs.FileInfo) bool { return true }
