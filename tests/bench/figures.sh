# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# How all benches print. They print figures and judge nothing: the machine is noisy, so what
# counts are ratios from one run and numbers of transfers, system calls and wake-ups.

# ratio A B: A / B with two decimals.
ratio() {
        awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f\n", a / b; else print "-" }'
}

# ms FROM TO: milliseconds between two values of $EPOCHREALTIME, without a fork.
ms() {
        local us=$((${2/[.,]/} - ${1/[.,]/}))
        printf '%d.%03d\n' $((us / 1000)) $((us % 1000))
}

# percentile P: of the numbers on stdin; 50 is the median.
percentile() {
        sort -n | awk -v p="$1" '{ v[NR] = $1 } END { print NR ? v[int((NR - 1) * p / 100 + 1)] : "-" }'
}

# heading TEXT
heading() {
        printf '\n%s\n' "$1"
}

# row NAME VALUE [NOTE]
row() {
        printf '  %-44s %12s  %s\n' "$1" "$2" "${3-}"
}

# spread NAME COLUMN FILE: median and worst of a column.
spread() {
        printf '  %-44s %9s %9s\n' "$1" "$(awk -v n="$2" '{ print $n }' "$3" | percentile 50)" \
                "$(awk -v n="$2" '{ print $n }' "$3" | percentile 100)"
}

# wakeups PID: of its main thread until now, told by the kernel as context switches.
wakeups() {
        awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/status"
}

# memory PID KEY: VmRSS, RssAnon ... in KiB.
memory() {
        awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}
