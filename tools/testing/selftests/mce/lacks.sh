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

program() {
	command -v "$1" >/dev/null || need "$1" "$2"
}

file() {
	[ -e "$2" ] || need "$2" "$1"
}

case ${1:-} in
build)
	for pair in gcc=gcc pkg-config=pkg-config cpio=cpio gzip=gzip; do
		program "${pair%=*}" "${pair#*=}"
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
	for pair in qemu-system-x86_64=qemu-system-x86 python3=python3; do
		program "${pair%=*}" "${pair#*=}"
	done
	;;
*)
	echo "usage: lacks.sh build|run" >&2
	exit 2
	;;
esac
echo "$lacks"
