#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lacks.sh build|run [ARCH]
# Print, in one line, the programs and files that this machine lacks to build or run the
# test, as "PROGRAM (PACKAGE)". Packages are Debian's.
set -u

lacks=
need() {
	lacks="$lacks${lacks:+, }$1 ($2)"
}

# program PACKAGE [NAME]
program() {
	command -v "${2:-$1}" >/dev/null || need "${2:-$1}" "$1"
}

# file PACKAGE PATH
file() {
	[ -e "$2" ] || need "$2" "$1"
}

case ${1:-} in
build)
	for package in gcc pkg-config cpio gzip; do
		program "$package"
	done
	case ${2:-$(uname -m)} in
	x86*) ;;
	*) need "an x86_64 target" "this is ${2:-$(uname -m)}" ;;
	esac
	file e2fsprogs "${MKE2FS:-/sbin/mke2fs}"
	file busybox-static "${BUSYBOX:-/bin/busybox}"
	file qemu-system-x86 "${QEMU_L1:-/usr/bin/qemu-system-x86_64-microvm}"
	file qemu-system-data "${FIRMWARE_L1:-/usr/share/qemu/qboot.rom}"
	pkg-config --exists json-c 2>/dev/null || need json-c libjson-c-dev
	;;
run)
	program qemu-system-x86 qemu-system-x86_64
	program python3
	[ -e /dev/pts/ptmx ] || need /dev/pts/ptmx "mount devpts at /dev/pts"
	;;
*)
	echo "usage: lacks.sh build|run" >&2
	exit 2
	;;
esac
echo "$lacks"
