#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# cpio.sh OUT FILE=PATH...
# Pack an initramfs archive with each FILE at PATH. If it has init, add the mount
# points that PID 1 needs. If it has bin/busybox, add links in bin to the applets
# that lab/l1-init calls.
set -eu

out=$1
shift
root=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$root" "$out.new"' EXIT
# it becomes /, which users without privileges must be able to read
chmod 755 "$root"
trap 'exit 130' INT TERM HUP

for pair; do
	path=$root/${pair#*=}
	mkdir -p "${path%/*}"
	cp -L "${pair%%=*}" "$path"
	chmod 755 "$path"
done
if [ -e "$root/init" ]; then
	mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
fi
if [ -e "$root/bin/busybox" ]; then
	for applet in sh mkdir mount stty sync reboot head insmod; do
		ln -s busybox "$root/bin/$applet"
	done
fi
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$out.new"
mv "$out.new" "$out"
