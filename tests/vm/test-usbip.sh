#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Probes that a real kernel sees, through USB/IP: unmodified programs use them, they come and go,
# and a whole lab of them is there at once.
# deadline: 900
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

# As if stlinkd were not there: what it asks a new probe keeps others away for a moment.
systemctl mask --runtime stlinkd.service >/dev/null 2>&1
systemctl stop stlinkd.service
at_exit systemctl unmask --runtime stlinkd.service
modprobe vhci_hcd
check_soon "the virtual controllers are there" 20 test -w /sys/devices/platform/vhci_hcd.0/attach
sim=$TOP_BUILDDIR/stlinksim
export STLINKSIM_CONTROL=$scratch/control sim

count() { # NUMBER: that many ST-LINKs are on the bus
        [ "$(cat /sys/bus/usb/devices/*/idVendor | grep -c 0483)" -eq "$1" ]
}
has_file() { # PATTERN
        compgen -G "$1" >/dev/null
}

spawn sim "$sim" usbip --control "$STLINKSIM_CONTROL" -p v2-1:serial=066DFF504955857567012345,target=f103 -p v3 --attach
simulator=$spawned
check_soon "it says that they are plugged in" 60 grep -q 'plugged in 2 probes' "$scratch/sim.log"
check_soon "the kernel has configured both" 60 eval 'count 2 && has_file "/sys/bus/usb/devices/*/*:1.2/tty/ttyACM1"'
udevadm settle
check "udev made the links" test -c /dev/serial/by-id/usb-STMicroelectronics_STM32_STLink_066DFF504955857567012345-if02
run "$sim" ctl list
check_match "the control channel knows port and node" '0483:374b +[0-9]+-1 +/dev/bus/usb/' "$output"
node=$(grep -o '/dev/bus/usb/[0-9/]*' <<<"$output" | head -n 1)
port=$(awk 'NR == 1 { print $3 }' <<<"$output")
check "the node is a device" test -c "$node"
check_equal "full speed" 12 "$(cat "/sys/bus/usb/devices/$port/speed")"
run st-info --probe
check_match "st-info finds both" 'Found 2 stlink programmers' "$output"
check_match "and the chip" 'chipid: +0x0410' "$output"
run lsusb -v -d 0483:
check_match "lsusb -v reads the strings" 'iManufacturer +1 STMicroelectronics' "$output"
run timeout 60 openocd -f interface/stlink.cfg -c 'hla_serial 066DFF504955857567012345' \
        -f target/stm32f1x.cfg -c init -c halt -c 'mdw 0xE000ED00' -c shutdown
check_match "OpenOCD reads the core's name" '0xe000ed00: 411fc231' "$output"
check_soon "the disk came" 30 has_file '/sys/bus/usb/devices/*/*:1.1/host*/target*/*/block/sd*'

check "pull the plug" "$sim" ctl unplug 1
check_soon "the kernel saw it" 30 count 1
check "plug it in again" "$sim" ctl plug 1
check_soon "it is back" 30 count 2
run "$sim" ctl list
check_equal "in the same port" "$port" "$(awk 'NR == 1 { print $3 }' <<<"$output")"

# However fast the hand, the kernel sees that it left: no two devices are taken for one.
place() { # NUMBER: the probe's port and its node now
        "$sim" ctl list | awk -v number="$1" '$1 == number { print $3, $4 }'
}
moved() { # NUMBER PLACE: the probe has another node in the same port
        local now
        now=$(place "$1")
        [ "${now% *}" = "${2% *}" ] && [ "$now" != "$2" ] && [[ $now == */dev/bus/usb/* ]]
}
# The hub's thread is busy with a slow probe, and hears late of both.
"$sim" ctl add v2:latency=1s >/dev/null
first=$(place 1)
"$sim" ctl unplug 1 >/dev/null
"$sim" ctl plug 1 >/dev/null
check_soon "a quick re-plug is seen" 60 moved 1 "$first"
"$sim" ctl unplug 3 >/dev/null

# Its boot loader lets go of the bus, and the application comes back where it was.
"$sim" ctl add v2:mode=loader,leave-loader=reenumerate,reenumerate=200ms >/dev/null
check_soon "a third" 30 count 3
udevadm settle
check_soon "its node can be found" 20 eval '"$sim" ctl list | grep "^4 " | grep -q /dev/bus/usb'
first=$(place 4)
run st-info --probe # makes it leave its loader
check_soon "it has another number in the same port" 30 moved 4 "$first"

kill -TERM "$simulator"
wait "$simulator"
check_soon "all are gone with the simulator" 30 count 0

# A stall, and a wedged probe, to the kernel's own timeouts.
run timeout 60 "$sim" usbip --control "$STLINKSIM_CONTROL" -p v2:state=stall --attach -- \
        sh -c 'udevadm settle; sleep 2; st-info --probe'
check_equal "with a command: its status" 0 "$status"
check_match "which found nothing it could use" 'Found 0|unknown device|Failed' "$output"

many=()
for _ in {1..120}; do many+=(-p v2); done
# shellcheck disable=SC2016
run timeout 600 "$sim" usbip --control "$STLINKSIM_CONTROL" "${many[@]}" --attach -- bash -c '
        for i in {1..600}; do
                n=$(cat /sys/bus/usb/devices/*/idVendor | grep -c 0483)
                [ "$n" -lt 120 ] || break
                sleep 0.2
        done
        echo "there are $n"'
check_match "120 probes at once" '^there are 120$' "$output"
run as_user visitor stlinksim usbip --attach
check_equal "an ordinary user may not" 5 "$status"
check_match "and is told so" 'Only root' "$output"

# What he may have is a private world, beside a real udevd and a real bus.
modprobe fuse
check_soon "FUSE is there for all" 20 as_user visitor test -w /dev/fuse
udevadm settle
before=$(cat /proc/self/mountinfo; ls /run /dev)
run as_user visitor stlinksim run -p v2:target=f103 -- sh -c 'id -un; st-info --probe; lsusb; systemctl is-system-running'
check_match "a private world is his" '^visitor$' "$output"
check_match "with his probe" 'chipid: +0x0410' "$output"
check_equal "and no other device" 2 "$(grep -c '^Bus ' <<<"$output")"
check_no_match "and no way to the system bus" '^(running|degraded)$' "$output"
run stlinksim run -- st-info --probe
check_match "root has one, too" 'Found 1 stlink' "$output"
check_equal "and nothing is left behind" "$before" "$(cat /proc/self/mountinfo; ls /run /dev)"
finish
