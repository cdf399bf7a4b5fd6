#!/bin/bash
# Installs the sensor as a service on Debian (12 or newer), or takes it away again. Doing it twice does no harm; settings and state
# that are there are left as they are.
#
#   bash deploy/install.sh [--interface NAME]... [--internal-domain DOMAIN]... [--wheel FILE] [--no-start] [--dry-run]
#   bash deploy/install.sh --uninstall [--purge] [--dry-run]
#
#   --interface, --internal-domain   go into the settings, if there are none yet
#   --wheel FILE     a wheel that was built elsewhere; without it this checkout is built, which takes Rust
#   --no-start       install, and start nothing
#   --dry-run        print what would be done
#   --purge          with --uninstall: settings, state and user too
#   --destdir DIR    put files below DIR and touch nothing else: for packages and tests
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_folder=$(dirname "$here")
prefix=/opt/mailsensor
interfaces=() domains=() wheel='' destdir='' dry_run='' start=yes action=install purge=''
# Not one of root's own: the service runs as another user.
python=${PYTHON:-/usr/bin/python3}
# What is installed is for everybody to read, whatever root's own habit is.
umask 022

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while (($#)); do
    case $1 in
        --interface) interfaces+=("${2:?--interface needs a name}"); shift ;;
        --internal-domain) domains+=("${2:?--internal-domain needs a domain}"); shift ;;
        --wheel) wheel=$(realpath -e "${2:?--wheel needs a file}"); shift ;;
        --destdir) destdir=$(realpath -m "${2:?--destdir needs a folder}"); start=; shift ;;
        --no-start) start= ;;
        --dry-run) dry_run=yes ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        -h | --help) usage; exit ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
done

# Runs a command, or prints it.
run() {
    if [[ $dry_run ]]; then
        printf '%q ' "$@"; echo
    else
        "$@"
    fi
}

# Of systemd there may be none (a container, a chroot): then its files are put in place for when there is.
has_systemd() {
    [[ ! $destdir && -d /run/systemd/system ]]
}

packages() {
    local missing=()
    [[ $destdir ]] && return
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || fail "missing: ${missing[*]} (Debian's names)"
    run apt-get -qq update
    run apt-get -qq install --yes --no-install-recommends "${missing[@]}"
}

check_python() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        [[ $dry_run ]] || fail "$python is not there or older than 3.11; name another: PYTHON=/usr/bin/python3.12 $0"
}

# Builds the wheel of this checkout into a folder of its own, by a virtual environment of its own.
build_wheel() {
    local folder
    bash "$here/setup/check_rust.sh" || fail "build the wheel where Rust is, and name it with --wheel"
    run rm -rf "$source_folder/.build/wheel"
    run mkdir -p "$source_folder/.build/wheel"
    folder=$source_folder/.build/wheel
    run "$python" -m venv "$folder/venv"
    run "$folder/venv/bin/pip" --quiet install --constraint "$here/setup/constraints.txt" maturin
    run env -C "$source_folder" "$folder/venv/bin/maturin" build --quiet --release --locked --out "$folder"
    if [[ $dry_run ]]; then
        wheel=$folder/mailflow_sensor.whl
    else
        wheel=$(find "$folder" -maxdepth 1 -name '*.whl' -print -quit)
    fi
}

program() {
    run install -d -m 0755 "$destdir$prefix" "$destdir$prefix/share"
    [[ -x $destdir$prefix/bin/python ]] || run "$python" -m venv "$destdir$prefix"
    run "$destdir$prefix/bin/python" -m pip --quiet install --upgrade --constraint "$here/setup/constraints.txt" "$wheel"
    # The same version built anew is another program all the same.
    run "$destdir$prefix/bin/python" -m pip --quiet install --force-reinstall --no-deps "$wheel"
    run rm -rf "$destdir$prefix/share/docs"
    run cp -r "$source_folder/docs" "$destdir$prefix/share/docs"
    run install -d -m 0755 "$destdir/usr/local/bin"
    run ln -sf "$prefix/bin/mailsensor" "$destdir/usr/local/bin/mailsensor"
}

