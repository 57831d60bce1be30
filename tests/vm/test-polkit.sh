#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may take a probe, as the real polkit and the rule that we ship say: root, members of group
# stlink from anywhere, and nobody else without a seat. Without polkit: the same by the daemon.
# deadline: 240
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

serial=066DFF504955857567012345
rules=/etc/polkit-1/rules.d/10-test.rules

polkit_is() { # STATE
        unit_is polkit "$1"
}
holders() { # USER OPTION...
        as_user "$1" busctl --system --allow-interactive-authorization=no call io.github.stlinkd1 \
                "/io/github/stlinkd1/probe/_30${serial:1}" io.github.stlinkd1.Probe GetHolders 'a{sv}' "${@:2}" 9>&-
}
# polkitd reads its rules when it starts, and some time after they change.
set_rule() { # BODY of a function of action and subject
        printf 'polkit.addRule(function (action, subject) { %s });\n' "$1" >"$rules"
        chmod 644 "$rules"
        systemctl restart polkit
}

probes "v2-1:target=f411,serial=$serial"
check_soon "the daemon runs" 60 unit_is stlinkd active
check_soon "the probe is identified" 60 eval 'as_user visitor stlinkctl list | grep -q "V2J.*free"'
run pkaction --verbose --action-id io.github.stlinkd1.lease
check_match "polkit knows the action" 'implicit active: +yes' "$output"
check_match "and that the daemon may ask about others" 'org.freedesktop.policykit.owner -> unix-user:stlinkd' "$output"

run as_user visitor stlinkctl run -- true
check_equal "an ordinary user without a seat is refused" 124 "$status"
check_match "he is told by whom" 'polkit action io.github.stlinkd1.lease' "$output"
check_match "and what helps" 'group stlink' "$output"
check_match "and the next command" 'usermod -aG stlink' "$output"
check "polkit was asked" polkit_is active
check "a member of group stlink may, without a session" as_user labuser stlinkctl run -- true
check "root may" stlinkctl run -- true
run as_user visitor stlinkctl status
check_match "looking is free" "State: free" "$output"

exec 9<>"$(as_user visitor stlinkctl list --json | sed -n 's/.*"node": *"\(.*\)",/\1/p')"
check_soon "root's shell has it open" 60 eval 'holders visitor 0 | grep -q Command'
check_no_match "its command line is not for others" Cmdline "$(holders visitor 0)"
run holders labuser 1 see-all b true
check_match "not even for those who ask" 'InteractiveAuthorizationRequired|Interactive|password' "$output"
check_match "but for root" 'Cmdline.*test-polkit' "$(holders root 1 see-all b true)"
exec 9>&-

# The administrator has the last word, either way.
set_rule 'if (subject.user == "labuser") return polkit.Result.NO;'
run as_user labuser stlinkctl run -- true
check_equal "a rule of his keeps a member out" 124 "$status"
check_match "who is told so" 'polkit does not let you take a lease' "$output"
set_rule "if (subject.user == 'visitor' && action.lookup('probe.serial') == '$serial') return polkit.Result.YES;"
check "and lets somebody else in, to this probe" as_user visitor stlinkctl run -- true
rm "$rules"

systemctl mask --runtime --now polkit 2>/dev/null
check "polkit is gone" polkit_is inactive
check "without it a member of group stlink may" as_user labuser stlinkctl run -- true
check "and root" stlinkctl run -- true
run as_user visitor stlinkctl run -- true
check_equal "nobody else" 124 "$status"
check_match "who is told what helps" 'usermod -aG stlink visitor' "$output"
run holders labuser 1 see-all b true
check_match "and command lines are for root only" 'Access denied|Only root' "$output"
check_equal "the daemon is still the same" 0 "$(property stlinkd NRestarts)"
check_no_match "it logged no error" ' (error|Failed|failed|refused)' "$(journal stlinkd | grep 'stlinkd\[')"
systemctl unmask --runtime polkit 2>/dev/null
finish
