#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs netrelay from this tree on Debian, and shows with two small guests what it does.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
build=${NETRELAY_BUILD:-$tree/build}
guest=${NETRELAY_GUEST:-$build/guest}
state=/var/lib/netrelay
manifest=$state/manifest # what was installed: "f SHA256 PATH" or "d - PATH"
made=$state/made         # what else was made or started, to be undone by --remove
demo_dir=$state/demo
log=/var/log/netrelayd.log
pid_file=/run/netrelayd.pid
guests="netrelay-demo-1 netrelay-demo-2"

work=     # scratch directory, removed at the end
in_demo=  # set while guests of the demo may be there
steps=0

usage()
{
    cat <<END
usage: contrib/quickstart.sh [--no-demo | --remove]
Installs what is needed, builds and installs netrelay, starts libvirtd and netrelayd where they do
not run, and shows two guests that meet. Can be run again at any time.
  --no-demo  only installs
  --remove   takes away what was installed, made and started; Debian packages stay
END
}

# shellcheck source=contrib/quickstart/files.sh
. "$tree/contrib/quickstart/files.sh"
# shellcheck source=contrib/quickstart/services.sh
. "$tree/contrib/quickstart/services.sh"
# shellcheck source=contrib/quickstart/demo.sh
. "$tree/contrib/quickstart/demo.sh"

step()
{
    steps=$((steps + 1))
    printf '\n== %d. %s\n' "$steps" "$*"
}

say()
{
    printf '   %s\n' "$*"
}

die()
{
    echo "quickstart.sh: $*" >&2
    exit 1
}

# What a step prints is of interest only when it fails.
quietly()
{
    "$@" >"$work/step.log" 2>&1 </dev/null || {
        tail -n 20 "$work/step.log" >&2
        return 1
    }
}

# eventually SECONDS COMMAND...: waits until it succeeds.
eventually()
{
    end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1 </dev/null; do
        [ "$(date +%s)" -le "$end" ] || return 1
        sleep 0.2
    done
}

has_systemd()
{
    [ -d /run/systemd/system ]
}

# Processes. A pid from a file is believed only with the program behind it.

is_process()
{
    exe=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
    [ "${exe% (deleted)}" = "$2" ]
}

is_gone()
{
    ! is_process "$1" "$2"
}

# pid_of PROGRAM PIDFILE: prints it if it runs.
pid_of()
{
    pid=
    read -r pid 2>/dev/null <"$2" || [ -n "$pid" ] || return 1
    is_process "$pid" "$1" && echo "$pid"
}

# stop_process PROGRAM PID
stop_process()
{
    is_process "$2" "$1" || return 0
    kill "$2" 2>/dev/null || :
    eventually 15 is_gone "$2" "$1" || die "$1 (pid $2) does not end"
}

remember()
{
    grep -qxF "$*" "$made" 2>/dev/null || echo "$*" >>"$made"
}

what_next()
{
    cat <<END

== Done. What to do next, with guests of your own:
   virsh edit GUEST         give it an interface that needs no bridge and no root:
                              <interface type='client'>
                                <source address='127.0.0.1' port='12345'/>
                                <model type='virtio'/>
                              </interface>
                            All guests with the same address and port are on one network.
   virsh start GUEST        that is all
   netrelayctl status       what is connected to what
   netrelayctl plan --xml FILE      what a guest would get, before it is defined
   man netrelay-network     networks with names, with a bridge, with rules
   man netrelayctl, man netrelayd
   contrib/quickstart.sh --remove   takes everything away again
END
}

# Removing

# The newest first: libvirtd before the virtlogd it needs. Guests that run need both.
undo_made()
{
    [ -f "$made" ] || return 0
    keep=
    if grep -q '^process \|^unit ' "$made" && guests_run; then
        keep=yes
        say "guests run, so libvirt is left running; stop them, and call --remove again"
    elif grep -q '^process .*/libvirtd ' "$made"; then
        stop_libvirt_networks
    fi
    tac "$made" >"$work/made"
    while read -r kind what number file; do
        case $kind in
        user)
            # Gone, where the package came over this and was purged.
            is_packaged || ! getent passwd "$what" >/dev/null || quietly userdel --force "$what" ||
                say "the user $what could not be removed"
            ;;
        build) rm -rf "$what" ;;
        kvm) [ -n "$keep" ] || ! chgrp "$number" "$what" || chmod "$file" "$what" ;;
        unit) [ -n "$keep" ] || quietly systemctl stop "$what" || : ;;
        process)
            if [ -z "$keep" ]; then
                stop_process "$what" "$number"
                rm -f "$file"
            fi
            ;;
        esac
    done <"$work/made"
    # What is left is for the next --remove, when no guest runs any more.
    rm -f "$made"
    [ -z "$keep" ] || tac "$work/made" | grep '^process \|^unit \|^kvm ' >"$made" || :
}

# They run on, but will not be connected again before they are started again.
name_guests_that_lose()
{
    names=$(timeout 15 /usr/bin/netrelayctl status --json 2>/dev/null |
        sed -n 's/^ *"guest" : "\(.*\)",$/guest \1/p; s/^ *"state" : "connected",$/connected/p' |
        sed -n '/^guest ./{N;s/^guest \(.*\)\nconnected$/\1/p}' | sort -u | tr '\n' ' ')
    [ -z "$names" ] || say "these guests run, and lose their networks now: ${names% }"
}

remove_all()
{
    step "remove the demo's guests, netrelayd and its relays"
    if libvirt_answers >/dev/null 2>&1; then
        demo_clean_up
    fi
    if is_packaged; then
        say "netrelayd belongs to the Debian package netrelay, and goes on"
    else
        name_guests_that_lose
        remove_manager
    fi
    step "remove what was installed, made and started"
    if is_packaged; then
        say "the files are the package's: apt remove netrelay takes them away"
    else
        remove_files
    fi
    undo_made
    if [ -s "$made" ]; then
        rm -rf "$demo_dir" "$manifest"
    else
        rm -rf "$state"
    fi
    say "done; Debian packages were left as they are"
}

clean_up()
{
    code=$?
    trap - EXIT
    [ -z "$in_demo" ] || demo_clean_up
    [ -z "$work" ] || rm -rf "$work"
    exit "$code"
}

mode=all
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    --no-demo) mode=install ;;
    --remove) mode=remove ;;
    *)
        echo "quickstart.sh: there is no option '$word'; see --help" >&2
        exit 2
        ;;
    esac
done
[ "$(id -u)" = 0 ] || die "this needs root; call it as: sudo contrib/quickstart.sh"

trap clean_up EXIT
trap 'exit 1' HUP INT TERM
work=$(mktemp -d)
if [ "$mode" = remove ]; then
    remove_all
    exit 0
fi
! is_packaged || die "the Debian package netrelay is installed, with the same files; call" \
    "apt remove netrelay before"
install_packages
install -d -m 755 "$state"
build_all
install_files
make_user
start_libvirt
start_manager
[ "$mode" = install ] || show_demo
what_next