user() {
    [[ $destdir ]] && return
    getent passwd mailsensor >/dev/null && return
    run useradd --system --user-group --no-create-home --home-dir /var/lib/mailsensor --shell /usr/sbin/nologin \
        --comment "Mailflow Sensor" mailsensor
}

# In TOML: "a", "b"
listed() {
    local out='' each
    for each in "$@"; do
        [[ $each =~ ^[]A-Za-z0-9._:@[-]+$ ]] || fail "not a name: $each"
        out+="${out:+, }\"$each\""
    done
    printf '%s' "$out"
}

settings() {
    local to=$destdir/etc/mailsensor/sensor.toml
    run install -d -m 0750 "$destdir/etc/mailsensor"
    run install -d -m 0700 "$destdir/var/lib/mailsensor" "$destdir/var/lib/mailsensor/spool"
    if [[ -e $to ]]; then
        echo "$to is there, and stays as it is"
    else
        run install -m 0640 "$here/systemd/sensor.toml" "$to"
        run sed -i -e "s/^interfaces = .*/interfaces = [$interface_list]/" \
            -e "s/^internal_domains = .*/internal_domains = [$domain_list]/" "$to"
        [[ $destdir ]] || run chown root:mailsensor "$to"
    fi
    if [[ ! $destdir ]]; then
        run chown root:mailsensor /etc/mailsensor
        run chown mailsensor:mailsensor /var/lib/mailsensor /var/lib/mailsensor/spool
    fi
}

unit() {
    run install -D -m 0644 "$here/systemd/mailsensor.service" "$destdir/etc/systemd/system/mailsensor.service"
    run install -D -m 0644 "$here/systemd/sysusers.conf" "$destdir/etc/sysusers.d/mailsensor.conf"
    run install -D -m 0644 "$here/systemd/tmpfiles.conf" "$destdir/etc/tmpfiles.d/mailsensor.conf"
}

start_it() {
    [[ $start ]] || return 0
    if ! has_systemd; then
        echo "No systemd here: start it with $prefix/bin/mailsensor run --config /etc/mailsensor/sensor.toml"
        return 0
    fi
    run systemctl daemon-reload
    run systemctl enable --quiet mailsensor
    # 2: it would not work. The lines above it say why.
    if [[ ! $dry_run ]]; then
        "$prefix/bin/mailsensor" check --config /etc/mailsensor/sensor.toml || (($? < 2)) || {
            echo "Put that right in /etc/mailsensor/sensor.toml, then: systemctl restart mailsensor"
            return 0
        }
    fi
    run systemctl restart mailsensor
    run systemctl --no-pager --lines 0 status mailsensor
}

remove() {
    if has_systemd; then
        run systemctl disable --quiet --now mailsensor 2>/dev/null || true
    fi
    run rm -f "$destdir/etc/systemd/system/mailsensor.service" "$destdir/etc/sysusers.d/mailsensor.conf" \
        "$destdir/etc/tmpfiles.d/mailsensor.conf" "$destdir/usr/local/bin/mailsensor"
    run rm -rf "$destdir$prefix"
    has_systemd && run systemctl daemon-reload
    if [[ ! $purge ]]; then
        echo "Kept: /etc/mailsensor, /var/lib/mailsensor and the user; --purge takes them too"
        return 0
    fi
    run rm -rf "$destdir/etc/mailsensor" "$destdir/var/lib/mailsensor"
    if [[ ! $destdir ]] && getent passwd mailsensor >/dev/null; then
        run userdel mailsensor
    fi
}

if [[ ! $destdir && ! $dry_run && $EUID -ne 0 ]]; then
    fail "run it as root; --dry-run shows what it does"
fi
if [[ $action == uninstall ]]; then
    remove
    exit
fi
# Before anything is done: what is no name ends it here.
interface_list=$(listed "${interfaces[@]}")
domain_list=$(listed "${domains[@]}")
packages
check_python
[[ $wheel ]] || build_wheel
program
user
settings
unit
start_it
