#!/bin/bash
# Unpacks Debian packages beside the system: `bash deploy/setup/unpack.sh FOLDER PACKAGE...`.
#
# For servers that can't be installed next to another that is here, as two mail servers can't. Nothing of them is set up or
# started, and none of their dependencies is fetched: those stand in debian-packages.
set -euo pipefail

folder=$1
shift
if ! command -v apt-get >/dev/null; then
    echo "Missing: $* (Debian's names), unpacked in $folder. This system has no apt-get to fetch them with." >&2
    exit 1
fi
fetched=$(mktemp -d)
trap 'rm -r "$fetched"' EXIT
cd "$fetched"

fetch() {
    # Fetched as whoever runs this: the folder is open to nobody else.
    apt-get -qq -o APT::Sandbox::User=root download "$@"
}

if ! fetch "$@" 2>/dev/null; then
    if [[ $EUID -eq 0 ]]; then
        apt-get -qq update
    fi
    fetch "$@"
fi
cd - >/dev/null
mkdir -p "$folder"
for each in "$fetched"/*.deb; do
    dpkg-deb --extract "$each" "$folder"
done
