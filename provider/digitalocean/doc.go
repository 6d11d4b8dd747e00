// Package digitalocean makes machines at DigitalOcean.
//
// What forge makes there bears tags: [Config.Namespace], the id of the server in
// forge, and the fingerprint of its key. Nothing without them is listed, touched or
// removed. The labels of a Spec are tags too, as "env:production" of env and
// production; tags know no capitals, so that a character other than a to z, 0 to 9
// and dash is written as an underscore and its code: "a.b" is "a_2eb".
//
// An API token with full access will do. One with custom scopes needs
//
//	droplet:create, droplet:read, droplet:update, droplet:delete,
//	ssh_key:create, ssh_key:read, ssh_key:delete,
//	tag:create, tag:read, tag:delete,
//	regions:read, sizes:read, image:read
//
// and firewall:read and firewall:update for a Spec with Firewalls, vpc:read for one
// with a Network. Without tag:delete the two tags of a server outlive it.
//
// A firewall applies to a machine from its start, by a tag that forge gives to the
// firewall, once: "forge:firewall:" and its id. The vendor allows five tags on a
// firewall.
//
// Every machine has a public IPv4 and a public IPv6 address, and a private one in its
// VPC; the vendor has none with IPv6 alone, and none with Arm processors.
package digitalocean
