#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The journal of use: who held what, who used it without a lease, who waited and who was refused;
# after a restart and a crash of the daemon, with a line cut short, and drawn.
# deadline: 180
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need st-info jq xmllint
enter_world v2-1:mode=mass,serial=066DFF000000000000000001,target=f411 v2:mode=mass,serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
mkdir "$scratch/state"
start_daemon "StateDirectory=$scratch/state"
check_soon "the probes are identified" 10 is $one free
wait_until 10 is $two free

entries() { # FILTER ARGUMENT...: how many entries fit
        ctl history --json "${@:2}" | jq "[.[] | select($1)] | length"
}

check_equal "nothing has happened" "[]" "$(ctl history --json | tr -d ' \n')"
check_equal "and said" "Nothing is in the journal of use." "$(ctl history)"
check "a run" ctl run -p $one --reason 'nightly <b>test</b>' -- sleep 0.3
check_equal "is in it" 1 "$(entries '.event == "lease" and .ongoing == false and .reason == "nightly <b>test</b>"')"
check_match "in words" "$one +leased .*nightly" "$(ctl history)"

# Who is refused, who waits in vain, who waits and gets it
spawn holder "$TOP_BUILDDIR/stlinkctl" run -p $one -- sleep 300
holder=$spawned
check_soon "somebody has it" 10 is $one leased
check_equal "and has it still" 1 "$(entries '.event == "lease" and .ongoing')"
check_match "in words" 'so far' "$(ctl history)"
check_fails "another is refused" ctl run -p $one -- true
check_equal "refused" 1 "$(entries '.event == "refused" and (.holder | contains("stlinkctl"))')"
check_fails "another waits in vain" ctl run -p $one --wait=200ms -- true
check_equal "waited in vain" 1 "$(entries '.event == "wait" and .why == "timeout"')"

# A crash: what has begun is known, and goes on where it does
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
printf '{"event":"lease","key":"cut sho' >>"$scratch/state/history"
run_daemon
check_soon "the lease is there again" 20 is $one leased
check_equal "it goes on in the journal, too" 1 "$(entries '.event == "lease" and .ongoing')"
kill $holder
wait $holder
check_soon "free" 10 is $one free
check_equal "and has ended" 0 "$(entries '.ongoing')"
check_equal "each is told once" 2 "$(entries '.event == "lease"')"

# One that ends while nobody looks
spawn holder "$TOP_BUILDDIR/stlinkctl" run -p $two -- sleep 300
holder=$spawned
check_soon "somebody has the other" 10 is $two leased
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
kill -KILL $holder
pkill -KILL -P $holder
wait $holder 2>/dev/null
run_daemon
check_soon "free" 20 is $two free
check_equal "it has ended" 0 "$(entries '.ongoing' $two)"
check_equal "once" 1 "$(entries '.event == "lease"' $two)"

# Without a lease: what comes often is one entry, what lasts is one of its own
for _ in 1 2 3 4; do
        st-info --probe >/dev/null 2>&1
        sleep 0.3
done
node=$(field $one node)
exec 9<>"$node"
in_use() { is "$one" in-use; }
check_soon "this shell has it open" 10 in_use
lasting() { [ "$(entries '.event == "use" and .ongoing and .command == "bash"' "$one")" = 1 ]; }
check_soon "that lasts" 30 lasting
exec 9>&-
check_soon "free" 10 is $one free
check_equal "and has ended" 1 "$(entries '.event == "use" and .command == "bash" and .seconds >= 5')"
check "short ones are merged" test "$(entries '.event == "use" and .command == "st-info"' $one)" -le 1

# Choosing
check_equal "one probe" 0 "$(entries ".probe != \"$two\"" $two)"
export XDG_CONFIG_HOME=$scratch/config
ctl alias bench $two
check_equal "by its alias" "$(entries true $two)" "$(entries true bench)"
run ctl history nonsense
check_equal "a name that is nobody's" 3 "$status"
check_match "is told" "is called 'nonsense'" "$output"
check "both" test "$(entries true)" -gt "$(entries true $two)"
check_equal "since now" 0 "$(entries true --since 0)"
check_equal "since an hour" "$(entries true)" "$(entries true --since 1h)"
check_equal "since yesterday" "$(entries true)" "$(entries true --since yesterday)"
run ctl history --since whenever
check_equal "no time" 2 "$status"
check_match "and how to say one" 'yesterday' "$output"

# Drawn: well-formed, one bar for each probe, nothing of what users say is markup, no links
check "a picture" ctl history --svg "$scratch/a.svg"
check "is well-formed" xmllint --noout "$scratch/a.svg"
check_equal "a bar for each probe" 2 "$(grep -c 'class="track"' "$scratch/a.svg")"
check_match "what users say is text" '&lt;b&gt;test' "$(cat "$scratch/a.svg")"
check_no_match "it needs no other file" 'href|url\(|<script|@import' "$(cat "$scratch/a.svg")"
check_match "light and dark" 'prefers-color-scheme: dark' "$(cat "$scratch/a.svg")"
check_equal "to standard output" "$(head -c 4 "$scratch/a.svg")" "$(ctl history --svg - | head -c 4)"
check_fails "a place that is none" ctl history --svg "$scratch/none/a.svg"
[ -z "${KEEP_SVG-}" ] || cp "$scratch/a.svg" "$KEEP_SVG"

# It stays within its bounds, whatever is in it.
yes '{"event":"lease","key":"x","probe":"y","since":1000000}' | head -c 4200000 >>"$scratch/state/history"
kill -TERM "$daemon_pid"
wait "$daemon_pid"
run_daemon
check_soon "free" 20 is $one free
check "one more" ctl run -p $one -- true
check "the older half is gone" test "$(stat -c %s "$scratch/state/history")" -lt 2200000
check_equal "the newest is there" 1 "$(entries '.event == "lease"' $one)"
check_equal "no half of a line" 0 "$(grep -vc '^{.*}$' "$scratch/state/history")"
stop_daemon
check_equal "what it keeps is not for everybody" 600 "$(stat -c %a "$scratch/state/history")"
finish
