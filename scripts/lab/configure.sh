#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# configure.sh [-b CONFIG] TREE OBJ FRAGMENT...
# Configure the kernel TREE in TREE/OBJ: allnoconfig with the kernel's own tiny.config and each
# FRAGMENT (an absolute path). With -b, put the fragments over CONFIG, a whole configuration,
# and print their changes to it. Nothing is done if TREE/OBJ has this configuration and no
# Kconfig file is newer: a run of kconfig takes as long as compiling a patch. The last FRAGMENT
# with a symbol decides. Print each symbol that has no effect. If its line ends in "# where there
# is one", a symbol may be unknown to the Kconfig files of TREE.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../lib.sh"
base=
if [ "$1" = -b ]; then
	base=$(realpath "$2")
	shift 2
fi
tree=$(cd "$1" && pwd)
obj=$tree/$2
out=$2
shift 2

mkdir -p "$obj"
wanted=$obj/wanted.config
# Older trees have no tiny-base.config. The files of keys and certificates are not on this
# machine, and BTF needs another program.
if [ -n "$base" ]; then
	changed='SYSTEM_TRUSTED_KEYS|SYSTEM_REVOCATION_KEYS|MODULE_SIG_KEY|DEBUG_INFO_BTF'
	changed=$changed$(sed -n 's/^CONFIG_\([^=]*\)=.*/|\1/p' "$@" | tr -d '\n')
	grep -vE "^(# )?CONFIG_($changed)[= ]" "$base" >"$wanted.new"
	printf 'CONFIG_%s=""\n' SYSTEM_TRUSTED_KEYS SYSTEM_REVOCATION_KEYS >>"$wanted.new"
	echo '# CONFIG_DEBUG_INFO_BTF is not set' >>"$wanted.new"
else
	find "$tree/kernel/configs" "$tree/arch/x86/configs" -name 'tiny*.config' | sort |
		xargs cat >"$wanted.new"
fi
sed 's/ # where there is one$//' "$@" >>"$wanted.new"
# another compiler makes another configuration
echo "# $(gcc --version | head -n 1)" >>"$wanted.new"

if ! cmp -s "$wanted.new" "$wanted" || [ ! -e "$obj/.config" ] ||
	[ -n "$(find "$tree" -path "$tree/obj*" -prune -o -name 'Kconfig*' \
		-newer "$obj/.config" -print -quit)" ]; then
	rm -f "$wanted"
	if [ -n "$base" ]; then
		cp "$wanted.new" "$obj/.config"
		kmake "$tree" -s O="$out" olddefconfig >&2
		echo "the lab changes of $base:" >&2
		grep '^CONFIG_' "$wanted.new" | grep -Fxvf "$base" | grep -Fxf "$obj/.config" |
			sed 's/^/  /' >&2
	else
		kmake "$tree" -s O="$out" KCONFIG_ALLCONFIG="$wanted.new" allnoconfig >&2
	fi
fi
mv "$wanted.new" "$wanted"

last=$(awk '/^CONFIG_/ { last[substr($0, 1, index($0, "=") - 1)] = $0 }
	/^# CONFIG_[^ ]* is not set$/ { delete last[$2] }
	END { for (symbol in last) print last[symbol] }' "$@" | sort)
echo "$last" | while read -r line; do
	symbol=${line%% *}
	! grep -Fxq "$symbol" "$obj/.config" || continue
	name=${symbol%%=*}
	[ "$line" = "$symbol" ] || (cd "$tree" && grep -rqx --include='Kconfig*' \
		"config ${name#CONFIG_}" arch/x86 crypto drivers fs lib) || continue
	echo "$symbol"
done
