#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A whole lab at once: 120 probes plugged in together, how long until all are identified, and
# what the daemon then costs. In the VM, with the installed service.
# deadline: 900
# shellcheck source=../vm/guest.sh
. "$(dirname "$0")/../vm/guest.sh"
# shellcheck source=figures.sh
. "$(dirname "$0")/figures.sh"

seconds=${BENCH_IDLE_SECONDS:-60}

# asked N: the daemon shows that many probes and is through with them, answer or none.
asked() {
        stlinkctl list --no-legend | awk -v n="$1" '/ identifying / { busy++ } END { exit busy || NR != n }'
}

# idle WHAT: memory, then wake-ups, of the daemon as it is.
idle() {
        local pid before
        pid=$(property stlinkd MainPID)
        sleep 3
        row "resident memory with $1" "$(memory "$pid" VmRSS) KiB" \
                "of it anonymous: $(memory "$pid" RssAnon) KiB"
        before=$(wakeups "$pid")
        sleep "$seconds"
        row "wake-ups in $seconds s with $1" $(($(wakeups "$pid") - before))
}

heading "The installed daemon in the VM"
probes v2:target=f103 v2-1:target=f411
wait_until 60 identified 2
idle "2 probes"
kill "$simulator"
wait "$simulator"
wait_until 60 identified 0
systemctl stop stlinkd

specs=()
for _ in {1..120}; do specs+=(v2); done
started=$EPOCHREALTIME
probes "${specs[@]}"
there=$EPOCHREALTIME
wait_until 300 asked 120
all=$EPOCHREALTIME
heading "120 probes plugged in at once, the service not running"
row "identified" "$(how_many free)"
row "deadline missed, not answering" "$(how_many not-answering)"
row "until the kernel and udev had them all" "$(ms "$started" "$there") ms"
row "until all were identified" "$(ms "$started" "$all") ms"
idle "120 probes"
check_equal "120 probes were identified" 120 "$(how_many free)"
finish
