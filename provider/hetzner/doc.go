// Package hetzner makes machines at Hetzner Cloud.
//
// It needs an API token of a project with the right to read and write. What forge
// makes there bears two labels, "forge" with [Config.Namespace] and "forge-id" with
// the id of the server in forge; nothing without them is listed, touched or
// removed.
//
// A server's name is unique in its project, so that the vendor itself refuses a
// second one of the same name. A Create whose answer was lost finds the server
// that it made by its labels.
package hetzner
