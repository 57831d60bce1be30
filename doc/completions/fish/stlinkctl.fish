# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for stlinkctl(1)

function __stlinkctl_probes
    stlinkctl list --no-legend 2>/dev/null | string replace -r '^(\S+)\s+(.*)$' '$1\t$2'
end

function __stlinkctl_takes_lease
    __fish_seen_subcommand_from run connect reset halt resume read write lock recover
end

function __stlinkctl_takes_target
    __fish_seen_subcommand_from connect reset halt resume read write
end

set -l verbs status list monitor run connect reset halt resume read write mode firmware selector alias unalias lock unlock renew recover policy tty leases history doctor explain release
complete -c stlinkctl -f
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a status -d 'What each probe does, who uses it'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a list -d 'One line per probe'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a monitor -d 'One line per change'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a run -d 'Run a command while no other may use the probe'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a connect -d 'Enter SWD and show which chip is there'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a reset -d 'Reset the target'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a halt -d 'Stop its core'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a resume -d 'Let it run'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a read -d 'Read its memory'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a write -d 'Write to it'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a mode -d 'Its mode, or switch it'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a firmware -d 'Its firmware, and what tools need'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a selector -d 'How other tools are told which probe to use'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a alias -d 'Give a probe a name'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a unalias -d 'Forget a name'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a lock -d 'Take a lease for the shell'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a unlock -d 'Give such a lease back'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a renew -d 'Start its time limit anew'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a recover -d 'Bring a probe back that does not answer'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a policy -d 'Choose who may open the nodes of probes'
complete -c stlinkctl -n "__fish_seen_subcommand_from policy" -a 'show strict open'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a tty -d 'Print the device of its serial port'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a leases -d 'One line per lease'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a history -d 'Who had which probe from when to when'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a doctor -d 'Examine a probe and its target'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a explain -d 'What a message of a tool means'
complete -c stlinkctl -n "not __fish_seen_subcommand_from $verbs" -a release -d 'Give it back, or get it back from somebody'
complete -c stlinkctl -n "__fish_seen_subcommand_from status connect doctor reset halt resume mode firmware selector lock unlock renew recover tty release history" -a '(__stlinkctl_probes)'
complete -c stlinkctl -n "__fish_seen_subcommand_from run" -xa '(__fish_complete_subcommand --fcs-skip=2)'
complete -c stlinkctl -n "not __fish_seen_subcommand_from run" -l json -d 'Print JSON'
complete -c stlinkctl -n "__fish_seen_subcommand_from list leases history" -l no-legend -d 'Print no headings'
complete -c stlinkctl -n __stlinkctl_takes_lease -s p -l probe -xa '(__stlinkctl_probes)' -d 'Which probe'
complete -c stlinkctl -n __stlinkctl_takes_lease -l wait -d 'Wait until it is free'
complete -c stlinkctl -n __stlinkctl_takes_lease -l no-ask-password -d 'Do not ask for a password'
complete -c stlinkctl -n __stlinkctl_takes_lease -l reason -x -d 'Tell others what it is used for'
complete -c stlinkctl -n "__fish_seen_subcommand_from run" -l until -xa 'tree main' -d 'How long to keep the lease'
complete -c stlinkctl -n "__fish_seen_subcommand_from unlock renew tty" -s p -l probe -xa '(__stlinkctl_probes)' -d 'Which probe'
complete -c stlinkctl -n "__fish_seen_subcommand_from run lock" -l with -xa 'vcp msd vcp,msd' -d 'Which parts too'
complete -c stlinkctl -n "__fish_seen_subcommand_from lock" -l for -x -d 'How long to hold it'
complete -c stlinkctl -n "__fish_seen_subcommand_from lock" -l pid -x -d 'The process to hold it for'
complete -c stlinkctl -n "__fish_seen_subcommand_from doctor" -s p -l probe -xa '(__stlinkctl_probes)' -d 'Which probe'
complete -c stlinkctl -n "__fish_seen_subcommand_from doctor" -l wait -d 'Wait until it is free'
complete -c stlinkctl -n "__fish_seen_subcommand_from doctor" -l no-ask-password -d 'Do not ask for a password'
complete -c stlinkctl -n "__fish_seen_subcommand_from doctor" -l report -rF -d 'Write a page to pass on'
complete -c stlinkctl -n "__fish_seen_subcommand_from doctor" -l reset -d 'Try nRST too'
complete -c stlinkctl -n "__fish_seen_subcommand_from mode" -a 'idle loader'
complete -c stlinkctl -n "__fish_seen_subcommand_from selector" -l for -xa 'openocd stlink pyocd probe-rs cubeprogrammer' -d 'Which tool'
complete -c stlinkctl -n "__fish_seen_subcommand_from run" -l for -xa 'firmware-update' -d 'What it is for, or for how long'
complete -c stlinkctl -n "__fish_seen_subcommand_from run" -l expand -d 'Replace {serial}, {usbpath} ...'
complete -c stlinkctl -n "__fish_seen_subcommand_from connect" -l mode -xa 'normal under-reset hotplug power-up' -d 'How to get hold of the target'
complete -c stlinkctl -n "__fish_seen_subcommand_from connect reset" -l leave -xa 'attached halted running' -d 'How to leave it'
complete -c stlinkctl -n __stlinkctl_takes_target -l speed -x -d 'SWD clock in kHz, at most'
complete -c stlinkctl -n __stlinkctl_takes_target -l ap -x -d 'Access port of the target'
complete -c stlinkctl -n "__fish_seen_subcommand_from read" -s o -l output -rF -d 'Where to put the bytes'
complete -c stlinkctl -n "__fish_seen_subcommand_from history" -l since -x -d 'From then on'
complete -c stlinkctl -n "__fish_seen_subcommand_from history" -l svg -rF -d 'Draw it'
complete -c stlinkctl -n "__fish_seen_subcommand_from status" -l full -d 'Show command lines, too'
complete -c stlinkctl -n "__fish_seen_subcommand_from status release" -l no-ask-password -d 'Do not ask for a password'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -s p -l probe -xa '(__stlinkctl_probes)' -d 'Which probe'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -l ask -d 'Ask whoever holds it'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -l force -d 'Take it back'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -l stale -d 'End what was left behind'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -l grace -x -d 'How long he has to finish'
complete -c stlinkctl -n "__fish_seen_subcommand_from release" -l reason -x -d 'Tell him why'
complete -c stlinkctl -s h -l help -d 'Show the help'
complete -c stlinkctl -l version -d 'Show the version'
