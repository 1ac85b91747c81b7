#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lock.sh PID
# Lock this directory for the process PID, a make: two at once would build the same files. If
# another make has the lock, print so and wait. The lock is released when PID ends. Exit status 1
# if build/ cannot be written.
set -eu

if ! mkdir -p build || ! [ -w build ]; then
	echo "lock.sh: cannot write $PWD/build: is the disk full, or is a permission missing?" >&2
	exit 1
fi
exec 9<.
# the lock of a make that has just ended lasts a moment longer
if ! flock -w 2 9; then
	echo "another make is at work in $PWD: waiting for it; Ctrl-C ends the wait" >&2
	flock 9
fi
# ends after make: a signal to the group must not end it first
trap '' INT TERM HUP
tail -s 0.2 --pid="$1" -f /dev/null >/dev/null 2>&1 &
