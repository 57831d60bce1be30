#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the gate costs those who open something else: at most twice what a program costs on that hook
# that does nothing, by the kernel's own count (kernel.bpf_stats_enabled), at the same time.
# deadline: 200
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
need clang bpftool jq

opens=20000
statistics() { # PROGRAM: time in ns and runs of one that is in force
        bpftool --json prog show | jq -r "[.[] | select(.name == \"$1\")] |
                \"\(map(.run_time_ns) | add) \(map(.run_cnt) | add)\""
}
# cost BEFORE AFTER: what one run took between the two, in ns
cost() {
        awk -v before="$1" -v after="$2" 'BEGIN { split(before, b); split(after, a)
                printf "%d", (a[1] - b[1]) / (a[2] - b[2]) }'
}
open_often() { # FILE
        local i
        for ((i = 0; i < opens; i++)); do : <"$1"; done
}

systemctl stop stlinkd
probes "v2-1:target=f411"
check_soon "the probe starts the daemon" 60 identified 1
spawn holder stlinkctl run -- sleep 1000
check_soon "the probe is leased, so the gate has something to do" 30 eval "stlinkctl list --no-legend | grep -q leased"
clang -target bpf -O2 -g "-I/usr/include/$(uname -m)-linux-gnu" -c "$TOP_SRCDIR/tests/vm/empty.bpf.c" \
        -o "$scratch/empty.o" || fail "clang compiles an empty program"
spawn attach "$TOP_BUILDDIR/tests/vm/attach" "$scratch/empty.o"
check_soon "a program that does nothing is there, too" 60 grep -q attached "$scratch/attach.log"
sysctl -q kernel.bpf_stats_enabled=1
printf x >"$scratch/file"
for file in "$scratch/file" /dev/null; do
        for _ in 1 2 3; do # whoever is interrupted for long once seems to be slow
                gate=$(statistics on_open) empty=$(statistics empty_open)
                open_often "$file"
                after=$(statistics on_open)
                gate=$(cost "$gate" "$after") empty=$(cost "$empty" "$(statistics empty_open)")
                ratio=$((100 * gate / empty))
                if [ $ratio -le 200 ] || [ "$file" = /dev/null ]; then break; fi
        done
        check_match "they ran for each of $opens opens" '^[0-9]+ [0-9]{5,}$' "$after"
        name="an open of ${file/$scratch/a plain file,} costs $gate ns in the gate, $empty ns in the other ($ratio %)"
        if [ "$file" = /dev/null ]; then ok "$name"; else check "$name" test "$ratio" -le 200; fi
done
sysctl -q kernel.bpf_stats_enabled=0

run systemd-analyze --no-pager security --threshold=20 stlinkd.service
check_equal "the unit that is installed and runs is exposed by 2.0 at most" 0 "$status"
tail -n 1 <<<"$output"
finish
