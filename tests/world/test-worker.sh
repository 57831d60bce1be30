#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The worker and the probe session over libusb and usbfs, on good days and bad ones: what they
# find out, how many commands that takes, what they leave behind, and how they fail.
# deadline: 300
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

client=$TOP_BUILDDIR/tests/world/probe-client
sim=$TOP_BUILDDIR/stlinksim
export client sim node=/dev/bus/usb/001/002

# world SPEC SCRIPT: run a shell script with one probe plugged in.
world() {
        run timeout 60 "$sim" run -p "$1" -- bash -c "$2"
        said=$output # check overwrites it
        check_equal "script with $1 ends well" 0 "$status"
}

value() {
        tr ' ' '\n' <<<"$said" | sed -n "s/^$1=//p" | tail -n 1
}

# client_says NAME VARIABLE EXPECTED
client_says() {
        check_equal "$1: $2" "$3" "$(value "$2")"
}

identify() { # spec, error, firmware, mode, most commands
        world "$1" '"$client" identify $node; "$sim" ctl counters 1'
        check_equal "identify $1: no more commands than it says" \
                "$(sed -n 's/^commands=//p' <<<"$said")" "$(value commands)"
        client_says "identify $1" error "$2"
        client_says "identify $1" firmware "$3"
        client_says "identify $1" mode "$4"
        check "identify $1: at most $5 commands" test "$(value commands)" -le "$5"
        client_says "identify $1" target_halts 0
        client_says "identify $1" target_resets 0
}
identify v2 0 V2J37S7 loader 2
identify v2:mode=mass 0 V2J37S7 mass 3
identify v2-1:mode=debug 0 V2J45M31 debug 3
identify v3 0 V3J10M3 mass 4
identify v3-loader 0 V3 loader 2

# It takes longer than we may hold a claim, so we must have given it up in between.
world v3:latency=30ms '"$client" identify $node'
client_says "slow probe" error 0
check "slow probe: the claim is given up now and then" \
        test "$(value claimed_us)" -lt "$(($(value ms) * 750))"

lease() { # spec, commands to SWD
        world "$1" '"$client" lease $node'
        client_says "lease of $1" open 0
        client_says "lease of $1" error 0
        client_says "lease of $1" commands_to_swd "$2"
        client_says "lease of $1" claim_other EACCES
        client_says "lease of $1" claim 0
        client_says "lease of $1" close 0
        client_says "lease of $1" claim_after EACCES
}
lease v2:mode=mass 4
lease v2-1 4
lease v1 3

world v2:mode=mass '"$client" lease $node; "$client" identify $node'
client_says "after a lease" mode mass

# Which chip it is, in at most eight commands from an idle V2.
chip() { # target, name, KiB
        world "v2:mode=mass,target=$1" '"$client" connect $node; "$sim" ctl counters 1'
        client_says "$1" chip "$2"
        client_says "$1" flash_kib "$3"
        client_says "$1" commands_to_identity 8
        client_says "$1" target_halts 0
        client_says "$1" target_resets 0
}
chip f103 "STM32F10x" 64
chip f411 "STM32F411" 512
chip g071 "STM32G07x/G08x" 128
chip h743 "STM32H74x/H75x" 2048

# A kernel driver gives way to a lease and is back after it.
driver='readlink /sys/bus/usb/devices/1-1:1.0/driver'
world v1 "$driver; \"\$client\" identify \$node; \"\$client\" lease \$node; $driver"
check_equal "usb-storage is there before and after" 2 "$(grep -c 'usb-storage$' <<<"$said")"
check_match "a kernel driver is not driven out to identify" '^error=EBUSY$' "$said"

# Somebody else has it.
world v2-1 '"$client" hold $node & holder=$!
        for i in {1..200}; do
                case $(readlink /sys/bus/usb/devices/1-1:1.0/driver) in */usbfs) break ;; esac
                sleep 0.05
        done
        "$client" identify $node; "$client" lease $node; "$client" connect $node
        "$client" take $node; "$client" connect $node
        kill $holder; wait $holder || true'
check_equal "three times EBUSY while somebody holds it" 3 "$(grep -c '=EBUSY$' <<<"$said")"
client_says "taken from whoever held it" close 0
client_says "and then it is free" error 0

if command -v openocd >/dev/null; then
        world v2-1:target=f103 'openocd -f interface/stlink.cfg -f target/stm32f1x.cfg -c init >/dev/null 2>&1 &
                for i in {1..200}; do
                        case $(readlink /sys/bus/usb/devices/1-1:1.0/driver) in */usbfs) break ;; esac
                        sleep 0.05
                done
                "$client" identify $node; "$client" lease $node
                kill $!; wait
                "$client" identify $node'
        check_equal "twice EBUSY while OpenOCD has it" 2 "$(grep -c '=EBUSY$' <<<"$said")"
        client_says "after OpenOCD" error 0
else
        skip "busy with OpenOCD" "openocd is missing (./dev deps installs it)"
fi

# What is wrong with a probe is told apart.
bad_day() { # state, error
        world "v2-1:$1" '"$client" identify $node; "$client" connect $node'
        check_equal "$1: identify and connect say $2" 2 "$(grep -c "^error=$2\$" <<<"$said")"
}
bad_day wedged ETIMEDOUT
bad_day stall EPROTO
bad_day short EPROTO
bad_day garbage EPROTO
no_target() { # condition, status
        world "v2-1:$1" '"$client" connect $node; "$client" identify $node'
        check_match "$1: the probe reports a failure" '^error=EREMOTEIO$' "$said"
        client_says "$1" status "$2"
        client_says "$1: left in order" mode mass
}
no_target absent get-idcode-error
no_target unpowered get-idcode-error
no_target asleep get-idcode-error
no_target rdp=2 get-idcode-error
no_target busy command-wait
no_target wait=100 dp-wait
world v2-1:wait=3 '"$client" connect $node'
client_says "busy for a moment" error 0
client_says "busy for a moment" commands_to_identity 11

# Pulled out at any transfer: no hang, no crash, and always the same answer.
for k in {1..12}; do
        world "v2-1:unplug-at=$k" '"$client" connect $node'
        check_equal "unplugged at transfer $k" ENODEV "$(value error)"
done
for k in {1..6}; do
        world "v2-1:unplug-at=$k" '"$client" identify $node'
        check_equal "unplugged at transfer $k while identified" ENODEV "$(value error)"
done

# Left behind by a tool that was killed after it had sent F1.
world v2-1 '"$client" litter $node; "$client" identify $node'
client_says "after a killed tool" error 0
client_says "after a killed tool" firmware V2J45M31

# Told to stop while a probe keeps it waiting: soon, and the probe is left in order.
world v2-1:wedged '(sleep 0.2) | "$client" cancel $node'
client_says "cancelled" error ECANCELED
world v2-1:wedged '"$client" abandon $node'
client_says "the worker of a daemon that is gone" exited 1
check "the worker of a daemon that is gone does not wait a minute" test "$(value ms)" -lt 10000
# shellcheck disable=SC2016 # for the world
world v2-1 '"$client" desert $node; "$sim" ctl counters 1'
check_match "one that comes too late leaves the probe to others" '^number=1 transfers=0 ' "$said"
finish
