#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# commit.sh: which version of this repository results are of, as one word
git -C "$(dirname "$0")" describe --always --dirty --abbrev=12 --match= 2>/dev/null || echo unknown
