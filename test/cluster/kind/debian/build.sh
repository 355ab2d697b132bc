#!/bin/bash
# build.sh FOLDER: makes FOLDER/debian.tar, the root of Debian's smallest system with the packages beside this script.
set -euo pipefail
folder=$1 source=$(cd "$(dirname "$0")" && pwd)
packages=$(grep -v '^#' "$source/packages" | paste -sd,)
# The machine's own mirror, where its apt has one for this release.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null |
  head -n 1 || true)
debootstrap --variant=minbase --include="$packages" bookworm "$folder/root" $mirror
cd "$folder/root"
rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,locale}/* dev/* usr/bin/containerd-stress
tar --numeric-owner --sort=name --mtime=@0 -cf ../debian.tar .
rm -rf "$folder/root"
