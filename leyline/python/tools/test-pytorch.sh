#!/bin/sh
# Tests the Python package beside a real PyTorch and a real plane: make test-pytorch.
#
#   test-pytorch.sh [PART...]     the parts of test_pytorch.py; without one, all tests
#
# TORCH_PYTHON names a Python that has torch 2.8 or later. Without it the machine's own
# python3 is taken where it has one, else PyTorch is unpacked from Debian into
# data/pytorch (340 MB to fetch once); where it cannot be had, or does not run, the exit
# code is 69. What the plane must refuse is PyTorch 1.13 of Debian 12, which goes into
# data/pytorch-1.13 (260 MB).
set -eu
cd "$(dirname "$0")/../../.."
tools=leyline/python/tools
driver=$tools/test_pytorch.py
unpacked=$tools/debian-torch.sh
skipped=

# suits reports whether a Python has a PyTorch that the bridge supports.
suits() {
	"$1" -c 'import sys, torch; sys.exit(tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 8))' 2>/dev/null
}

# The part with the old PyTorch, which has a tree of its own, belongs to the run of all.
old=
test $# -gt 0 || old=yes
named=$#
for part; do
	shift
	case $part in
	baseline) old=yes ;;
	*) set -- "$@" "$part" ;;
	esac
done
new=yes
test "$named" -eq 0 || test $# -gt 0 || new=

mkdir -p data
if test -z "$new"; then
	python=
elif test -n "${TORCH_PYTHON:-}"; then
	suits "$TORCH_PYTHON" || { echo "test-pytorch: TORCH_PYTHON=$TORCH_PYTHON has no torch 2.8 or later" >&2; exit 1; }
	python=$TORCH_PYTHON
elif command -v python3 >/dev/null && suits python3; then
	python=python3
else
	python=
	"$unpacked" get data/pytorch unstable python3-torch python3-numpy g++ libtorch-dev dash coreutils openssl || exit 69
	"$unpacked" run data/pytorch . /usr/bin/python3 -c 'import torch' || { echo "test-pytorch: what was unpacked does not run on this machine" >&2; exit 69; }
fi

CGO_ENABLED=0 "${GO:-go}" build -o data/pytorch-esper ./cmd/esper
if test -z "$new"; then
	:
elif test -n "$python"; then
	"$python" "$driver" --repository . "$@"
else
	"$unpacked" run data/pytorch . /usr/bin/python3 /esper/"$driver" --repository /esper "$@"
fi

if test -n "$old"; then
	if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
		"$unpacked" get data/pytorch-1.13 bookworm python3-torch python3-numpy
		"$unpacked" run data/pytorch-1.13 . /usr/bin/python3 /esper/"$driver" --repository /esper baseline
	else
		skipped="that PyTorch 1.13 is refused (no apt-get and dpkg here to get it with)"
	fi
fi
if test -n "$skipped"; then
	echo "== SKIPPED: $skipped"
fi
