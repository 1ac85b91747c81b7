#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lacks.sh build|run
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
	file e2fsprogs /sbin/mke2fs
	file busybox-static /bin/busybox
	file qemu-system-x86 /usr/bin/qemu-system-x86_64-microvm
	file qemu-system-data /usr/share/qemu/qboot.rom
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
