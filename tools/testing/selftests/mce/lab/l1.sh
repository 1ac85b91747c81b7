# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Functions that the backends with an L1 (the machine that runs the guest) source.

# l1_initrd LAB KERNELS KERNEL OUT: make L1's initramfs from LAB/$l1_cpio, the guest, and the
# modules of LAB/$l1_kernel.bzImage
l1_initrd() {
	# shellcheck disable=SC2154 # the caller's
	if ! {
		mkdir "$4.tree" &&
			cp "$2/$3.bzImage" "$4.tree/kernel" &&
			cat "$1/guest.cpio" "$2/$3.hook.cpio" >"$4.tree/initrd" &&
			(cd "$4.tree" && find kernel initrd | cpio -o -H newc --quiet) >"$4" &&
			cat "$1/${l1_cpio:-l1.cpio}" >>"$4" && rm -r "$4.tree" &&
			cat "$1/$l1_kernel.modules.cpio" >>"$4"
	}; then
		echo "cannot make $4: is the disk full, or a file missing in $1?" >&2
		exit 1
	fi
}

# l1_split LOGS KERNEL BACKEND: split L1's report on standard input into one log a
# scenario, line by line without a delay (awk would wait for a full buffer). Write how
# long each took to LOGS/seconds.
l1_split() {
	name=
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		"l1: "*)
			[ -z "$name" ] ||
				echo "$name $2 $3 $(($(date +%s) - since))" >>"$1/seconds"
			exec 3>&-
			name=${line#"l1: run "}
			[ "$name" != "$line" ] || name=
			[ -z "$name" ] || exec 3>"$1/$name.$2.log" || exit 1
			since=$(date +%s)
			;;
		*)
			[ -z "$name" ] || printf '%s\n' "$line" >&3
			;;
		esac
	done
}
