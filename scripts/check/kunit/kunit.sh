#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kunit.sh TREE TOOL LOG
# Build the KUnit suite into the guest's kernel of TREE, a patched kernel tree that kernel.sh
# built. Run it by kunit.py as a guest and on bare metal, that is, with the hypervisor bit of
# CPUID set and clear. If TREE's own kunit.py has no --qemu_args, use that of the tree TOOL.
# kunit.py would build its own kernel, which takes ten times as long: plain.sh does that. Here,
# kunit.py only has to accept .kunitconfig. Prints KTAP, one line a case. The directory LOG
# gets build.log, and for guest and bare: .log, the console; .kunit, the output of kunit.py;
# .cases, the verdict and name of each case. Exit status 1 if a case fails or does not run.
set -u

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$repo/scripts/lib.sh"
tree=$1
tool=$2
log=$3

if ! { mkdir -p "$log" && log=$(cd "$log" && pwd) && tree=$(cd "$tree" && pwd); }; then
	echo "not ok - kunit: $tree does not exist, or $log cannot be written"
	exit 1
fi
exit_on_signals
# new files, which are not in the patches, if they differ: make compiles those with a changed time
rsync -rc "$repo/arch" "$tree/" || {
	echo "not ok - kunit: cannot copy the suite to $tree"
	exit 1
}

# 5.10's kunit.py runs User Mode Linux only, and 5.15's has no --qemu_args
if ! grep -q -e --qemu_args "$tree/tools/testing/kunit/kunit.py"; then
	echo "# kunit.py is that of $(basename "$(dirname "$tool")")"
	rm -rf "$tree/tools/testing/kunit"
	cp -r "$tool/tools/testing/kunit" "$tree/tools/testing/"
fi

for_kernels
kunit() (
	cd "$tree" || exit 1
	sub=$1
	shift
	PATH=$here/tcg:$PATH exec ./tools/testing/kunit/kunit.py "$sub" --arch=x86_64 "$@"
)

# build the guest's kernel with the suite
build() {
	obj=$tree/obj-kunit
	[ -d "$obj" ] || "$here/../../lab/objects.sh" "$tree/obj" "$obj" ||
		return 1
	# the file is written last, so that an interrupted run is repeated
	if [ ! -e "$obj/has-the-suite" ]; then
		# newer trees do not run the suite at boot without the second symbol
		sed -i '/MCE_GUEST_KUNIT_TEST/d; /KUNIT_AUTORUN_ENABLED/d' "$obj/.config" &&
			printf 'CONFIG_%s=y\n' MCE_GUEST_KUNIT_TEST KUNIT_AUTORUN_ENABLED \
				>>"$obj/.config" &&
			kmake "$tree" O=obj-kunit olddefconfig &&
			grep -x CONFIG_MCE_GUEST_KUNIT_TEST=y "$obj/.config" &&
			: >"$obj/has-the-suite" || return 1
	fi
	kmake "$tree" O=obj-kunit bzImage
}

# cases FILE: print "ok|not ok" and the name of each case in a kernel log, and why it was skipped
cases() {
	sed 's/^\[ *[0-9.]*\] //' "$1" | awk '
		/^ *# [a-z0-9_]+: skipped: / { reason = $0; sub(/.*skipped: /, "", reason) }
		/^         *ok .* # SKIP / { reason = $0; sub(/.*# SKIP /, "", reason) }
		/^    (not )?ok [0-9]+ / {
			verdict = $1 == "ok" ? "ok" : "not ok"
			sub(/^    (not )?ok [0-9]+ (- )?/, "")
			sub(/ # SKIP *$/, "")
			if (reason != "" && !/# SKIP/)
				$0 = $0 " # SKIP " reason
			print verdict "\t" $0
			reason = ""
		}'
}

echo "KTAP version 1"
rm -rf "$tree/obj-kunitconfig"
if ! kunit config --build_dir=obj-kunitconfig --kunitconfig=arch/x86/kernel/cpu/mce \
	>"$log/config.log" 2>&1; then
	result 'not ok' 'kunit: kunit.py takes .kunitconfig' "$log/config.log"
else
	result ok 'kunit: kunit.py takes .kunitconfig'
fi
rm -rf "$tree/obj-kunitconfig"
if ! build >"$log/build.log" 2>&1; then
	result 'not ok' 'kunit: build' "$log/build.log"
	exit 1
fi
if grep -q 'warning:' "$log/build.log"; then
	result 'not ok' 'kunit: build without a warning'
	grep 'warning:' "$log/build.log" | sed 's/^/# /'
else
	result ok 'kunit: build without a warning'
fi

for cpu in guest bare; do
	case $cpu in
	guest) flags='' is='a guest' ;;
	bare) flags=,-hypervisor is='bare metal' ;;
	esac
	rm -f "$tree/obj-kunit/test.log" "$log/$cpu".*
	# 1G mappings need the CPU flag, and a gigabyte without holes. no_timer_check: on a
	# busy machine, the emulated timer can be too late for the check at boot.
	kunit exec --build_dir=obj-kunit --timeout=120 --kernel_args="panic=-1 oops=panic no_timer_check" \
		--qemu_args="-cpu qemu64,+pdpe1gb$flags -m 3072" >"$log/$cpu.kunit" 2>&1 </dev/null
	status=$?
	cp "$tree/obj-kunit/test.log" "$log/$cpu.log"
	cases "$log/$cpu.log" >"$log/$cpu.cases"
	while IFS='	' read -r verdict name; do
		result "$verdict" "kunit, $cpu: $name"
	done <"$log/$cpu.cases"
	[ -s "$log/$cpu.cases" ] || result 'not ok' "kunit, $cpu: cases are run"
	if [ "$status" -ne 0 ]; then
		result 'not ok' "kunit, $cpu: all cases pass, by kunit.py's count"
		grep -E 'FAILED|Expected| == |ERROR|CRASH|BUG|RIP|panic' "$log/$cpu.kunit" |
			tail -n 40 | sed 's/^/# /'
		echo "# all of it: $log/$cpu.log"
	elif ! grep -q "# leave_in_guest: this is $is\$" "$log/$cpu.log"; then
		result 'not ok' "kunit, $cpu: the suite takes this for $is"
	elif [ "$(grep -c '# Subtest: mce_guest' "$log/$cpu.log")" -ne \
		"$(find "$repo/arch" -name 'mce_guest*_test.c' | wc -l)" ]; then
		result 'not ok' "kunit, $cpu: each mce_guest*_test.c is run"
	# 6.1 does not report a skipped parameter
	elif ! grep -q '# nospec_page_tables: pfn .* in a 1G mapping$' "$log/$cpu.log"; then
		result 'not ok' "kunit, $cpu: there is a page in a 1G mapping to test"
	fi
done
totals
