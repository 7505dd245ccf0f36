# shellcheck shell=sh disable=SC2154 # the variables are contrib/quickstart.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Starts and stops libvirt and netrelayd, with systemd or by hand.

virsh_system()
{
    timeout 120 virsh --quiet --connect qemu:///system "$@" </dev/null
}

libvirt_answers()
{
    timeout 10 virsh --quiet --connect qemu:///system uri
}

# start_by_hand NAME SOCKET PROGRAM PIDFILE ARGUMENT...: as a daemon, unless somebody listens there.
start_by_hand()
{
    name=$1 socket=$2 program=$3 its_pid_file=$4
    shift 4
    # The kernel's list knows the paths of other containers in this network namespace too.
    if [ -S "$socket" ] && ss -Hlx | grep -q " $socket "; then
        say "$name runs already"
        return 0
    fi
    rm -f "$its_pid_file" # of one that was killed; some will not start because of it
    quietly "$program" "$@" || die "$program could not be started"
    eventually 10 pid_of "$program" "$its_pid_file" || die "$program has ended at once"
    remember "process $program $(pid_of "$program" "$its_pid_file") $its_pid_file"
    say "$name started"
}

# Where udev does not run, only root may use KVM: libvirtd probes it as root, finds that QEMU's user
# may not, and probes again at every occasion, half a minute for each definition of a guest.
share_kvm()
{
    [ -c /dev/kvm ] && getent group kvm >/dev/null || return 0
    case $(stat -c %G:%a /dev/kvm) in
    kvm:?6? | *:??6) ;;
    *)
        remember "kvm $(stat -c '/dev/kvm %g %a' /dev/kvm)"
        chgrp kvm /dev/kvm
        chmod 660 /dev/kvm
        say "/dev/kvm is for the group kvm now, as udev would have it"
        ;;
    esac
}

start_libvirt_by_hand()
{
    share_kvm
    install -d -m 755 /run/dbus
    start_by_hand "the system bus" /run/dbus/system_bus_socket \
        /usr/bin/dbus-daemon /run/dbus/pid --system --fork
    start_by_hand virtlogd /run/libvirt/virtlogd-sock \
        /usr/sbin/virtlogd /run/virtlogd.pid -d
    start_by_hand libvirtd /run/libvirt/libvirt-sock \
        /usr/sbin/libvirtd /run/libvirtd.pid -d
}

libvirt_unit()
{
    if systemctl --quiet is-active virtqemud.service virtqemud.socket; then
        echo virtqemud.service
    else
        echo libvirtd.service
    fi
}

start_libvirt_with_systemd()
{
    unit=$(libvirt_unit)
    systemctl --quiet is-active "$unit" || remember "unit $unit"
    quietly systemctl start "$unit" || die "systemctl could not start $unit"
    say "$unit is active"
}

start_libvirt()
{
    step "libvirt"
    if has_systemd; then
        start_libvirt_with_systemd
    else
        say "systemd is not at work here: what does not run is started by hand"
        start_libvirt_by_hand
    fi
    eventually 60 libvirt_answers || die "libvirt does not answer at qemu:///system"
}

# A libvirtd that had no hook when it started looks for hooks only when it is reloaded.
show_hook_to_libvirt()
{
    if has_systemd; then
        quietly systemctl reload "$(libvirt_unit)" || die "libvirt could not be reloaded"
    elif pid=$(pid_of /usr/sbin/libvirtd /run/libvirtd.pid); then
        kill -HUP "$pid"
    else
        die "libvirtd runs without /run/libvirtd.pid; restart it, so that it sees the new hook"
    fi
    say "libvirt has been reloaded, so that it sees the hook"
}

guests_run()
{
    [ -n "$(virsh_system list --name 2>/dev/null)" ]
}

# What a libvirtd that was started for us started in its turn, such as its default network.
stop_libvirt_networks()
{
    for name in $(virsh_system net-list --name 2>/dev/null); do
        virsh_system net-destroy "$name" >/dev/null 2>&1 || :
    done
}

manager_answers()
{
    timeout 15 /usr/bin/netrelayctl status
}

# The pid of the running manager, from itself.
manager_pid()
{
    timeout 15 /usr/bin/netrelayctl status --json 2>/dev/null |
        sed -n 's/^.*"pid" : \([0-9]*\).*$/\1/p' | head -n 1
}

stop_manager_by_hand()
{
    pid=
    [ ! -x /usr/bin/netrelayctl ] || pid=$(manager_pid)
    [ -n "$pid" ] || pid=$(pid_of /usr/sbin/netrelayd "$pid_file") || return 0
    stop_process /usr/sbin/netrelayd "$pid"
    rm -f "$pid_file"
}

start_manager_by_hand()
{
    stop_manager_by_hand
    setsid /usr/sbin/netrelayd >>"$log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    say "netrelayd has been started; its log is $log"
}

start_manager_with_systemd()
{
    quietly systemctl daemon-reload || die "systemd could not read the new units"
    quietly systemctl enable netrelayd.socket netrelayd.service ||
        die "systemctl could not enable netrelayd"
    # systemd does not make a socket for a service that runs already.
    systemctl --quiet is-active netrelayd.socket || quietly systemctl stop netrelayd.service || :
    quietly systemctl start netrelayd.socket || die "systemctl could not start netrelayd.socket"
    quietly systemctl restart netrelayd.service ||
        die "systemctl could not start netrelayd; see: journalctl -u netrelayd"
    say "netrelayd.service is enabled and active; its log: journalctl -u netrelayd"
}

start_manager()
{
    step "netrelayd (the connections of running guests outlive a restart of it)"
    if has_systemd; then
        start_manager_with_systemd
    else
        start_manager_by_hand
    fi
    eventually 20 manager_answers || {
        has_systemd || tail -n 5 "$log" >&2
        die "netrelayd does not answer"
    }
    show_hook_to_libvirt
}

# Whoever runs one has it for guests of the own. Those in containers are none of ours.
name_session_managers()
{
    for directory in /proc/[0-9]*; do
        if is_process "${directory#/proc/}" /usr/sbin/netrelayd &&
            [ "$(readlink "$directory/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]; then
            say "user $(stat -c %U "$directory") runs a manager too (pid ${directory#/proc/});" \
                "it is left to them"
        fi
    done
}

remove_manager()
{
    if has_systemd && systemctl cat netrelayd.socket >/dev/null 2>&1; then
        quietly systemctl disable --now netrelayd.socket netrelayd.service || :
    fi
    stop_manager_by_hand
    if [ -x /usr/sbin/netrelayd ]; then
        quietly timeout 60 /usr/sbin/netrelayd --cleanup || die "netrelayd --cleanup failed"
    fi
    rm -rf /run/netrelay
    rm -f "$log" "$pid_file"
    say "netrelayd and its relays have ended"
    name_session_managers
}
