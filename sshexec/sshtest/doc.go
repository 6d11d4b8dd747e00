// Package sshtest is an SSH and SFTP server for tests, inside the process of
// the test. It runs commands by a function of the test or really, by /bin/sh;
// it plays detached runs by another function, once for each id; it serves files
// from a directory; and it misbehaves on demand, see [Faults].
package sshtest
