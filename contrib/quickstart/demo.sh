# shellcheck shell=sh disable=SC2034,SC2154 # the variables are contrib/quickstart.sh's
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two guests that dial one address.

demo_log()
{
    echo "$demo_dir/$1.log"
}

# Nobody else's: not bound now, and in no guest that is defined.
choose_port()
{
    port=$((20000 + $$ % 10000))
    while ss -Hltn "sport = :$port" | grep -q . ||
        grep -qsr "port=.$port." /etc/libvirt/qemu /run/libvirt/qemu /etc/netrelay; do
        port=$((port + 1))
    done
    echo "$port"
}

# demo_command PEER: for a guest; waits for the other one, then shows three pings.
demo_command()
{
    echo "for i in \$(seq 60); do ping -c 1 -W 1 $1 >/dev/null 2>&1 && break; done; ping -c 3 $1" |
        base64 -w 0
}

# demo_xml NAME NUMBER PEERNUMBER
demo_xml()
{
    arguments="console=ttyS0 quiet panic=-1 mitigations=off no_timer_check cryptomgr.notests"
    arguments="$arguments nr.name=$1 nr.eth0=10.77.0.$2/24 nr.run=$(demo_command "10.77.0.$3")"
    cat <<END
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>$demo_dir/kernel</kernel>
    <initrd>$demo_dir/initrd.img</initrd>
    <cmdline>$arguments</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <interface type='client'>
      <mac address='52:54:00:77:00:0$2'/>
      <source address='127.0.0.1' port='$port'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'><source path='$(demo_log "$1")'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
END
}

# A second run, or a first one that was interrupted, finds what the one before left.
demo_clean_up()
{
    for name in $guests; do
        virsh_system destroy "$name" >/dev/null 2>&1 || :
        virsh_system undefine "$name" >/dev/null 2>&1 || :
    done
    rm -rf "$demo_dir"
    in_demo=
}

# A copy: QEMU's user may not be able to read this tree, and libvirt changes the files' owner.
demo_prepare()
{
    quietly "$tree/tests/guest/make-guest.sh" "$guest" ||
        die "the demo's guest could not be made; see --no-demo"
    install -d -m 755 "$state" "$demo_dir"
    install -m 644 "$guest/kernel" "$guest/initrd.img" "$demo_dir"
}

demo_define()
{
    demo_xml netrelay-demo-1 1 2 >"$work/one.xml"
    demo_xml netrelay-demo-2 2 1 >"$work/two.xml"
    for file in "$work/one.xml" "$work/two.xml"; do
        quietly virsh_system define "$file" || die "virsh could not define a guest of the demo"
    done
    say "each has one <interface type='client'> with"
    say "<source address='127.0.0.1' port='$port'/>, and nothing else is set up"
}

demo_start()
{
    say "virsh start $1"
    quietly virsh_system start "$1" || die "virsh could not start $1"
}

demo_is_through()
{
    grep -q '^netrelay-guest: exit' "$(demo_log "$1")"
}

demo_show_pings()
{
    for name in $guests; do
        eventually 90 demo_is_through "$name" || {
            tail -n 15 "$(demo_log "$name")" >&2
            die "guest $name did not come up within 90 s"
        }
        say "inside $name:"
        tr -d '\r' <"$(demo_log "$name")" | sed -n '/bytes from/s/^/      /p;/packets/s/^/      /p'
        grep -q 'bytes from' "$(demo_log "$name")" || die "guest $name did not reach the other one"
    done
}

demo_status()
{
    say "netrelayctl status"
    /usr/bin/netrelayctl status | sed 's/^/      /'
}

demo_is_out_of_status()
{
    timeout 15 /usr/bin/netrelayctl status --json >"$work/status.json" &&
        ! grep -q "netrelay-demo-\|:$port\"" "$work/status.json"
}

demo_end()
{
    for name in $guests; do
        say "virsh destroy $name"
        quietly virsh_system destroy "$name" || die "virsh could not stop $name"
        quietly virsh_system undefine "$name" || die "virsh could not undefine $name"
    done
    eventually 20 demo_is_out_of_status ||
        die "the demo's network is still there; see netrelayctl status"
}

show_demo()
{
    step "demo: two guests that dial one address"
    in_demo=yes
    demo_clean_up
    in_demo=yes
    port=$(choose_port)
    demo_prepare
    demo_define
    for name in $guests; do
        demo_start "$name"
    done
    demo_show_pings
    demo_status
    demo_end
    say "both are gone, and with them their network:"
    demo_status
    demo_clean_up
}
