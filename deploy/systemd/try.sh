#!/bin/bash
# Tries installer and unit for real: a fresh Debian 12, its systemd booted as PID 1 in namespaces of its own, the sensor installed there, and
# mail sent to it over a virtual cable, with the unit's whole sandbox and system call filter in force. As root, with mmdebstrap:
#
#   bash deploy/systemd/try.sh WHEEL        (maturin build --out FOLDER makes one)
#
# Says what it tried, and fails at the first thing that is not as it should be. Leaves nothing behind but a cached Debian in .cache/try-unit.
set -euo pipefail

wheel=$(realpath -e "${1:?a wheel}")
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$checkout/.venv/bin/python
root=$checkout/.cache/try-unit
work=$(mktemp -d)
init=

end() {
    # PID 1 of the namespace: all in it end with it.
    [[ $init ]] && kill -KILL "$init" 2>/dev/null
    rm -rf "$work"
}
trap end EXIT

made() { echo "ok    $*"; }

fail() {
    echo "FAIL  $*" >&2
    [[ $init ]] && inside systemctl --no-pager --full --lines 30 status mailsensor >&2
    exit 1
}

until_true() {
    local what=$1
    shift
    for ((i = 0; i < 150; i++)); do
        if "$@" >/dev/null 2>&1; then
            made "$what"
            return
        fi
        sleep 0.2
    done
    fail "$what"
}

inside() { nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup --root --wd "$@"; }

# A fresh Debian, with the wheel and what installs it in /src. Packages come by the host's network, before there is none.
prepare() {
    if [[ ! -e $root/etc/debian_version ]]; then
        mkdir -p "$root"
        mmdebstrap --quiet --variant=minbase bookworm "$root" \
            --include=systemd,systemd-sysv,dbus,python3,python3-venv,iproute2,procps,ca-certificates
    fi
    rm -rf "$root/src" "$root/etc/mailsensor" "$root/var/lib/mailsensor" "$root/opt/mailsensor"
    mkdir -p "$root/src"
    cp -r "$checkout/deploy" "$checkout/docs" "$wheel" "$root/src/"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    : > "$root/etc/machine-id"
    # shellcheck disable=SC2016  # it is the inner shell that expands
    env --unset=PIP_FIND_LINKS unshare --mount --pid --fork bash -euc '
        mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/run"
        exec chroot "$0" bash "/src/deploy/install.sh" --wheel "/src/$1" --interface b0 --internal-domain corp.example --no-start
    ' "$root" "$(basename "$wheel")"
    made "installed into a fresh Debian"
}

# As PID 1 sees it: its own cable a0-b0, control groups of the host's kind, devices that harm nobody.
boot() {
    # shellcheck disable=SC2016  # as above
    unshare --mount --pid --fork --uts --ipc --net --cgroup bash -euc '
        root=$0
        ip link set lo up
        ip link add a0 type veth peer name b0
        ip link set a0 up
        ip link set b0 up
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t sysfs sysfs "$root/sys"
        if [[ $(stat --file-system --format %T /sys/fs/cgroup) == cgroup2fs ]]; then
            mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        else
            mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
            mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
            mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
            mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
        fi
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount -t tmpfs tmpfs "$root/tmp"
        mount -t tmpfs -o mode=755,size=1m tmpfs "$root/dev"
        for name in null zero full random urandom tty; do
            touch "$root/dev/$name"
            mount --bind "/dev/$name" "$root/dev/$name"
        done
        mkdir "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        mount -t tmpfs tmpfs "$root/dev/shm"
        cd "$root"
        pivot_root . mnt
        cd /
        umount --lazy /mnt
        export container=lxc
        exec /lib/systemd/systemd --system --log-target=console systemd.unit=multi-user.target
    ' "$root" > "$work/boot.log" 2>&1 < /dev/null &
    local outer=$!
    for ((i = 0; i < 50; i++)); do
        init=$(pgrep --parent "$outer" || true)
        [[ $init ]] && break
        sleep 0.1
    done
    [[ $init ]] || fail "nothing was booted: $(cat "$work/boot.log")"
    until_true "systemd runs as PID 1" inside systemctl is-system-running
}

send_mail() {
    nsenter --target "$init" --net env -C "$checkout" "$python" - "$1" <<'PY'
import socket, sys
from tests.builders import Dialogue, Endpoint, frames_of
number = int(sys.argv[1])
flow = Dialogue().greet().mail(number).quit().flow(client=Endpoint("192.0.2.10", 40_000 + number))
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
    out.bind(("a0", 0))
    for frame in frames_of(flow.segments, ()):
        out.send(frame.octets)
PY
}

# True if the sensor has counted that many mails.
counted() {
    inside /opt/mailsensor/bin/python -c "
import re, sys, urllib.request
text = urllib.request.urlopen('http://127.0.0.1:9465/metrics', timeout=5).read().decode()
found = sum(float(each) for each in re.findall(r'^mailsensor_transactions_total\{.*\} (\S+)$', text, re.M))
sys.exit(found != $1)"
}

status() { inside grep -E "^$1:" "/proc/$(inside systemctl show --property MainPID --value mailsensor)/status" | cut -f 2; }

is() { [[ $(status "$1") == "$2" ]] || fail "$1 is $(status "$1"), not $2"; made "$1 is $2"; }

prepare
boot
inside systemctl daemon-reload
inside systemctl start mailsensor || fail "start"
until_true "ready, as it told systemd" inside systemctl is-active mailsensor
for each in CapEff CapPrm CapInh CapAmb; do is "$each" 0000000000000000; done
is NoNewPrivs 1
is Seccomp 2
send_mail 1
until_true "a mail was captured" counted 1
inside ip link set b0 down
inside ip link set b0 up
sleep 1
send_mail 2
until_true "another, behind an outage of the interface" counted 2
inside systemctl reload mailsensor
until_true "settings were read anew" bash -c "nsenter --target $init --mount --pid --root journalctl --output cat -u mailsensor | grep -q settings_reloaded"
inside /opt/mailsensor/bin/mailsensor check --config /etc/mailsensor/sensor.toml >"$work/check" || (($? < 2)) || fail "$(cat "$work/check")"
made "mailsensor check finds it in order"
inside systemctl kill --signal KILL mailsensor
until_true "killed, and started again" bash -c "nsenter --target $init --mount --pid --root systemctl show -p NRestarts mailsensor | grep -q =1"
until_true "active again" inside systemctl is-active mailsensor
sleep 2
inside systemctl stop mailsensor
[[ $(inside systemctl show --property Result --value mailsensor) == success ]] || fail "stop"
made "stopped"
inside bash "/src/deploy/install.sh" --uninstall >/dev/null || fail "uninstall"
[[ ! -e $root/opt/mailsensor && -e $root/etc/mailsensor/sensor.toml ]] || fail "uninstall took too much, or too little"
made "uninstalled; settings were kept"
inside bash "/src/deploy/install.sh" --uninstall --purge >/dev/null || fail "purge"
[[ ! -e $root/etc/mailsensor && ! -e $root/var/lib/mailsensor ]] || fail "purge left something"
made "purged"
