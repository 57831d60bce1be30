#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# From the kernel's uevent to a probe that is known with all there is to know, beside the time
# that udev takes for the same device, and what is sent to the probe meanwhile. In the VM, with
# the installed service; no KVM, so the ratio tells more than the milliseconds.
# deadline: 900
# shellcheck source=../vm/guest.sh
. "$(dirname "$0")/../vm/guest.sh"
# shellcheck source=figures.sh
. "$(dirname "$0")/figures.sh"

times=${BENCH_PLUGS:-12} looks=${BENCH_LOOKS:-1000}

# passed N: so many plug-ins have passed the last post.
passed() {
        [ "$(grep -c '^added' "$scratch/watch.log")" -ge "$1" ]
}
gone() {
        ! stlinkctl list --no-legend | grep -q .
}
counter() {
        sim counters 1 | tr ' ' '\n' | sed -n "s/^$1=//p"
}

systemctl start stlinkd
probes v2-1:serial=066DFF504955857567012345,target=f411
wait_until 60 eval 'stlinkctl list --no-legend | grep -q " free "'
spawn watch chrt -f 20 "$TOP_BUILDDIR/tests/bench/plug-watch"
wait_until 30 grep -q ready "$scratch/watch.log" || fail "the watch is set" "$(cat "$scratch/watch.log")"

for ((i = 1; i <= times; i++)); do
        sim unplug 1 >/dev/null
        wait_until 30 gone
        udevadm settle
        sim reset-counters >/dev/null
        sim plug 1 >/dev/null
        wait_until 30 passed "$i" || break
        udevadm settle
        printf '%s %s\n' "$(counter commands)" "$(counter transfers)" >>"$scratch/traffic"
done
check_equal "each of $times plug-ins was announced" "$times" "$(grep -c '^added' "$scratch/watch.log")"

# Per plug-in: udev's time, and that until the announcement, in ms.
awk '$1 == "kernel" { k = $2 } $1 == "udev" { u = $2 }
     $1 == "added" { printf "%.2f %.2f %.2f\n", (u - k) / 1000, ($2 - k) / 1000, ($2 - u) / 1000 }' \
        "$scratch/watch.log" >"$scratch/times"
heading "A V2-1 is plugged in, $times times"
printf '  %-44s %9s %9s\n' "" median worst
spread "kernel's uevent to udev's, ms" 1 "$scratch/times"
spread "kernel's uevent to InterfacesAdded, ms" 2 "$scratch/times"
spread "of it after udev, ms" 3 "$scratch/times"
spread "ST-LINK commands" 1 "$scratch/traffic"
spread "USB transfers" 2 "$scratch/traffic"

heading "stlinkctl status, $looks times"
sim reset-counters >/dev/null
for ((i = 0; i < looks; i++)); do stlinkctl status >/dev/null; done
row "USB transfers" "$(counter transfers)"
row "target resets" "$(counter target_resets)"
finish
