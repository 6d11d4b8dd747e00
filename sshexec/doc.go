// Package sshexec runs scripts on servers over SSH.
//
// There are two ways. [Client.Run] is attached to its connection and meant for
// quick questions and short changes. [Client.Attach] starts a script apart from
// the connection, as a systemd unit, and follows its log; a lost connection
// changes nothing, as whoever attaches next goes on where the reading stopped.
package sshexec
