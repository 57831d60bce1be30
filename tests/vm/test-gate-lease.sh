#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A lease that binds: while a program works under one, unmodified tools that never heard of
# stlinkd are kept from the probe, root's too, and the program itself never notices.
# deadline: 280
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

manager() { # PROPERTY
        busctl get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager "$1"
}
openocd_here() {
        timeout 100 openocd -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
                -f interface/stlink.cfg -c 'transport select hla_swd' -f target/stm32f4x.cfg "$@"
}

systemctl stop stlinkd
probes "v2-1:target=f411"
node=$(udev_property "$(sysfs_of_probes)" DEVNAME)
check_soon "the probe starts the daemon" 60 unit_is stlinkd active
check_equal "as an ordinary user it has the gate that binds" 's "bpf"' "$(manager Gate)"
check_equal "and says so" 's "binding"' "$(manager Enforcement)"
check_soon "the probe was read" 60 eval 'stlinkctl status | grep -q V2J'

check "without a lease root opens the node" eval "true <>$node"
exec 8<>"$node" # a descriptor from before the lease
spawn holder stlinkctl run -- bash -c "exec 8>&-; $(declare -f openocd_here)
        openocd_here -c init -c 'dump_image $scratch/first 0x08000000 0x2000' \
                -c 'while { ![file exists $scratch/enough] } { sleep 100 }' -c 'dump_image $scratch/second 0x08000000 0x2000' -c shutdown"
holder=$spawned
check_soon "a program works under a lease" 60 test -s "$scratch/first"
run eval "true <>$node"
check_match "now root cannot open the node" 'Device or resource busy' "$output"
run as_user visitor bash -c "true <>$node"
check_match "nor can an ordinary user" 'busy|denied' "$output"
run timeout 60 st-info --probe
check_match "st-info finds nothing it could use" 'Found 0|[Ff]ailed|[Cc]ould not|libusb' "$output"
check_no_match "nor reads a chip" 'chipid: +0x0[^0]' "$output"
run openocd_here -c init -c shutdown
check_equal "OpenOCD fails" 1 "$status"
run lsusb -v -d 0483:374b
check_match "lsusb -v cannot read strings" "Couldn't open device" "$output"
run python3 -c 'import fcntl; fcntl.ioctl(8, 0x5514)' # USBDEVFS_RESET
check_match "a reset by an old descriptor is refused" 'Device or resource busy' "$output"
run stlinkctl status
check_match "status shows who talks to the probe" '[0-9]+ transfers, the last .* ago' "$output"
check_match "and who only has it open" 'has not talked to it' "$output"
touch "$scratch/enough"
wait "$holder"
check_equal "the holder ends well" 0 "$?"
check_no_match "and met no error" '^Error' "$(cat "$scratch/holder.log")"
check "what it read is the same before and after" cmp "$scratch/first" "$scratch/second"

check_soon "after the lease root opens the node again" 60 eval "true <>$node"
check "and the old descriptor is of use" python3 -c 'import fcntl; fcntl.ioctl(8, 0x8004551a, bytearray(4))'
exec 8>&-
run st-info --probe
check_match "and st-info works" 'Found 1 stlink' "$output"
log=$(journal stlinkd | grep 'stlinkd\[')
check_match "the journal names who was kept from it" 'root: openocd .*was kept from .*leased to root: stlinkctl' "$log"
check_match "and st-info" 'root: st-info .*was kept from' "$log"
check_no_match "it logged no error" ' (error|Failed|failed|Cannot)' "$log"

spawn holder stlinkctl run -- sleep 100
check_soon "another lease" 60 eval "! true <>$node"
systemctl stop stlinkd
check_soon "the gate goes with the daemon" 60 eval "true <>$node"
finish
