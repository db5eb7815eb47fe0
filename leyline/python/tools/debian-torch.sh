#!/bin/sh
# Unpacks PyTorch of Debian into a folder and runs a command in it. Nothing of the
# machine is changed, and no root is needed where user namespaces are there.
#
#   debian-torch.sh get TREE SUITE PACKAGE...    unpack TREE, unless it is whole already
#   debian-torch.sh check TREE                   hold every file against its checksum
#   debian-torch.sh run TREE REPOSITORY COMMAND...
#       run COMMAND with TREE as its root and REPOSITORY at /esper in it
#
# The mirror is that of the machine's own apt sources, with another suite;
# DEBIAN_MIRROR names one where there is none. KEYRING names the keys that the
# archive is signed with. A get that was cut short goes on where it was: what apt
# has fetched stays in TREE.apt until the tree is whole, and TREE itself appears by
# one rename.
set -eu

KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

die() {
	echo "debian-torch: $*" >&2
	exit 1
}

need() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null || die "needs $tool, which is not here; on a machine without apt and dpkg, name a Python that has torch 2.8 or later: TORCH_PYTHON=..."
	done
}

# mirrors lists the archives of the machine's sources, one a line, as apt reads them.
mirrors() {
	if test -n "${DEBIAN_MIRROR:-}"; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*\)/dists/[^/]*/InRelease'.*|\1|p" | grep -v -e security | sort -u
}

# apt_in runs apt-get on folders of its own.
apt_in() {
	own=$1
	shift
	apt-get -o Dir::Etc::SourceList="$own/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$own/state" -o Dir::State::status="$own/status" -o Dir::Cache="$own/cache" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User= -o APT::Architecture="$(dpkg --print-architecture)" \
		-o APT::Update::Post-Invoke::=true -o Acquire::Retries=3 "$@"
}

# fetch brings the packages and all that they depend on into the cache.
fetch() {
	apt=$1 suite=$2
	shift 2
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	log=$apt/log
	found=
	for mirror in $(mirrors); do
		echo "deb [signed-by=$KEYRING] $mirror $suite main" >"$apt/sources.list"
		if apt_in "$apt" update >"$log" 2>&1 && apt_in "$apt" --print-uris install --no-install-recommends -y "$@" >>"$log" 2>&1; then
			found=$mirror
			break
		fi
	done
	test -n "$found" || die "no archive of this machine's apt sources has $* in the suite $suite (see $log); name one: DEBIAN_MIRROR=..."
	echo "debian-torch: fetching $* of $suite"
	apt_in "$apt" install --no-install-recommends -y --download-only "$@" >>"$log" 2>&1 || die "apt could not fetch $* (see $log); run it again, it goes on where it was"
}

# unpack puts every package of the cache into a tree and writes down their checksums.
unpack() {
	into=$2
	rm -rf "$into"
	mkdir -p "$into/usr/bin" "$into/usr/sbin" "$into/usr/lib" "$into/usr/lib64" \
		"$into/dev" "$into/proc" "$into/tmp" "$into/esper" "$into/etc"
	for d in bin sbin lib lib64; do
		ln -s "usr/$d" "$into/$d"
	done
	for deb in "$1"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$into" --no-same-owner --keep-directory-symlink
		dpkg-deb --ctrl-tarfile "$deb" | tar -x -O ./md5sums 2>/dev/null >>"$into/.sums.all" || true
	done
	chosen "$into"
	sort -u "$into/.sums.all" >"$into/.sums"
	rm "$into/.sums.all"
}

# chosen makes the links that maintainer scripts would have made.
chosen() {
	for lib in blas lapack; do
		for found in "$1"/usr/lib/*/$lib/lib$lib.so.3; do
			test -e "$found" || die "no lib$lib.so.3 was unpacked"
			ln -sf "$lib/lib$lib.so.3" "$(dirname "$(dirname "$found")")/lib$lib.so.3"
		done
	done
	test -e "$1/usr/bin/sh" || ! test -e "$1/usr/bin/dash" || ln -s dash "$1/usr/bin/sh"
	echo "root:x:0:0:root:/tmp:/bin/sh" >"$1/etc/passwd"
	echo "root:x:0:" >"$1/etc/group"
	echo "127.0.0.1 localhost" >"$1/etc/hosts"
}

whole() {
	test -s "$1/.sums" && (cd "$1" && md5sum --check --quiet --strict .sums)
}

get() {
	tree=$1 suite=$2
	shift 2
	need apt-get dpkg dpkg-deb tar md5sum
	test -r "$KEYRING" || die "the keys of the archive are not at $KEYRING; install debian-archive-keyring or set KEYRING"
	if test -e "$tree"; then
		if whole "$tree" && test "$(cat "$tree/.wanted" 2>/dev/null)" = "$suite $*"; then
			return
		fi
		echo "debian-torch: $tree is not whole, or not of what is wanted now, and is unpacked anew" >&2
	fi
	mkdir -p "$tree.apt"
	apt=$(cd "$tree.apt" && pwd)
	fetch "$apt" "$suite" "$@"
	echo "debian-torch: unpacking $(ls "$apt"/cache/archives/*.deb | wc -l) packages into $tree"
	unpack "$apt" "$tree.new"
	whole "$tree.new" || die "what was unpacked is not what the packages say"
	echo "$suite $*" >"$tree.new/.wanted"
	rm -rf "$tree"
	mv "$tree.new" "$tree"
	rm -rf "$apt"
}

# inside mounts what a process needs and changes the root. It runs in a mount
# namespace of its own, so that nothing stays mounted.
INSIDE='
set -eu
tree=$1 repository=$2
shift 2
mount --rbind /dev "$tree/dev"
mount --rbind /proc "$tree/proc"
mount --bind "$repository" "$tree/esper"
exec chroot "$tree" "$@"
'

run() {
	tree=$(cd "$1" && pwd) repository=$(cd "$2" && pwd)
	shift 2
	need unshare chroot mount
	own=--mount
	test "$(id -u)" = 0 || own="--user --map-root-user --mount"
	# shellcheck disable=SC2086 # several words
	unshare $own true 2>/dev/null ||
		die "$(id -un) may not make namespaces on this machine (unshare $own); run it as root of a machine of your own, or name a Python that has torch 2.8 or later: TORCH_PYTHON=..."
	# shellcheck disable=SC2086
	set -- unshare $own --propagation private sh -c "$INSIDE" inside "$tree" "$repository" "$@"
	exec env -i LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp \
		OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" PYTHONPYCACHEPREFIX=/tmp/pycache "$@"
}

what=${1:-}
test $# -gt 0 && shift
case $what in
get) get "$@" ;;
check) whole "$1" ;;
run) run "$@" ;;
*) die "want get, check or run" ;;
esac
