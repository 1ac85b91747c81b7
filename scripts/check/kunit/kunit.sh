#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kunit.sh TREE TOOL LOG
# Build the KUnit suite into the guest's kernel of TREE, a kernel tree with the patches that
# kernel.sh built, and have its own kunit.py, or that of the tree TOOL where its own
# knows no --qemu_args, run it as a guest and on bare metal, that is with the hypervisor bit of
# CPUID set and clear. What kunit.py would build takes ten times as long: plain.sh does it,
# and here .kunitconfig has to be one that kunit.py takes. Prints KTAP, one line a case. In
# the directory LOG are, afterwards, build.log, and for guest and bare: .log, what the
# kernel printed, .kunit, what kunit.py made of it, and .cases, verdict and name of each. Exit
# status 1 when a case fails or does not run.
set -u

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../../.." && pwd)
tree=$1
tool=$2
log=$3
number=0
failed=0

if ! { mkdir -p "$log" && log=$(cd "$log" && pwd) && tree=$(cd "$tree" && pwd); }; then
	echo "not ok - kunit: there is no $tree, or no way to write to $log"
	exit 1
fi
trap 'exit 130' INT
trap 'exit 143' TERM HUP

result() {
	number=$((number + 1))
	[ "$1" = ok ] || failed=$((failed + 1))
	echo "$1 $number $2"
}

# new files, which the patches do not have; a changed time has them compiled again
(cd "$repo" && find arch -type f) | while read -r file; do
	cmp -s "$repo/$file" "$tree/$file" ||
		cp --remove-destination "$repo/$file" "$tree/$file"
done

# 5.10's kunit.py runs User Mode Linux only, and 5.15's has no --qemu_args
if ! grep -q -e --qemu_args "$tree/tools/testing/kunit/kunit.py"; then
	echo "# kunit.py is that of $(basename "$(dirname "$tool")")"
	rm -rf "$tree/tools/testing/kunit"
	cp -r "$tool/tools/testing/kunit" "$tree/tools/testing/"
fi

cc=gcc
command -v ccache >/dev/null && cc='ccache gcc'
unset MAKEFLAGS MFLAGS MAKELEVEL
kunit() (
	cd "$tree" || exit 1
	sub=$1
	shift
	PATH=$here/tcg:$PATH exec ./tools/testing/kunit/kunit.py "$sub" --arch=x86_64 "$@"
)

# the guest's kernel and the suite, which is not in .kunitconfig alone
build() {
	obj=$tree/obj-kunit
	[ -d "$obj" ] || "$here/../../lab/objects.sh" "$tree/obj" "$obj" ||
		return 1
	# the file comes last, so that what was interrupted is done again
	if [ ! -e "$obj/has-the-suite" ]; then
		# newer trees do not run it by themselves without the other one
		sed -i '/MCE_GUEST_KUNIT_TEST/d; /KUNIT_AUTORUN_ENABLED/d' "$obj/.config" &&
			printf 'CONFIG_%s=y\n' MCE_GUEST_KUNIT_TEST KUNIT_AUTORUN_ENABLED \
				>>"$obj/.config" &&
			make -C "$tree" O=obj-kunit CC="$cc" olddefconfig &&
			grep -x CONFIG_MCE_GUEST_KUNIT_TEST=y "$obj/.config" &&
			: >"$obj/has-the-suite" || return 1
	fi
	make -C "$tree" O=obj-kunit CC="$cc" -j"$(nproc)" bzImage
}

# cases FILE: "ok|not ok" and the name of each case in a log of the kernel, with what
# was skipped of it
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
	result 'not ok' 'kunit: kunit.py takes .kunitconfig'
	tail -n 20 "$log/config.log" | sed 's/^/# /'
else
	result ok 'kunit: kunit.py takes .kunitconfig'
fi
rm -rf "$tree/obj-kunitconfig"
if ! build >"$log/build.log" 2>&1; then
	result 'not ok' 'kunit: build'
	tail -n 20 "$log/build.log" | sed 's/^/# /'
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
	# 1G mappings take the CPU flag, and a gigabyte without holes. On a busy machine,
	# the emulated timer can be late for the check of it at boot.
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
	elif ! grep -q 'grade_' "$log/$cpu.cases" || ! grep -q 'nospec_' "$log/$cpu.cases"; then
		result 'not ok' "kunit, $cpu: both suites are run"
	# 6.1 does not say when a parameter is skipped
	elif ! grep -q '# nospec_page_tables: pfn .* in a 1G mapping$' "$log/$cpu.log"; then
		result 'not ok' "kunit, $cpu: there is a page in a 1G mapping to test"
	fi
done
echo "1..$number"
[ "$failed" -eq 0 ]
