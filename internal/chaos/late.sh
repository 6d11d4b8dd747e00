#!/bin/bash
# Stands before perl, and holds up once the one who is about to take the fence of a
# server: as a network does that brings a command late.
if [[ $* == *' server-'* ]] && mv -T -- /run/late/armed /run/late/used 2>/dev/null; then
	echo "$$" >/run/late/reached
	read -r _ </run/late/go
fi
exec /usr/bin/perl "$@"
