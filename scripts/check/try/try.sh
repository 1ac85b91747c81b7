#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# try.sh KERNEL [CONFIG [BACKEND]]
# Is this kernel affected? KERNEL is a bzImage, or the name of a Debian package that has one
# (see fetch.sh image). Run it unchanged in each scenario of the table "rows" and print what
# happened. The last line is one of
#
#   affected: ...			exit status 1
#   not affected by what ...: ...	exit status 0
#   cannot tell: ...			exit status 2, as for any error
#
# CONFIG is the kernel's configuration, if it is neither in the image, nor beside it, nor in
# the package. BACKEND is q35 by default, which takes seconds. tcg, amd, bochs and kvm add
# their scenarios in L1, and build L1's kernel if necessary.
# (make exits with 2 if the status is not 0.)
set -u

kernel=${1:-}
config=${2:-}
backend=${3:-q35}
cd "$(dirname "$0")/../../.." || exit 2
here=scripts/check/try
selftest=tools/testing/selftests/mce
build=$PWD/build

die() {
	echo "try: $*" >&2
	exit 2
}

# cannot REASON: the kernel cannot be tried
cannot() {
	echo "cannot tell: $*"
	exit 2
}

case $backend in
q35 | tcg | amd | bochs | kvm) ;;
*) die "no backend $backend: it is one of q35, tcg, amd, bochs, kvm" ;;
esac
[ -n "$kernel" ] || die "KERNEL= is empty: give a file (/boot/vmlinuz-6.1.0-50-amd64)" \
	"or a Debian package (linux-image-6.1.0-50-amd64)"
[ -z "$config" ] || [ -r "$config" ] || die "CONFIG=$config cannot be read"
if [ -z "${BUILD_LOCKED:-}" ]; then
	scripts/build/lock.sh $$ || exit 2
	export BUILD_LOCKED=yes
fi
# CONFIG is that of KERNEL, not of what is built here
make --no-print-directory -s CONFIG= try-programs || exit 2

# ---- the kernel, in $dir/image

[ ! -d "$kernel" ] || die "$kernel is a directory: give the bzImage in it"
if [ -f "$kernel" ]; then
	[ -r "$kernel" ] || die "$kernel cannot be read by $(id -un)"
	image=$kernel
	dir=$build/try/$(basename "$kernel")-$(cksum <"$kernel" | cut -d ' ' -f 1)
else
	case $kernel in
	*/* | *[!a-z0-9.+~-]* | *-dbg) package= ;;
	linux-image-*amd64* | linux-image-[0-9]*.*[0-9]) package=$kernel ;;
	*) package= ;;
	esac
	[ -n "$package" ] || die "$kernel is neither a file nor the name of a package with a kernel" \
		"for amd64 (linux-image-6.1.0-50-amd64)"
	dir=$build/try/$package
	image=$dir/image
	# look again for what may not be the newest
	if [ ! -s "$dir/source" ] || [ -e "$dir/note" ]; then
		rm -rf "$dir"
		scripts/build/step.sh "$build/log/try-$package.log" "fetch $package" \
			scripts/fetch/fetch.sh image "$package" "$dir" &
		fetch=$!
		trap 'kill "$fetch"; wait "$fetch"; rm -rf "$dir"; exit 143' INT TERM HUP
		wait "$fetch" || {
			rm -rf "$dir"
			exit 2
		}
		trap - INT TERM HUP
	fi
	[ ! -e "$dir/note" ] || cat "$dir/note"
fi
version=$($here/image.py version "$image" 2>&1) || cannot "$version"
version=${version%% *}
where=CONFIG=$config
if [ -f "$kernel" ]; then
	{ mkdir -p "$dir" && cp "$kernel" "$dir/image" &&
		echo "$kernel $version file" >"$dir/source"; } || die "cannot write $dir: is the disk full?"
	inside="in the image"
	$here/image.py config "$kernel" >"$dir/config" 2>"$dir/no-config"
	case $? in
	1) : >"$dir/config" ;;
	2) cannot "$(cat "$dir/no-config")" ;;
	esac
	beside=$(dirname "$(realpath "$kernel")")
	set -- "$dir/config" "$(dirname "$kernel")/config-$version" "$beside/config-$version"
	case $(realpath "$kernel") in
	*/bzImage) set -- "$@" "$beside/../../../.config" ;;
	*/modules/*/vmlinuz) set -- "$@" "$beside/config" ;;
	esac
else
	inside="in the package"
	set -- "$dir/config"
fi
for file; do
	{ [ -z "$config" ] && [ -s "$file" ] && [ -r "$file" ]; } || continue
	config=$file
	where=$file
	[ "$file" != "$dir/config" ] || where=$inside
done
series=$(echo "$version" | sed -n 's/^\([0-9]\+\.[0-9]\+\).*/\1/p')
echo "Linux $version, $(cut -d ' ' -f 1,2 "$dir/source")"
if [ -n "$config" ]; then
	echo "configuration: $where"
	grep -qx 'CONFIG_X86_64=y' "$config" ||
		die "$config is not the configuration of an x86_64 kernel: it has no line CONFIG_X86_64=y"
	of=$(sed -n 's|^# Linux/x86.* \([0-9][^ ]*\) Kernel Configuration$|\1|p' "$config")
	case $version in
	"${of:-$version}" | "$of"[!0-9]*) ;;
	"${of%.*}"[!0-9]*) ;;
	*) die "$config is the configuration of $of, but the kernel is $version" ;;
	esac
