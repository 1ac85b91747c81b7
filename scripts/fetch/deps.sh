#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install the packages that the build and the lab need. Without missing packages,
# it needs no root and does not call apt.
set -eu

packages="
bc bison busybox-static cpio e2fsprogs flex gcc gzip libc6-dev libelf-dev
libjson-c-dev libssl-dev lz4 make perl pkg-config xz-utils
bochs bochs-term grub-common grub-pc-bin mtools seabios xorriso
debian-archive-keyring dpkg-dev git gnuplot-nox python3 python3-six python3-sphinx python3-yaml
qemu-system-x86 qemu-utils quilt rsync shellcheck sparse zstd
"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	# shellcheck disable=SC2086 # a list of words
	{
		echo "this is $(. /etc/os-release && echo "$PRETTY_NAME"), but make needs these packages" \
			"of Debian:" $packages
		echo "Documentation/running.md, \"On Debian 13, and elsewhere\", describes how to run make" \
			"in a directory with Debian"
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
	echo "packages are missing, and only root can install them. Run as root:" >&2
	echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
exec scripts/build/step.sh build/log/packages.log "install$missing" sh -ec '
	apt-get -q update
	apt-get -q -y install --no-install-recommends "$@"' sh $missing
