#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make-guest.sh OUTDIR: makes OUTDIR/kernel and OUTDIR/initrd.img, a guest that boots in a few
# seconds, from Debian packages which are downloaded but not installed. Does nothing when OUTDIR
# already holds what these package versions and these files would give.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=

die()
{
    echo "make-guest.sh: $*" >&2
    exit 1
}

clean_up()
{
    [ -z "$work" ] || rm -rf "$work"
}

candidate()
{
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        sed -n 's/^  Candidate: //p' | grep -v '(none)' || :
}

# Prints "PACKAGE=VERSION" of the kernel and of busybox; nothing where apt knows no such package.
wanted_packages()
{
    kernel=$(LC_ALL=C apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^  Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    [ -n "$kernel" ] || return 0
    kernel_version=$(candidate "$kernel")
    busybox_version=$(candidate busybox-static)
    [ -n "$kernel_version" ] && [ -n "$busybox_version" ] || return 0
    echo "$kernel=$kernel_version"
    echo "busybox-static=$busybox_version"
}

refresh_package_lists()
{
    [ "$(id -u)" = 0 ] || return 0
    apt-get -q update >&2 || echo "make-guest.sh: apt-get update failed, trying on" >&2
}

# A newer kernel or another text of ours is another guest.
recipe()
{
    echo "$1"
    sha256sum <"$0"
    sha256sum <"$here/init"
    sha256sum <"$here/modules"
}

is_made()
{
    [ -f "$out/kernel" ] && [ -f "$out/initrd.img" ] &&
        [ "$(recipe "$1")" = "$(cat "$out/recipe" 2>/dev/null)" ]
}

download()
{
    # shellcheck disable=SC2086 # a list of words
    (cd "$work" && apt-get -q -q download $1 2>"$work/apt.log")
}

unpack()
{
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$work/tree"
    done
}

build_initrd()
{
    root=$work/root
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
    cp "$work/tree/bin/busybox" "$root/bin/busybox"
    cp "$here/init" "$root/init"
    chmod 755 "$root/init" "$root/bin/busybox"
    cp "$here/modules" "$root/modules/order"
    while read -r module; do
        path=$(find "$work/tree/lib/modules" -name "$module.ko" | head -n 1)
        [ -n "$path" ] || die "the kernel package has no module $module"
        cp "$path" "$root/modules/$module.ko"
    done <"$here/modules"
    (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$work/initrd.cpio"
    gzip -1 -n <"$work/initrd.cpio" >"$work/initrd.img"
}

# number OFFSET SIZE: a number of the kernel's boot header, which Documentation/x86/boot.rst of the
# kernel describes.
number()
{
    od -A n -t "u$2" -j "$1" -N "$2" "$work/bzImage" | tr -d ' '
}

payload()
{
    setup=$((($(number 497 1) + 1) * 512))
    tail -c "+$((setup + $(number 584 4) + 1))" "$work/bzImage" | head -c "$(number 588 4)"
}

# An emulated CPU takes a fifth of a guest's start to unpack its kernel: done here, once. QEMU
# starts what is in there by its PVH entry. Behind what the kernel's makers compressed is its size.
unpack_kernel()
{
    case $(payload | od -A n -t x1 -N 4 | tr -d ' ') in
    02214c18) payload | head -c -4 | lz4 -d -q - "$work/kernel" ;;
    fd377a58) payload | head -c -4 | xz -d >"$work/kernel" ;;
    28b52ffd) payload | head -c -4 | zstd -d -q >"$work/kernel" ;;
    *) false ;;
    esac && [ "$(head -c 4 "$work/kernel" | tail -c 3)" = ELF ]
}

build_kernel()
{
    cp "$work"/tree/boot/vmlinuz-* "$work/bzImage"
    unpack_kernel || cp "$work/bzImage" "$work/kernel"
}

# Each rename is whole; the recipe goes last, so that it never speaks for files not there yet.
publish()
{
    chmod 644 "$work/kernel" "$work/initrd.img"
    mv -f "$work/kernel" "$out/kernel"
    mv -f "$work/initrd.img" "$out/initrd.img"
    mv -f "$work/recipe" "$out/recipe"
}

[ $# -eq 1 ] || die "usage: make-guest.sh OUTDIR"
case $1 in -h | --help) echo "usage: make-guest.sh OUTDIR"; exit 0 ;; esac
mkdir -p "$1"
out=$(cd "$1" && pwd)
for tool in apt-get apt-cache dpkg-deb cpio gzip flock; do
    command -v "$tool" >/dev/null || die "the program $tool is missing"
done

exec 9>"$out/lock"
flock 9

packages=$(wanted_packages)
if [ -z "$packages" ]; then
    refresh_package_lists
    packages=$(wanted_packages)
fi
if [ -z "$packages" ]; then
    if [ -f "$out/recipe" ]; then
        echo "make-guest.sh: apt knows no kernel, using the guest made before" >&2
        exit 0
    fi
    die "apt knows no linux-image-cloud-amd64 and busybox-static (as root, run: apt-get update)"
fi
is_made "$packages" && exit 0

trap clean_up EXIT
trap 'exit 1' INT TERM
work=$(mktemp -d "$out/work.XXXXXX")
if ! download "$packages"; then
    # The lists may be older than the archive, which keeps only the newest version.
    refresh_package_lists
    packages=$(wanted_packages)
    download "$packages" ||
        die "cannot download $(echo "$packages" | tr '\n' ' '): $(tail -n 1 "$work/apt.log")"
fi
unpack
build_kernel
build_initrd
recipe "$packages" >"$work/recipe"
publish
