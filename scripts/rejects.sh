#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# rejects.sh PATCH
# Which hunks of which files of PATCH the kernel tree in the current directory does
# not take, one a line. Changes nothing. Nothing is printed when it takes all.
LC_ALL=C patch --dry-run --batch --forward -p1 -F0 -i "$1" | awk '
	/^(checking|patching) file / { file = $3 }
	/^can.t find file|^The next patch would/ { print "  " $0 }
	/^Hunk #[0-9]+ (FAILED|ignored)/ { print "  " file ": " $0 }'
