// Package nspawn makes machines on the local Linux box: Debian or Ubuntu with
// systemd as PID 1, in a systemd-nspawn container that has its own address, an
// SSH server and the way out to the internet. They serve development and
// tests; as root inside is root outside, they are no barrier against hostile
// tenants.
//
// A machine is a writable overlay on a base image that is made once, a network
// namespace joined to the host by a veth pair, and a process that belongs to
// no program: it lives on when the program that made it ends, and another one
// finds it by the files in Config.Dir. Network namespace, interface, nftables
// table and cgroup all bear Machine.ID as their name.
//
// With Config.CloudInit a machine comes up as one of a cloud does: host key,
// control key and the embedder's user data arrive by cloud-init.
//
// It needs root, cgroup v2 (beside v1 is enough), and the packages mmdebstrap,
// systemd-container, nftables and iproute2. It switches net.ipv4.ip_forward
// on and leaves it so. A host whose own firewall drops forwarded packets, as
// Docker's does, has to let the machines' subnet pass.
package nspawn
