# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What every shell test is made of. A test begins and ends like this:
#
#     #!/bin/bash
#     # SPDX-License-Identifier: LGPL-2.1-or-later
#     # What is tested, and why it could break.
#     # deadline: 60
#     # shellcheck source=../lib.sh
#     . "$(dirname "$0")/../lib.sh"
#     need openocd
#     run openocd --version
#     check_equal "openocd says its version and succeeds" 0 "$status"
#     finish
#
# Each ok, fail, skip and check_* counts one check. finish prints the closing line,
# "N passed, N failed, N skipped", and exits: 0 all passed, 1 something failed, 77 nothing but
# skips. A test that ends without finish, or that checked nothing, has failed.
#
# Given by whoever runs the test (make check, tests/run), else found from this file's place:
#   TOP_SRCDIR    top of the source tree     TOP_BUILDDIR  top of the build tree (programs)
# Given to the test:
#   $scratch      a directory of its own, removed at the end

set -u -o pipefail

TOP_SRCDIR=${TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
TOP_BUILDDIR=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
TOP_SRCDIR=$(cd "$TOP_SRCDIR" && pwd)
[ ! -d "$TOP_BUILDDIR" ] || TOP_BUILDDIR=$(cd "$TOP_BUILDDIR" && pwd)
export TOP_SRCDIR TOP_BUILDDIR

scratch=$(mktemp -d "${TMPDIR:-/tmp}/stlinkd-test.XXXXXX") && mkfifo "$scratch/.never" || exit 99
lib_passed=0 lib_failed=0 lib_skipped=0 lib_finished=no
lib_pids=() lib_cleanups=()

# ok NAME: one check that held.
ok() {
        lib_passed=$((lib_passed + 1))
        printf 'ok    %s\n' "$1"
}

# fail NAME [DETAIL]: one check that did not; DETAIL is shown below it.
fail() {
        lib_failed=$((lib_failed + 1))
        printf 'FAIL  %s\n' "$1"
        [ -z "${2-}" ] || printf '%s\n' "$2" | sed 's/^/      | /'
}

# skip NAME REASON: one check that cannot be made here. The reason is shown and listed.
skip() {
        lib_skipped=$((lib_skipped + 1))
        printf 'skip  %s: %s\n' "$1" "$2"
}

# run CMD...: run it (a function is fine), leaving its exit status in $status and what it wrote
# to stdout and stderr in $output.
run() {
        status=0
        "$@" >"$scratch/.run" 2>&1 </dev/null || status=$?
        lib_read "$scratch/.run"
}

# lib_read FILE: $output is what $(tr -d '\0' <FILE) would be, without a process.
lib_read() {
        local pieces
        mapfile -d '' pieces <"$1"
        printf -v output %s "${pieces[@]}"
        while [[ $output == *$'\n' ]]; do output=${output%$'\n'}; done
}

# lib_matches REGEX TEXT: as grep -E, without a process.
lib_matches() {
        local line
        while IFS= read -r line; do
                [[ ! $line =~ $1 ]] || return 0
        done <<<"$2"
        return 1
}

# check NAME CMD...: the command succeeds. Its output is shown when it does not.
check() {
        local name=$1
        shift
        run "$@"
        if [ "$status" -eq 0 ]; then ok "$name"; else fail "$name" "status $status: $*
$output"; fi
}

# check_fails NAME CMD...: the command fails, by its own decision (not by a signal).
check_fails() {
        local name=$1
        shift
        run "$@"
        if [ "$status" -gt 0 ] && [ "$status" -lt 126 ]; then ok "$name"; else
                fail "$name" "status $status, expected a failure: $*
$output"
        fi
}

# check_equal NAME EXPECTED ACTUAL
check_equal() {
        if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "expected: $2
     got: $3"; fi
}

# check_match NAME REGEX TEXT: a line of TEXT matches the extended regular expression.
check_match() {
        if lib_matches "$2" "$3"; then ok "$1"; else fail "$1" "no line matches: $2
$3"; fi
}

# check_no_match NAME REGEX TEXT: no line of TEXT does.
check_no_match() {
        if lib_matches "$2" "$3"; then fail "$1" "a line matches: $2
$3"; else ok "$1"; fi
}

# lib_pause SECONDS: as sleep, without a process; those cost 10 ms each in the VM.
lib_pause() {
        read -r -t "$1" <>"$scratch/.never" || :
}

# wait_until SECONDS CMD...: try the command 20 times a second until it succeeds; its output is
# dropped. Fails after SECONDS. For "soon" use a generous number: it costs nothing when all is well.
wait_until() {
        local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
        shift
        until "$@" >/dev/null 2>&1; do
                [ "${EPOCHREALTIME/[.,]/}" -lt $end ] || return 1
                lib_pause "${wait_interval:-0.05}"
        done
}

# check_soon NAME SECONDS CMD...: wait_until as a check.
check_soon() {
        local name=$1
        shift
        if wait_until "$@"; then ok "$name"; else fail "$name" "not within $1 s: ${*:2}$(why_late)"; fi
}

# What to show of the world when something did not come in time; for those who include this.
why_late() {
        :
}

# spawn NAME CMD...: start it in the background, output to $scratch/NAME.log; $spawned is its
# pid. Whatever still runs at the end of the test is killed.
spawn() {
        local log=$scratch/$1.log
        shift
        : >"$log" # before anybody looks for what an earlier one of that name said
        "$@" >"$log" 2>&1 </dev/null &
        spawned=$!
        lib_pids+=("$spawned")
}

# background NAME CMD...: as spawn, with its output in $scratch/NAME.out and NAME.err; $job is its
# pid.
background() {
        local out=$scratch/$1.out err=$scratch/$1.err
        shift
        : >"$out"
        : >"$err"
        "$@" >"$out" 2>"$err" </dev/null &
        job=$!
        lib_pids+=("$job")
}

# ended PID: wait for what was started in the background, its exit status in $status.
ended() {
        wait_until 60 lib_is_gone "$1" || {
                fail "$(tr '\0' ' ' <"/proc/$1/cmdline") ends"
                kill -KILL "$1"
        }
        status=0
        wait "$1" 2>/dev/null || status=$?
}

# at_exit CMD...: run it at the end of the test, however it ends; last in, first out.
at_exit() {
        lib_cleanups=("$(printf '%q ' "$@")" "${lib_cleanups[@]}")
}

# need TOOL...: skip the rest of the test when one is missing.
need() {
        local tool
        for tool in "$@"; do
                command -v "$tool" >/dev/null 2>&1 && continue
                skip "${0##*/}" "$tool is missing (./dev deps installs it)"
                finish
        done
}

finish() {
        lib_finished=yes
        if [ $((lib_passed + lib_failed + lib_skipped)) -eq 0 ]; then
                fail "${0##*/} checks something"
        fi
        exit 0
}

lib_kill_spawned() {
        local pid
        # The pid of one that has ended may be somebody else's by now.
        { jobs -rp; jobs -sp; } >"$scratch/.jobs"
        mapfile -t lib_pids <"$scratch/.jobs"
        for pid in "${lib_pids[@]}"; do kill "$pid" 2>/dev/null; done
        for pid in "${lib_pids[@]}"; do
                wait_until 3 lib_is_gone "$pid" || kill -KILL "$pid"
        done 2>/dev/null
}

lib_is_gone() {
        ! kill -0 "$1"
}

lib_end() {
        local status=$? command
        trap - EXIT
        [ $lib_finished = yes ] || fail "${0##*/} runs to its end (it left with status $status)"
        for command in "${lib_cleanups[@]}"; do eval "$command"; done
        lib_kill_spawned
        rm -rf "$scratch"
        printf '%d passed, %d failed, %d skipped\n' $lib_passed $lib_failed $lib_skipped
        [ $lib_failed -eq 0 ] || exit 1
        [ $lib_passed -gt 0 ] || exit 77
        exit 0
}
trap lib_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
