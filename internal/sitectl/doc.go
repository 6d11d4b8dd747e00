// Package sitectl makes and removes sites on a server: the unix user, the
// directories, the FPM pool and the virtual host. The commands run as root
// under the fence of the server, so that there is one at a time; each can be
// repeated and then changes nothing.
//
// What was made for a site is recorded on the server in a file of root's, and
// exactly that is removed again.
package sitectl
