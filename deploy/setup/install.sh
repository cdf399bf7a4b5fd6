#!/bin/bash
# Installs what is missing of the named sets of debian-packages: `bash deploy/setup/install.sh SET...`.
#
# Touches nothing and asks no network where all is there. Installs only as root on a Debian system; elsewhere it says what
# to install and fails. Servers that come with a package are not started and get no configuration of their own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Prints the packages of the given sets whose command fails.
missing() {
    local wanted=" $* " set package probe
    while read -r set package probe; do
        if [[ -n $set && $set != \#* && $wanted == *" $set "* ]] && ! bash -c "$probe" >/dev/null 2>&1; then
            echo "$package"
        fi
    done < "$here/debian-packages"
}

install_packages() {
    local policy=/usr/sbin/policy-rc.d
    export DEBIAN_FRONTEND=noninteractive
    if [[ ! -e $policy ]]; then
        # Debian's way to say that a package's service is not to be started.
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    debconf-set-selections <<< "postfix postfix/main_mailer_type select No configuration"
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends "$@"
}

mapfile -t packages < <(missing "$@")
if ((${#packages[@]} == 0)); then
    exit 0
fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "Missing: ${packages[*]} (Debian's names). Install them, as root: apt-get install ${packages[*]}" >&2
    exit 1
fi
echo "Installing ${packages[*]}"
install_packages "${packages[@]}"
mapfile -t packages < <(missing "$@")
if ((${#packages[@]} > 0)); then
    echo "Installed, yet still not usable: ${packages[*]}" >&2
    exit 1
fi
