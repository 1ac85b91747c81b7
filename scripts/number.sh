#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# number.sh NAME LEAST VALUE
# Whether VALUE, which the user gave as NAME=, is a number from LEAST to 999999; if not,
# prints an error, with exit status 2.
case $3 in
'' | *[!0-9]* | 0?* | ???????*) ;;
*) [ "$3" -lt "$2" ] || exit 0 ;;
esac
echo "$1=$3 is not a number from $2 to 999999" >&2
exit 2
