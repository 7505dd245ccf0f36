# shellcheck shell=sh disable=SC2154 # the variables are contrib/quickstart.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds, installs and removes the files of netrelay, and its user. Through a staging directory, so
# that it is known what there is to take away again.

install_packages()
{
    step "Debian packages to build and run it"
    "$tree/contrib/install-packages.sh" build run ||
        die "the Debian packages could not be installed"
    say "all are there"
}

configured_like_ours()
{
    [ -f "$build/build.ninja" ] &&
        grep -q '"name": "prefix", "value": "/usr"' "$build/meson-info/intro-buildoptions.json"
}

# What gets installed, and so not the tests: they are half of the time.
installed_targets()
{
    meson introspect "$build" --targets | python3 -c '
import json, os, sys
top = os.path.realpath(sys.argv[1])
for target in json.load(sys.stdin):
    if target["installed"]:
        print(*(os.path.relpath(name, top) for name in target["filename"]))' "$build"
}

build_all()
{
    step "build in $build"
    if ! [ -e "$build" ]; then
        remember "build $build"
    fi
    if ! configured_like_ours; then
        set -- --prefix=/usr --sysconfdir=/etc --localstatedir=/var
        [ ! -f "$build/build.ninja" ] || set -- --reconfigure "$@"
        quietly meson setup "$build" "$tree" "$@" || die "meson could not configure the build"
    fi
    # shellcheck disable=SC2046 # names without spaces
    quietly ninja -C "$build" $(installed_targets) || die "the build failed"
    say "done"
}

# Debian's package of netrelay has the same files, the same user and the same service.
is_packaged()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' netrelay 2>/dev/null)" = installed ]
}

checksum()
{
    sha256sum <"$1" | cut -d ' ' -f 1
}

# A settings file that is not as we installed it is somebody's work.
is_edited()
{
    case $1 in
    /etc/netrelay/*) ;;
    *) return 1 ;;
    esac
    [ -f "$1" ] && ! grep -qxF "f $(checksum "$1") $1" "$manifest" 2>/dev/null
}

# The new manifest: directories that were not there before, or that an earlier run made, and files.
# An edited file keeps the line it had, by which it is known as edited the next time too.
list_stage()
{
    (cd "$work/stage" && find . -mindepth 1 -type d | sed 's/^\.//' | LC_ALL=C sort) |
        while read -r path; do
            if ! [ -d "$path" ] || grep -qxF "d - $path" "$manifest" 2>/dev/null; then
                echo "d - $path"
            fi
        done
    (cd "$work/stage" && find . -type f | sed 's/^\.//' | LC_ALL=C sort) |
        while read -r path; do
            if is_edited "$path"; then
                grep "^f [0-9a-f]* $path\$" "$manifest" 2>/dev/null || echo "f - $path"
            else
                echo "f $(checksum "$work/stage$path") $path"
            fi
        done
}

# install(1) unlinks first and makes it executable last: what runs goes on, and libvirt never sees
# half a hook.
copy_stage()
{
    while read -r kind _ path; do
        if [ "$kind" = d ]; then
            install -d -m 755 "$path"
        elif is_edited "$path"; then
            say "$path has been edited and is kept"
        else
            install -m "$(stat -c %a "$work/stage$path")" "$work/stage$path" "$path"
        fi
    done <"$work/manifest"
}

# Files of an earlier version that this one has no more.
remove_outdated()
{
    [ -f "$manifest" ] || return 0
    while read -r kind _ path; do
        if [ "$kind" = f ] && ! grep -q "^f [^ ]* $path\$" "$work/manifest"; then
            rm -f "$path"
        fi
    done <"$manifest"
}

install_files()
{
    step "install, with a list of all files in $manifest"
    DESTDIR=$work/stage quietly meson install -C "$build" --no-rebuild ||
        die "meson could not install"
    list_stage >"$work/manifest"
    copy_stage
    remove_outdated
    # By rename: it is whole at any time.
    cp "$work/manifest" "$manifest.new"
    mv -f "$manifest.new" "$manifest"
    grep -c ^f "$manifest" | sed 's/$/ files/;s/^/   /'
}

make_user()
{
    step "the user netrelay, as which relays run"
    if getent passwd netrelay >/dev/null; then
        say "it exists"
        return 0
    fi
    remember "user netrelay"
    if command -v systemd-sysusers >/dev/null; then
        quietly systemd-sysusers /usr/lib/sysusers.d/netrelay.conf ||
            die "systemd-sysusers could not make the user netrelay"
    else
        quietly useradd --system --no-create-home --home-dir /run/netrelay \
            --shell /usr/sbin/nologin netrelay || die "useradd could not make the user netrelay"
    fi
    say "made"
}

remove_files()
{
    [ -f "$manifest" ] || return 0
    sed -n 's/^f [^ ]* //p' "$manifest" | while read -r path; do
        if is_edited "$path"; then
            say "$path has been edited and is kept"
        else
            rm -f "$path"
        fi
    done
    # The deepest first; those with something of others in them stay.
    sed -n 's/^d - //p' "$manifest" | LC_ALL=C sort -r | while read -r path; do
        rmdir "$path" 2>/dev/null || [ ! -d "$path" ] || say "$path is not empty and is kept"
    done
    if has_systemd; then
        quietly systemctl daemon-reload || :
    fi
    say "the files are removed"
}
