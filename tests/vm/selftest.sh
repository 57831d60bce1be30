#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The VM itself, from outside: it returns the command's status, keeps the two outputs apart,
# throws away what the guest writes, and reports a guest that hangs or dies.
# deadline: 900
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

vm=$TOP_SRCDIR/tests/vm/vm

boot() { # VM-OPTION... -- CMD...
        status=0
        "$vm" -b "$TOP_BUILDDIR" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
}

boot -w "$scratch" -- bash -c "echo to-out; echo to-err >&2; touch /etc/only-in-the-guest $scratch/shared; exit 7"
check_equal "the command's status comes back" 7 "$status"
check_equal "so does its output, alone" to-out "$(cat "$scratch/out")"
check_match "and its errors, apart" '^to-err$' "$(cat "$scratch/err")"
check "what it writes to a shared directory stays" test -e "$scratch/shared"
check_fails "what it writes elsewhere does not" test -e /etc/only-in-the-guest

boot -t 25 -- sleep 1000
check_equal "a command that hangs is killed" 124 "$status"
check_match "and reported" 'had not ended after 25 s' "$(cat "$scratch/err")"

VM_SILENCE_LIMIT=15 boot -- bash -c 'pkill -STOP -f /run/vm-run; sleep 1000'
check_equal "a guest that gives no sign of life is killed" 125 "$status"
check_match "and reported" 'the guest was frozen for 15 s' "$(cat "$scratch/err")"
check_match "with where its kernel was" 'NMI.*panic|panic.*NMI' "$(cat "$scratch/err")"

boot -- bash -c 'echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 60'
check_equal "a kernel that dies is noticed" 125 "$status"
check_match "and its last words are shown" 'sysrq triggered crash' "$(cat "$scratch/err")"
finish
