# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # the caller's: logs, here and die()
# What bench.sh and fuzz.sh share: each has guests driven by a program of its own, which is
# linked with the selftest's vmm.c and what belongs to that. They read this file with ".".
# $pool is the process group of what runs, or empty.

# $logs is new, and nothing that only a run needs stays there after it
begin() {
	rm -rf "$logs"
	mkdir -p "$logs" || die "cannot make $logs"
	pool=
	trap 'stop; echo "interrupted; nothing is left running" >&2; exit 130' INT
	trap 'stop; exit 143' TERM HUP
	trap stop EXIT
}

stop() {
	[ -z "$pool" ] || kill -s TERM -- "-$pool"
	rm -f "$logs"/*.initrd "$logs"/*.qcow2 "$logs/guest.cpio"
} 2>/dev/null

# The selftest's guest with more commands, to $logs/guest; $logs/guest.cpio has it as /init
guest() {
	mce=$here/../../../tools/testing/selftests/mce
	# one line of the Makefile has the names of its files
	# shellcheck disable=SC2046 # words
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -static -o "$logs/guest" \
		$(sed -n "/^GUEST_C := /{s///;s|[^ ]*|$mce/&|gp}" "$mce/Makefile") \
		"$here/../../guest-commands.c" || die "cannot compile guest-commands.c"
	"$mce/lab/cpio.sh" "$logs/guest.cpio" "$logs/guest=init" || die "cannot pack $logs/guest"
}

# driver NAME.c LAB KERNELS: compile all NAME*.c, to $logs/NAME; $logs/KERNEL.initrd is for it
driver() {
	vmm=$here/../../../tools/testing/selftests/mce
	# shellcheck disable=SC2046 # words
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -o "$logs/$(basename "$1" .c)" "${1%.c}"*.c \
		"$vmm/actions.c" "$vmm/console.c" "$vmm/qemu.c" "$vmm/vmm.c" \
		$(pkg-config --cflags --libs json-c) || die "cannot compile $1"
	guest
	for kernel in unpatched patched; do
		# a later file of the same name replaces the earlier one
		cat "$2/guest.cpio" "$logs/guest.cpio" "$3/$kernel.hook.cpio" >"$logs/$kernel.initrd" ||
			die "no $2/guest.cpio or $3/$kernel.hook.cpio, or the disk is full"
	done
}
