#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh SERIES DIR
# Put the newest linux-source-SERIES that Debian has into DIR/unpatched and
# "PACKAGE VERSION SUITE" into DIR/source, which is written last.
#
# apt downloads and checks it, in a root of its own (DIR/apt): the machine's
# lists, cache and sources stay as they are; proxies and the like are taken
# over. Mirrors are those of the machine's apt, or MIRROR= and SECURITY_MIRROR=.
set -eu

series=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(dirname "$0")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
package=linux-source-$series

die() {
	echo "fetch: $*" >&2
	exit 1
}

row=$(awk -v series="$series" '!/^#/ && ($1 == series || $1 == "*") { print $2, $3; exit }' \
	"$here/suites")
mirror=${row% *}
suite=${row#* }

# The URI of Debian's archive (main or security) in the machine's own sources.
# apt knows who signed only what it has lists for; without lists the suite's
# name has to do, and the keyring below decides.
machines_mirror() {
	label=Debian
	pattern="^$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)$"
	if [ "$1" = security ]; then
		label=Debian-Security
		pattern='-security$'
	fi
	# shellcheck disable=SC2016 # what is expanded here is apt's
	{
		apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' |
			awk -v label="$label" '$2 == "Debian" && $3 == label { print $1 }'
		apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' |
			awk -v pattern="$pattern" '$2 ~ pattern { print $1 }'
	} | head -n 1
}

uri=${MIRROR:-$(machines_mirror main)}
name=MIRROR
if [ "$mirror" = security ]; then
	# mirrors that have it keep it beside the archive: debian, debian-security
	beside=${uri%/}${uri:+-security}
	uri=${SECURITY_MIRROR:-$(machines_mirror security)}
	uri=${uri:-$beside}
	name=SECURITY_MIRROR
fi
[ -n "$uri" ] || die "apt on this machine has no source for $suite: give its URI as $name="
[ -r "$keyring" ] || die "no $keyring: install debian-archive-keyring"

apt=$dir/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
echo "deb [signed-by=$keyring] $uri $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<EOF
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
// the user _apt need not be able to read this directory
APT::Sandbox::User "root";
// hooks of the machine have no business here
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF

apt-get -q -c "$apt/apt.conf" -o APT::Update::Error-Mode=any update ||
	die "cannot get a list of $suite that Debian signed: check the network," \
		"or give another mirror as $name="

version=$(apt-cache -c "$apt/apt.conf" madison "$package" | awk 'NR == 1 { print $3 }')
if [ -z "$version" ]; then
	# apt-cache's regexps: series are two numbers with a dot
	other=$(apt-cache -c "$apt/apt.conf" search --names-only '^linux-source-[0-9]+\.[0-9]+$' |
		sed 's/^linux-source-\([^ ]*\).*/\1/' | sort -V | tr '\n' ' ')
	die "$suite has no $package (any more?). It has: ${other:-none}. Try TREE= with one of these."
fi

cd "$apt/cache/archives"
rm -f -- *.deb
apt-get -q -c "$apt/apt.conf" download "$package=$version" ||
	die "download of $package $version failed: check the network, or run it again"

echo "unpacking $package $version"
rm -rf "$dir/unpack" "$dir/unpatched" "$dir/source"
mkdir "$dir/unpack"
cd "$dir/unpack"
dpkg-deb --extract "$apt"/cache/archives/*.deb .
tar -xf "usr/src/$package.tar.xz"
mv "$package" "$dir/unpatched"
cd "$dir"
rm -rf unpack apt/cache/archives/*.deb
echo "$package $version $suite" >source.new
mv source.new source
