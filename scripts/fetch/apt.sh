# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # apt is the caller's
# Functions, to be sourced after lib.sh, for apt in a separate root: the machine's lists, cache
# and sources do not change. Its other settings, such as proxies, apply.

# Print the URI of Debian's archive (main or security) in the machine's own sources.
# apt can verify an archive only if it has lists of it. Without lists, the suite's
# name selects one, and the keyring below verifies it.
machines_mirror() {
	label=Debian
	pattern="^$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)$"
	if [ "$1" = security ]; then
		label=Debian-Security
		pattern='-security$'
	fi
	# shellcheck disable=SC2016 # apt expands these
	{
		apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' |
			awk -v label="$label" '$2 == "Debian" && $3 == label { print $1 }'
		apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' |
			awk -v pattern="$pattern" '$2 ~ pattern { print $1 }'
	} | head -n 1
}

# apt_root MIRROR SUITE: make the root in the directory $apt, with the lists of
# SUITE on MIRROR (main or security). MIRROR= and SECURITY_MIRROR= or the machine's
# apt give the URI. Use it as apt-get -c "$apt/apt.conf".
apt_root() {
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	uri=${MIRROR:-$(machines_mirror main)}
	name=MIRROR
	if [ "$1" = security ]; then
		# mirrors have it beside the archive: debian, debian-security
		beside=${uri%/}${uri:+-security}
		uri=${SECURITY_MIRROR:-$(machines_mirror security)}
		uri=${uri:-$beside}
		name=SECURITY_MIRROR
	fi
	[ -n "$uri" ] || die "apt on this machine has no source for $2: give its URI as $name="
	[ -r "$keyring" ] || die "no $keyring: install debian-archive-keyring"

	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $uri $2 main" >"$apt/sources.list"
	cat >"$apt/apt.conf" <<EOF_CONF
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
APT::Update::Error-Mode "any";
// the user _apt may not be able to read this directory
APT::Sandbox::User "root";
// no hooks of the machine
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF_CONF

	in_root apt-get update ||
		die "cannot get a list of $2 that Debian signed: check the network," \
			"or give another mirror as $name="
}

# in_root PROGRAM ARGUMENT...: run a program of apt in the root
in_root() {
	program=$1
	shift
	"$program" -q -c "$apt/apt.conf" "$@"
}

# newest PACKAGE: print its newest version in the root's suite, if any
newest() {
	in_root apt-cache madison "$1" | awk 'NR == 1 { print $3 }'
}

# with_sources: add source packages to the root
with_sources() {
	sed -i '/^deb-src /d; p; s/^deb /deb-src /' "$apt/sources.list"
	in_root apt-get update ||
		die "cannot get a list of source packages that Debian signed: check the network," \
			"or remove ${apt%/*} to start again with another mirror"
}

# source_of LINUX-PACKAGE VERSION: print its source package
source_of() {
	in_root apt-cache show "$1=$2" |
		awk '$1 == "Source:" { name = $2 } END { print name ? name : "linux" }'
}

# source_versions SOURCE SERIES: print all versions in the root's suite, newest first
source_versions() {
	in_root apt-cache showsrc --only-source "$1" |
		sed -n "s/^Version: \($2\..*\)/\1/p" | sort -rVu
}

# source_package SOURCE VERSIONS OPTION...: download the first of VERSIONS that the mirror has
# to the current directory. A mirror may list versions that it does not have.
source_package() {
	name=$1
	versions=$2
	shift 2
	for candidate in $versions; do
		! in_root apt-get source --download-only "$@" "$name=$candidate" || return 0
	done
	return 1
}

# unpack PACKAGE VERSION DIR: download, verify and extract it to DIR
unpack() {
	rm -f -- "$apt"/cache/archives/*.deb
	(cd "$apt/cache/archives" && in_root apt-get download "$1=$2") ||
		die "download of $1 $2 failed: check the network, or run it again"
	echo "unpacking $1 $2"
	rm -rf "$3"
	mkdir "$3"
	dpkg-deb --extract "$apt"/cache/archives/*.deb "$3"
	rm -f -- "$apt"/cache/archives/*.deb
}
