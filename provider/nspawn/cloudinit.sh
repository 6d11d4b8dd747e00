# Adds cloud-init to a root file system that it runs in.
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /usr/sbin
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # nothing is started
chmod 755 /usr/sbin/policy-rc.d
apt-get -q update
# Without locales, what a user data says of the language is an error.
apt-get -qy --no-install-recommends -o DPkg::Options::=--force-unsafe-io install cloud-init locales
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d /etc/resolv.conf
