#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# commit.sh: which version of this repository results are of, as one word: the last commit that
# changed more than pages in Markdown, and whether more has changed since. No result depends
# on these pages, and one of them has the results.
cd "$(dirname "$0")/.." || exit 1
commit=$(git log -1 --format=%h --abbrev=12 -- . ':!*.md' 2>/dev/null)
git diff --quiet HEAD -- . ':!*.md' 2>/dev/null || commit=${commit:+$commit-dirty}
echo "${commit:-unknown}"
