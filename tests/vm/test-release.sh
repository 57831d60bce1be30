#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Getting a probe back from somebody, among real users: asking is for who may use a probe, force and
# the end of another's program for whom polkit lets; and the journal of use is for everybody. What
# the daemon sees of others does not depend on how /proc is mounted.
# deadline: 900
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
need openocd

serial=066DFF504955857567012345
rules=/etc/polkit-1/rules.d/10-test.rules
set_rule() { # BODY of a function of action and subject
        printf 'polkit.addRule(function (action, subject) { %s });\n' "$1" >"$rules"
        chmod 644 "$rules"
        systemctl restart polkit
}
leased_to() { # COMMAND
        stlinkctl status | grep -q "leased to $1"
}
is_free() { stlinkctl status | grep -q 'State: free'; }

probes "v2-1:target=f411,serial=$serial"
check_soon "the probe is identified" 90 eval 'stlinkctl list | grep -q "V2J.*free"'

# --- another user's lease -----------------------------------------------------------------
spawn holder stlinkctl run -- sleep 600
holder=$spawned
check_soon "root has it" 60 leased_to stlinkctl
run as_user visitor stlinkctl release --ask
check_equal "who may not use it may not ask" 5 "$status"
check "a member of group stlink may" as_user labuser stlinkctl release --ask --reason 'it is my turn'
told() { grep -q 'labuser: stlinkctl (pid [0-9]*) asks for the probe: it is my turn' "$scratch/holder.log"; }
check_soon "the holder is told by whom" 30 told
run as_user labuser stlinkctl release --force --grace=0
check_equal "force is for administrators" 5 "$status"
check_match "and he is told so" 'only with an administrator.*io.github.stlinkd1.break-lease' "$output"
check "root has it still" leased_to stlinkctl
set_rule 'if (action.id == "io.github.stlinkd1.break-lease" && subject.user == "labuser" &&
        action.lookup("holder").indexOf("root: stlinkctl") == 0) return polkit.Result.YES;'
check "a rule may let him, and knows from whom it is" as_user labuser stlinkctl release --force --grace=1s
check_soon "free" 30 is_free
wait $holder
check_equal "its command was ended" 143 $?
rm "$rules"
systemctl restart polkit

spawn holder as_user labuser stlinkctl run -- sleep 600
check_soon "labuser has it" 60 leased_to stlinkctl
check "root needs no permission" stlinkctl release --force --grace=0
check_soon "free" 30 is_free

# --- a program of another user that was left behind ----------------------------------------
# In a scope, as a login has one: what runs in a service never counts as left behind.
systemd-run --quiet --scope --uid=labuser --gid=labuser -- bash -c 'exec openocd \
        -f interface/stlink.cfg -f target/stm32f4x.cfg </dev/null >/dev/null 2>&1 & exec sleep 2'
server() { stlinkctl status | grep -q 'openocd .* of labuser'; }
check_soon "a debug server of labuser's is left behind" 60 server
orphaned() { as_user visitor stlinkctl status | tr -s ' \n' ' ' | grep -q 'port 3333, 4444, 6666, nobody connected, left behind'; }
check_soon "everybody sees it, with its ports" 60 orphaned
run as_user visitor stlinkctl status --full
check_no_match "but not how it was called" 'called as: openocd' "$output"
check_match "which takes a right" 'io.github.stlinkd1.see-all' "$output"
check_match "root sees it" 'called as: openocd -f interface' "$(stlinkctl status --full | tr -s ' \n' ' ')"
run as_user visitor stlinkctl release --stale
check_equal "a stranger cannot end it" 5 "$status"
check_match "and is told so" 'io.github.stlinkd1.break-lease' "$output"
check "it is there" server
run stlinkctl release --stale
check_equal "root can, by the daemon" 0 "$status"
check_match "which names it" 'Ended openocd \(PID [0-9]+\) of labuser' "$output"
check_soon "free" 30 is_free
check_match "the journal knows on whose behalf" 'For root, openocd .* of labuser is ended' "$(journal stlinkd)"

# --- the journal of use -------------------------------------------------------------------
# Not through a pipe, which grep would close before all is written.
told_of() { grep -q "$1" <<<"$(as_user visitor stlinkctl history)"; }
check "everybody may read who had it" told_of 'leased  *root'
check "by a lease or without one" told_of 'used without a lease  *labuser  *openocd'
check_match "as a picture, too" '<svg' "$(as_user visitor stlinkctl history --svg -)"
systemctl restart stlinkd
check_soon "the daemon is back" 180 is_free
check "it goes back over a restart" told_of 'used without a lease  *labuser  *openocd'
check_equal "its file is the daemon's own" "stlinkd 600" "$(stat -c '%U %a' /var/lib/stlinkd/history)"

# --- /proc that hides processes -----------------------------------------------------------
sight() { busctl --system get-property io.github.stlinkd1 /io/github/stlinkd1 io.github.stlinkd1.Manager Sight; }
mount -o remount,hidepid=2 /proc
check_fails "processes are hidden from others" as_user labuser test -e /proc/1/stat
systemctl restart stlinkd
check_soon "the daemon is back" 180 is_free
check_equal "it sees all the same" 's "all"' "$(sight)"
exec 9<>"$(stlinkctl list --json | sed -n 's/.*"node": *"\(.*\)",/\1/p')"
check_soon "and names who has it open" 30 eval 'as_user labuser stlinkctl status | grep -q "Holder: .* of root"'
exec 9>&-
mkdir -p /run/systemd/system/stlinkd.service.d
printf '[Service]\nProtectProc=invisible\nAmbientCapabilities=\nCapabilityBoundingSet=\n' \
        >/run/systemd/system/stlinkd.service.d/blind.conf
systemctl daemon-reload
systemctl restart stlinkd
check_soon "without rights it runs, too" 60 eval 'stlinkctl list | grep -q V2'
check_equal "and says what it does not see" 's "hidden"' "$(sight)"
check_match "and in the journal why" 'mounted with hidepid' "$(journal stlinkd)"
rm -r /run/systemd/system/stlinkd.service.d
systemctl daemon-reload
mount -o remount,hidepid=0 /proc
systemctl restart stlinkd
check_soon "all is well again" 60 is_free
check_equal "it sees all" 's "all"' "$(sight)"
finish
