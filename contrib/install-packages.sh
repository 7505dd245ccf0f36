#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian packages that netrelay needs: the one list of them, and their installation.
set -eu

usage()
{
    cat <<END
usage: contrib/install-packages.sh [--list | --missing] [build | package | run | test | bench]...
Installs those Debian packages that are missing, of the purposes named, or of all.
  build      to compile netrelay
  package    to make a Debian package of it, beside the former
  run        to run it, with libvirt and QEMU
  test       to run its tests, beside the other two
  bench      to run its benchmark, which compares it with other programs
  --list     only prints the names of the packages
  --missing  only prints those which are not installed; exits 1 if there are any
END
}

die()
{
    echo "install-packages.sh: $*" >&2
    exit 1
}

packages_for()
{
    case $1 in
    build)
        echo meson ninja-build pkg-config gcc libc6-dev libglib2.0-dev libvirt-dev libxml2-dev \
            libnl-3-dev libnl-route-3-dev libnftables-dev libseccomp-dev libcap-ng-dev \
            liburing-dev libjson-glib-dev libslirp-dev libvdeplug-dev
        ;;
    package)
        # The unit tests, which are run then, look at the kernel with the last two.
        echo build-essential debhelper lintian debootstrap iproute2 nftables
        ;;
    run)
        # The last five make the demo's guests and show what they do.
        echo libvirt-daemon-system libvirt-clients qemu-system-x86 libnftables1 dnsmasq-base \
            dbus busybox-static cpio lz4 iproute2 procps
        ;;
    test)
        echo python3 socat systemd vde2 tcpdump nftables iptables iputils-ping isc-dhcp-client \
            libcap2-bin libxml2-utils graphviz shellcheck clang-format clang
        ;;
    bench)
        echo python3 vde2 iperf3 iputils-ping cpio lz4
        ;;
    *)
        die "there is no purpose '$1', only build, package, run, test and bench"
        ;;
    esac
}

is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of()
{
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

# dpkg may be busy with somebody else's installation for some minutes.
apt()
{
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install()
{
    [ "$(id -u)" = 0 ] || die "not root, so these packages cannot be installed: $*"
    command -v apt-get >/dev/null || die "no apt-get here; install the equivalents of: $*"
    echo "installing $*"
    apt update || echo "install-packages.sh: apt-get update failed, trying with the old lists" >&2
    apt install --no-install-recommends "$@" || die "apt-get could not install $*"
}

mode=install
wanted=
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    --list) mode=list ;;
    --missing) mode=missing ;;
    -*) die "there is no option '$word'; see --help" ;;
    *) wanted="$wanted $(packages_for "$word")" ;;
    esac
done
[ -n "$wanted" ] ||
    wanted="$(packages_for build) $(packages_for run) $(packages_for test) $(packages_for bench)"

# shellcheck disable=SC2086 # lists of words from here on
if [ "$mode" = list ]; then
    printf '%s\n' $wanted
    exit 0
fi
# shellcheck disable=SC2086
missing=$(missing_of $wanted | tr '\n' ' ')
missing=${missing% }
if [ "$mode" = missing ]; then
    echo "$missing"
    [ -z "$missing" ]
elif [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    install $missing
fi
