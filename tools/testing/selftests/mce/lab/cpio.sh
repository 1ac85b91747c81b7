#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# cpio.sh OUT FILE=PATH...
# Pack an initramfs with each FILE at PATH, and the directories that any PID 1
# mounts on. With bin/busybox in it, bin has links to the applets that
# lab/l1-init calls.
set -eu

out=$1
shift
root=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$root" "$out.new"' EXIT
trap 'exit 130' INT TERM HUP

mkdir "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
for pair; do
	path=$root/${pair#*=}
	mkdir -p "${path%/*}"
	cp -L "${pair%%=*}" "$path"
	chmod 755 "$path"
done
if [ -e "$root/bin/busybox" ]; then
	for applet in sh mount stty sync reboot; do
		ln -s busybox "$root/bin/$applet"
	done
fi
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$out.new"
mv "$out.new" "$out"
