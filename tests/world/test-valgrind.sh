#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main story with the daemon, its worker and stlinkctl under valgrind, which sees what the
# sanitizers do not: the use of memory that nobody has set, in the libraries too.
# deadline: 300
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need valgrind openocd st-flash
# All of nm's output is read: a grep that leaves early ends nm by SIGPIPE, and the pipe with it.
if [ "$(nm -a "$TOP_BUILDDIR/stlinkd" 2>/dev/null | grep -c __asan_init)" -gt 0 ]; then
        skip "memory under valgrind" "this build has sanitizers, which do not go with it"
        finish
fi
enter_world v2:serial=066DFF000000000000000001,target=f103 v2-1:serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002

# under_valgrind NAME: a program that runs another one under valgrind, as long as the world lives.
under_valgrind() {
        cat >"$scratch/$1" <<-END
	#!/bin/sh
	exec valgrind --quiet --error-exitcode=98 --leak-check=full --show-leak-kinds=definite \
		--errors-for-leak-kinds=definite --num-callers=30 \
		--log-file="$scratch/valgrind.$1.%p" "$TOP_BUILDDIR/$1" "\$@"
	END
        chmod +x "$scratch/$1"
}
for name in stlinkd stlinkd-worker stlinkctl; do under_valgrind $name; done
stlinkctl=$scratch/stlinkctl
head -c 3000 /dev/urandom >"$scratch/image"

start_bus
printf '%s\n' '[Daemon]' "RuntimeDirectory=$scratch/run" Gate=poll '[Probes]' 'JobTimeout=60s' \
        'AwayTimeout=2s' >"$scratch/stlinkd.conf"
export STLINKD_CONFIG=$scratch/stlinkd.conf STLINKD_WORKER=$scratch/stlinkd-worker
spawn daemon "$scratch/stlinkd"
daemon_pid=$spawned
check_soon "the daemon starts" 60 on_bus
check_soon "both probes are identified" 60 eval "is $one free && is $two free"

for verb in status list 'list --json'; do
        # shellcheck disable=SC2086 # words
        check "$verb" "$stlinkctl" $verb
done
spawn monitor "$stlinkctl" monitor
monitor=$spawned
spawn openocd openocd -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init
openocd=$spawned
check_soon "OpenOCD has it" 20 is $one claimed
check "status names it" "$stlinkctl" status $one
check_match "by its pid" "openocd \(PID $openocd\)" "$output"
spawn flash "$stlinkctl" run --wait -p $one -- st-flash --serial $one write "$scratch/image" 0x8000000
flash=$spawned
check_soon "st-flash waits" 60 grep -q 'Waiting for' "$scratch/flash.log"
kill "$openocd"
check "and works when OpenOCD has left" wait "$flash"
check "connect" "$stlinkctl" connect $two
check_soon "free again" 20 is $two free

# What goes wrong must not lose memory either.
check_fails "a probe that is not there" "$stlinkctl" connect nothing
sim set 2 condition=absent
check_fails "no target" "$stlinkctl" connect $two
sim set 2 condition=ok unplug-at=9
check_fails "pulled out of connect" "$stlinkctl" connect $two
check_soon "gone" 20 is $two gone
sim set 2 state=garbage
sim plug 2
check_soon "a probe that answers nonsense" 60 is $two not-answering
sim unplug 2
check_soon "gone again" 20 is $two gone
spawn holder "$stlinkctl" run -p $one -- sleep 300
holder=$spawned
check_soon "leased" 60 is $one leased
spawn waiter "$stlinkctl" run --wait -p $one -- true
waiter=$spawned
check_soon "waited for" 60 grep -q 'Waiting for' "$scratch/waiter.log"
sim unplug 1
wait "$waiter"
check_equal "who waited for a probe that was pulled out is told" 122 $?
kill "$holder"
wait "$holder"
kill "$monitor"
wait "$monitor"
check_soon "no worker is left" 60 no_worker
kill -TERM "$daemon_pid"
wait "$daemon_pid"
check_equal "the daemon ends in good order" 0 $?

count_logs() {
        find "$scratch" -name "valgrind.$1.*" | wc -l
}
check "valgrind watched the daemon" test "$(count_logs stlinkd)" -ge 1
check "and its workers ($(count_logs stlinkd-worker))" test "$(count_logs stlinkd-worker)" -ge 5
check "and stlinkctl ($(count_logs stlinkctl))" test "$(count_logs stlinkctl)" -ge 10
# All it says of a program without errors is which ioctl (of usbfs) and which system call
# (pidfd_open, which it refuses) it does not know.
complaints=$(cat "$scratch"/valgrind.* | grep -vE 'unhandled (ioctl|amd64-linux syscall)|README_MISSING|spurious value|write your own handler|consider this a bug|valgrind.org')
check_equal "valgrind has nothing to say" "" "$complaints"
finish
