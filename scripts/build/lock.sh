#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lock.sh PID
# Return when the process PID, a make, is the only one at work in this directory: two at once
# would build the same files. Until then, wait, and say so. PID has the lock, of the directory
# itself, until it ends in whatever way. Exit status 1 when build/ cannot be written.
set -eu

if ! mkdir -p build || ! [ -w build ]; then
	echo "lock.sh: cannot write $PWD/build: is the disk full, or not yours to write?" >&2
	exit 1
fi
exec 9<.
# that of one that has just ended is still there for a moment
if ! flock -w 2 9; then
	echo "another make is at work in $PWD: waiting for it; Ctrl-C ends the wait" >&2
	flock 9
fi
# what ends make is not to end this before
trap '' INT TERM HUP
tail -s 0.2 --pid="$1" -f /dev/null >/dev/null 2>&1 &
