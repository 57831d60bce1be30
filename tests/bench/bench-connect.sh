#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How many ST-LINK commands it takes to enter SWD, to know the chip, and to do so under reset; and
# how many USB transfers it takes to read 256 KiB, how fast: stlinkctl beside the peers, on probes
# that idle (mode 01). 0 in the second column: that tool did not ask for the device ID and the
# flash size.
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

number=1 # of the simulated probe

openocd_with() { # COMMAND...: on the F411
        local command options=()
        for command in "$@"; do options+=(-c "$command"); done
        openocd -f interface/stlink.cfg -f target/stm32f4x.cfg \
                -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' "${options[@]}" -c exit
}

# peer PROBE NAME CMD...: one line of the table.
peer() {
        local probe=$1 name=$2
        shift 2
        sim reset-counters
        run "$@"
        printf '  %-10s %-30s %8s %10s %8s %8s %8s\n' "$probe" "$name" "$(counter "$number" swd_entered_at)" \
                "$(counter "$number" identified_at)" \
                "$(counter "$number" commands)" "$(counter "$number" target_resets)" "$(counter "$number" target_halts)"
}

count_commands() {
        heading "ST-LINK commands on a $1 (until SWD was entered, until the chip was known, in all)"
        printf '  %-10s %-30s %8s %10s %8s %8s %8s\n' probe tool entered identified all resets halts
        ctl connect >/dev/null # leaves the boot loader, if it rests there
        peer "$1" "stlinkctl connect" ctl connect
        peer "$1" "st-info --probe --hot-plug" st-info --probe --hot-plug
        ctl connect >/dev/null # st-info leaves the probe in debug mode
        peer "$1" "openocd: init; exit" openocd_with init
        # Debian's pyOCD takes no V3 that there is: it wants version J24 of it.
        [ "$1" = V3 ] || peer "$1" "pyocd-tool status" pyocd-tool status
        peer "$1" "stlinkctl connect, under reset" ctl connect --mode=under-reset
        peer "$1" "st-info, under reset" st-info --probe --connect-under-reset
        ctl connect >/dev/null
        peer "$1" "openocd, under reset" openocd_with \
                'reset_config srst_only srst_nogate connect_assert_srst' init 'reset run'
}

readers=(stlinkctl st_flash openocd)
by_stlinkctl() { ctl read -o "$3" "$1" "$2"; }
by_st_flash() { st-flash read "$3" "$1" "$2"; }
by_openocd() { openocd_with init "dump_image $3 $1 $2"; }

# time_readers SIZE: once each, one behind the other, so that a busy moment of the machine is all
# of theirs; adds to the times in $scratch/READER.SIZE.
time_readers() {
        local reader
        for reader in "${readers[@]}"; do
                ctl connect >/dev/null
                time_ms "by_$reader" 0x08000000 "$1" "$scratch/read" >>"$scratch/$reader.$1"
        done
}

count_transfers() { # READER: how many it takes is $transfers
        ctl connect >/dev/null
        sim reset-counters
        "by_$1" 0x08000000 262144 "$scratch/read" >/dev/null 2>&1
        transfers=$(counter 1 transfers)
        cmp -s "$scratch/read" "$scratch/flash" || fail "$1 reads what is there"
}

kib_per_second() { # MILLISECONDS that 256 KiB took
        awk -v ms="$1" 'BEGIN { printf "%.0f", 256000 / ms }'
}

# How fast is told for the command as a whole, and for what 256 KiB take longer than 4 bytes do: by the
# time that a tenth of the runs keep, since other programs only ever make one slower.
tell_reader() { # READER
        local transfers short long
        count_transfers "$1"
        short=$(percentile 10 <"$scratch/$1.4")
        long=$(percentile 10 <"$scratch/$1.262144")
        printf '  %-20s %9s %7s %9s %9s %9s %14s\n' "$1" "$transfers" "$(ratio "$transfers" "$least")" "$short" \
                "$long" "$(kib_per_second "$long")" "$(kib_per_second "$(awk "BEGIN { print $long - $short }")")"
}

read_flash() {
        local reader
        # 6144 bytes at most in one command, its answer, and the same for its status
        # shellcheck disable=SC2017 # whole commands
        least=$(((262144 + 6143) / 6144 * 4))
        heading "Read 256 KiB of flash through a $1 at full speed whose transfers take $2 longer (the packet limits allow $least)"
        sim set 1 wire=real latency="$2" >/dev/null
        printf '  %-20s %9s %7s %9s %9s %9s %14s\n' tool transfers ratio 'ms, 4 B' 'ms, all' 'KiB/s' 'without start'
        rm -f "$scratch"/*.{4,262144}
        for _ in {1..15}; do
                time_readers 4
                time_readers 262144
        done
        for reader in "${readers[@]}"; do tell_reader "$reader"; done
        sim set 1 wire=instant latency=0 >/dev/null
}

count_v2() {
        count_commands V2
        head -c 262144 /dev/urandom >"$scratch/flash"
        flash_it
        read_flash V2 1ms
        read_flash V2 250us
}

flash_it() {
        st-flash write "$scratch/flash" 0x08000000 >/dev/null 2>&1
}

count_v3() {
        sim unplug 1 >/dev/null
        sim add v3:target=f411 >/dev/null
        number=2
        wait_until 20 eval "ctl list --no-legend | grep -q 'V3J.* free'"
        count_commands V3
}

count_all() {
        count_v2
        count_v3
}

world_bench count_all v2:target=f411
