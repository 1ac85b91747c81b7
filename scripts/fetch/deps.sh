#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install what the build and the lab need; no apt call when it is all there.
# To be run as root only when something is missing.
set -eu

packages="
bc bison busybox-static cpio e2fsprogs flex gcc gzip libc6-dev libelf-dev
libjson-c-dev libssl-dev make perl pkg-config xz-utils
bochs bochs-term grub-common grub-pc-bin mtools seabios xorriso
debian-archive-keyring dpkg-dev git gnuplot-nox patch python3 python3-sphinx python3-yaml
qemu-system-x86 qemu-utils quilt rsync shellcheck sparse zstd
"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	# shellcheck disable=SC2086 # a list of words
	{
		echo "this is $(. /etc/os-release && echo "$PRETTY_NAME"), and what is needed comes" \
			"as Debian's packages:" $packages
		echo "Documentation/running.md, \"On Debian 13, and elsewhere\", has how to do all this in a" \
			"directory with a Debian in it"
	} >&2
	exit 1
fi

missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
		grep -q ' installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "missing packages, and installing them takes root. Run:" >&2
	echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
exec scripts/build/step.sh build/log/packages.log "install$missing" sh -ec '
	apt-get -q update
	apt-get -q -y install --no-install-recommends "$@"' sh $missing