else
	echo "configuration: none, $(sed 's/^[^:]*: //' "$dir/no-config" 2>/dev/null);" \
		"CONFIG= can name it. What the kernel lacks shows only when it is run"
fi

# ---- the scenarios that it can run

# lacks SYMBOL...: print those that are not built in
lacks() {
	[ -n "$config" ] || return 0
	for symbol; do
		grep -qx "CONFIG_$symbol=y" "$config" || printf ' CONFIG_%s' "$symbol"
	done
}

rows=$($selftest/run.py -n -b scripts/lab "$series") || exit 2
scenarios=$(echo "$rows" | awk -v backends=" q35 $backend $([ "$backend" != kvm ] || echo tcg) " '
	index(backends, " " $3 " ") { print $1 }')
run=
skipped=
while read -r scenario symbols; do
	# shellcheck disable=SC2086 # words
	missing=$(lacks $symbols)
	case "$scenario $missing " in
	"all "*" CONFIG_X86_MCE "*)
		cannot "without CONFIG_X86_MCE no machine check is handled: any uncorrected memory" \
			"error ends such a guest, with the change or without"
		;;
	"all "*" CONFIG_MEMORY_FAILURE "*)
		cannot "without CONFIG_MEMORY_FAILURE no page goes offline, and set_mce_nospec() is" \
			"not called: an uncorrected memory error kills the process or the guest"
		;;
	"all "*[!\ ]*) cannot "the kernel lacks symbols that this lab needs built in:$missing" ;;
	'# '* | "all "*) continue ;;
	esac
	echo "$scenarios" | grep -Fxq -e "$scenario" || continue
	if [ -n "$missing" ]; then
		skipped="$skipped$(printf '%-14s skipped, the kernel lacks%s' "$scenario" "$missing")
"
	else
		run="$run $scenario"
	fi
done <$here/rows
[ -n "$run" ] || cannot "${skipped%?}"
[ "$backend" = q35 ] || make --no-print-directory -s CONFIG= lab || exit 2

# ---- run

{
	cp "$dir/image" "$dir/tried.bzImage" &&
		cpio -o -H newc --quiet </dev/null >"$dir/tried.hook.cpio"
} || die "cannot write $dir: is the disk full?"
[ "$backend" = kvm ] || backend=tcg
logs=$dir/logs
# shellcheck disable=SC2086 # words
BACKEND=$backend setpriv --pdeathsig TERM $selftest/run.py -k tried -b scripts/lab "$build/lab" "$dir" "$logs" "$series" $run \
	>"$dir/out" 2>&1 || {
	cat "$dir/out" >&2
	exit 2
}
exec scripts/measure/report/results.py tried "$logs" "$skipped"
