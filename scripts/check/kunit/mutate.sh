#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mutate.sh SERIES DIR TOOL [NAME]
# Break the kernel tree DIR/patched of SERIES in each way that the table `mutations` lists for
# it, or only in the way NAME. The KUnit suite must fail in the case that the table names.
# TOOL is as for kunit.sh. Prints KTAP; exit status 1 if a mutant survives, 2 if there is no
# such mutation.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../../lib.sh"
series=$1
dir=$(cd "$2" && pwd) || exit 1
tool=$3
name=${4:-}
tree=$dir/mutant
log=$dir/kunit-mutant
trap 'rm -rf "$tree"' EXIT
exit_on_signals

# the rows for this tree: name, file, where, case, script
mutations=$(awk -F '\t' -v series="$series" -v name="$name" -v OFS='\t' '
	/^#/ || !NF { next }
	$2 != "all" && index("," $2 ",", "," series ",") == 0 { next }
	name == "" || $1 == name {
		print $1, $3 ~ /\// ? $3 : "arch/x86/kernel/cpu/mce/" $3, $4, $5, $6
	}' "$here/mutations")
if [ -z "$mutations" ]; then
	echo "no mutation $name for $series. There are: $(grep -v -e '^#' -e '^$' "$here/mutations" |
		cut -f 1 | uniq | tr '\n' ' ')" >&2
	exit 2
fi

# suite: run it, with its results in $log
suite() {
	rm -rf "$log"
	mkdir -p "$log"
	"$here/kunit.sh" "$tree" "$tool" "$log" >"$log/ktap"
}

# noticed CPU CASE: return whether CASE failed, or the run ended in it
noticed() {
	[ -e "$log/$1.cases" ] && grep -q "^not ok [0-9]* kunit, $1: " "$log/ktap" || return
	if grep -qx "\(not \)\?ok	$2\( .*\)\?" "$log/$1.cases"; then
		grep -qx "not ok	$2" "$log/$1.cases"
	else
		# the case that follows the last one in an unbroken run
		sed "1,$(wc -l <"$log/$1.cases")d" "$tree/$1.cases" | head -n 1 |
			grep -qx "ok	$2\( .*\)\?"
	fi
}

# reuse objects
if ! "$here/../../build/apply.sh" "$dir/patched" "$tree" >/dev/null; then
	echo "not ok - mutate: cannot copy $dir/patched"
	exit 1
fi
obj="obj-kunit"
[ -d "$dir/patched/$obj" ] || obj=obj
"$here/../../lab/objects.sh" "$dir/patched/$obj" "$tree/$obj"

echo "KTAP version 1"
if ! suite; then
	grep -v '^ok ' "$log/ktap" >"$log/failed"
	result 'not ok' "nothing broken: the suite passes" "$log/failed"
	exit 1
fi
result ok "nothing broken: the suite passes"
cp "$log/guest.cases" "$log/bare.cases" "$tree/"

while IFS='	' read -r id file where case script; do
	label="$id: $case ($where)"
	sed -i "$script" "$tree/$file"
	if cmp -s "$tree/$file" "$dir/patched/$file"; then
		result 'not ok' "$label # changes nothing in $file"
		continue
	fi
	suite
	verdict=ok
	for cpu in $(echo "$where" | sed 's/both/guest bare/'); do
		noticed "$cpu" "$case" || verdict='not ok'
	done
	result "$verdict" "$label"
	if [ "$verdict" != ok ]; then
		diff "$dir/patched/$file" "$tree/$file" | sed 's/^/# /'
		grep -A 20 '^not ok' "$log/ktap" | sed 's/^/# /'
	fi
	# with a new time, so that it is compiled again
	rm "$tree/$file"
	cp "$dir/patched/$file" "$tree/$file"
done <<END
$mutations
END
totals
