#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# grading.sh DIR
# Compile the unchanged severity.c of DIR/unpatched and of DIR/patched into one
# user-space program. It grades, by both, every record that the rules distinguish.
# Prints KTAP; exit status 1 if grades differ that must be equal.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$1
out=$dir/grading
graded=
trap '[ -n "$graded" ] || echo "not ok - grading: cannot compile severity.c of $dir, see above"' EXIT
rm -rf "$out"
mkdir -p "$out"

# definition FUNCTION FILE...: print it, if there is one
definition() {
	name=$1
	shift
	awk -v start="^(static )?(noinstr )?(static )?(noinstr )?[a-z]+ (noinstr )?$name\\\\(" '
		$0 ~ start && !/;$/ { on = 1 }
		on { print }
		/^}/ { on = 0 }' "$@"
}

# side NAME: build NAME.o, with the only symbol grade_NAME, and NAME.constants.h
side() {
	arch=$dir/$1/arch/x86
	mce=$arch/kernel/cpu/mce
	{
		cat "$arch/include/uapi/asm/mce.h"
		sed -nE '/^#define[[:space:]]+(MC[GI]_|MCACOD|MCE_|MSR_AMD64_SMCA_|XEC\()/p' \
			"$arch/include/asm/mce.h"
		sed -nE '/^#define[[:space:]]+X86_VENDOR_/p' "$arch/include/asm/processor.h"
		sed -n '/^enum severity_level {/,/^};/p' "$mce/internal.h"
		if [ -e "$arch/include/asm/extable_fixup_types.h" ]; then
			sed -nE '/^#define[[:space:]]+EX_TYPE_[A-Z_]+[[:space:]]+[0-9]+/p' \
				"$arch/include/asm/extable_fixup_types.h"
		else
			sed -n '/^enum handler_type {/,/^};/p' "$arch/include/asm/extable.h"
		fi
		echo "#define AMD_NEEDS_POISON $(grep -c amd_mce_usable_address "$mce/core.c")"
		echo "#define AMD_BY_OVERFLOW $(grep -c mce_severity_amd_smca "$mce/severity.c")"
	} >"$out/$1.constants.h"
	{
		echo '#define GRADES_SIDE'
		echo "#include \"$1.constants.h\""
		echo '#include "kernel.h"'
		definition intel_mce_usable_address "$mce/intel.c"
		definition mce_usable_address "$mce/core.c"
		definition mce_read_aux "$mce/core.c"
		grep -v '^#include' "$mce/severity.c"
		echo 'int grade(struct mce *m, struct pt_regs *regs, char **msg, bool is_excp) {'
		# 5.10 chooses the function once, at boot
		if grep -q mcheck_vendor_init_severity "$mce/severity.c"; then
			echo 'mce_severity = mce_severity_intel; mcheck_vendor_init_severity();'
			echo 'return mce_severity(m, regs, 0, msg, is_excp); }'
		else
			echo 'return mce_severity(m, regs, msg, is_excp); }'
		fi
	} >"$out/$1.c"
	gcc -O2 -w -I "$here" -c -o "$out/$1.o" "$out/$1.c"
	objcopy --keep-global-symbol="grade_$1" --redefine-sym "grade=grade_$1" "$out/$1.o"
}

side unpatched
side patched
gcc -O2 -Wall -Wextra -Werror -I "$here" -include "$out/patched.constants.h" \
	-o "$out/grading" "$here/grading.c" "$out/unpatched.o" "$out/patched.o"
read -r _ version _ <"$dir/source"
graded=yes
"$out/grading" "$version"
