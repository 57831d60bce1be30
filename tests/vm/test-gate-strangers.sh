#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# While A dumps memory under a lease, strangers of all kinds try whatever disturbs: unmodified tools
# of root and of ordinary users, on a node that everybody may open, on descriptors from before the
# lease, with the interface claimed at the moment of the grant, from threads and children that were
# there before, as 32-bit programs. A sees no error and reads what he would have read alone.
# deadline: 900
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

tries=1000 # of each kind by each stranger
# Where ordinary users can run it and A can write
stranger=$scratch/stranger
work=$scratch/a
cp "$TOP_BUILDDIR/tests/vm/stranger" "$stranger"
mkdir "$work"
chmod 755 "$scratch" "$stranger"
chmod 777 "$work"

manager() { # PROPERTY
        busctl get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager "$1"
}
conflicts() {
        busctl --json=short call io.github.stlinkd1 "$object" io.github.stlinkd1.Probe \
                GetConflicts 'a{sv}' 0
}
named() { # COMMAND: how often it was kept out, as the list has it
        conflicts | jq "[.data[0][] | select(.Kind.data == \"kept-out\" and
                .Command.data == \"$1\" and .HolderUser.data == \"labuser\") | .Count.data] | add // 0"
}
openocd_here() {
        timeout 100 openocd -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
                -f interface/stlink.cfg -c 'transport select hla_swd' -f target/stm32f4x.cfg "$@"
}
# stranger_starts NAME USER: one that has the node open already; line N to its stdin lets it go.
stranger_starts() {
        mkfifo "$scratch/$1.in"
        # shellcheck disable=SC2016 # it is for the other shell
        spawn "$1" bash -c 'exec "$@" <>"$0"' "$scratch/$1.in" setpriv --reuid="$2" --clear-groups \
                "$stranger" try "$node" "$tries"
        check_soon "$1 has the node open" 30 grep -q ready "$scratch/$1.log"
}
all_refused() { # NAME
        check_equal "$1: $tries opens and $tries ioctls are refused" \
                "opens: $tries refused, 0 passed, 0 other;ioctls: $tries refused, 0 passed, 0 other;" \
                "$(grep -v ready "$scratch/$1.log" | tr '\n' ';')"
}

systemctl stop stlinkd
probes "v2-1:target=f411"
node=$(udev_property "$(sysfs_of_probes)" DEVNAME)
check_soon "the probe starts the daemon" 60 identified 1
check_equal "leases bind" 's "binding"' "$(manager Enforcement)"
object=$(busctl --list tree io.github.stlinkd1 | grep /probe/ | tail -n 1)
chmod 666 "$node"
run timeout 60 st-flash read "$scratch/alone" 0x08000000 0x4000
check_equal "alone, it can be read" 0 "$status"

stranger_starts by-root root
stranger_starts by-visitor visitor
spawn flapper setpriv --reuid=visitor --clear-groups "$stranger" flap "$node"
flapper=$spawned

# A begins; the interface is claimed by another every other moment.
spawn holder as_user labuser stlinkctl run --wait=60 -- bash -c "cd $work
        for i in {1..500}; do
                [ ! -e stop ] || [ \$i -lt 3 ] || exit 0
                st-flash read dump.\$i 0x08000000 0x4000 >>log 2>&1 || exit 70
        done; exit 71"
holder=$spawned
check_soon "A dumps memory" 90 test -s "$work/dump.1"
spawn pyocd pyocd-tool -t stm32f103rc status
pyocd=$spawned
echo go >"$scratch/by-root.in"
echo go >"$scratch/by-visitor.in"

run st-info --probe
check_match "root's st-info finds nothing it could use" 'Found 0|[Ff]ailed|[Cc]ould not|libusb' "$output"
check_no_match "nor reads a chip" 'chipid: +0x0[^0]' "$output"
run as_user visitor st-flash read /dev/null 0x08000000 0x100
check_equal "a user's st-flash fails" yes "$([ "$status" -ne 0 ] && echo yes)"
run openocd_here -c init -c shutdown
check_equal "root's OpenOCD fails" 1 "$status"
run lsusb -v -d 0483:374b
check_match "lsusb -v cannot open it" "Couldn't open device" "$output"
check_soon "by-root has tried all" 200 grep -q ioctls "$scratch/by-root.log"
check_soon "by-visitor has tried all" 200 grep -q ioctls "$scratch/by-visitor.log"
check_soon "pyOCD finds none" 200 grep -q 'Waiting for a debug probe' "$scratch/pyocd.log"
check "and still waits" kill "$pyocd"
touch "$work/stop"
wait "$holder"
check_equal "A's work ends well" 0 "$?"
check_no_match "and met no error" 'ERROR|WARN' "$(cat "$work/log")"
hash_of() { # FILE...
        sha256sum "$@" | cut -c 1-64 | sort -u
}
check_equal "all that A read is what is there" "$(hash_of "$scratch/alone")" "$(hash_of "$work"/dump.*)"
dumps=("$work"/dump.*)
check "and he read it ${#dumps[@]} times" test ${#dumps[@]} -ge 3
all_refused by-root
all_refused by-visitor
kill "$flapper"

for tool in st-info st-flash openocd lsusb pyocd-tool; do
        check_match "the list names $tool" '^[1-9]' "$(named $tool)"
done
check_match "and counts each try of the strangers" "^$((4 * tries))\$" "$(($(named stranger) >= 4 * tries ? 4 * tries : $(named stranger)))"
log=$(journalctl --boot --no-pager MESSAGE_ID=b122d3cea70b4a4fb843dba95ac0d1f8)
check_match "the journal has both sides" 'root: openocd .*kept from .*leased to labuser: stlinkctl' "$log"
lines=$(grep -c 'stranger' <<<"$log")
check "but not thousands of lines ($lines)" test "$lines" -lt 100
check_soon "afterwards everybody may again" 20 as_user visitor bash -c "true <>$node"
finish
