# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the tests in the VM share, on top of tests/lib.sh.
# shellcheck source=../lib.sh
. "${BASH_SOURCE[0]%/*}/../lib.sh"

if [ -z "${IN_VM-}" ]; then
        fail "${0##*/} runs in the VM" "use ./dev vm-tests, or ./dev vm -- $0"
        finish
fi

# Looking costs what is looked at its processor.
# shellcheck disable=SC2034 # for wait_until
wait_interval=0.2

# The daemon's view, what the kernel said last, and whom it keeps waiting, where.
why_late() {
        local task
        echo
        timeout 10 stlinkctl list 2>&1
        timeout 10 dmesg | grep -v vhci_hcd: | tail -n 5
        for task in /proc/[0-9]*; do
                grep -qs '^State:.*(disk sleep)' "$task/status" || continue
                printf '%s (%s) waits in the kernel:\n' "${task##*/}" "$(cat "$task/comm")"
                cat "$task/stack"
        done 2>/dev/null
}

# as_user USER CMD...: as an ordinary user, with his groups and home. USER is visitor, who has no
# rights, or labuser, who is in group stlink.
as_user() {
        local user=$1
        shift
        setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all --reset-env -- \
                env PATH="$PATH" LANG=C.UTF-8 HOME="/run/$user" USER="$user" "$@"
}

# seat_of USER: until the end of the test he sits at the machine, in the words of logind, which does
# not run here.
seat_of() {
        mkdir -p /run/systemd/seats
        printf 'ACTIVE=1\nACTIVE_UID=%s\n' "$(id -u "$1")" >/run/systemd/seats/seat0
        at_exit rm -f /run/systemd/seats/seat0
}

# only_our_rules: until the end of the test, other packages' rules do not count. They would open the
# node to everybody, and hide what ours do. Whatever else is in that folder goes with them.
only_our_rules() {
        local rules
        mkdir -p /run/udev/rules.d
        for rules in /lib/udev/rules.d/{49-stlink,60-openocd}*; do
                ln -sf /dev/null "/run/udev/rules.d/${rules##*/}"
        done
        udevadm control --reload
        at_exit udevadm control --reload
        at_exit rm -rf /run/udev/rules.d
}

# property UNIT NAME: a property of a systemd unit.
property() {
        systemctl show --property="$2" --value "$1"
}

# unit_is UNIT STATE: as in "active", "inactive", "failed"; for wait_until.
unit_is() {
        [ "$(property "$1" ActiveState)" = "$2" ]
}

# journal UNIT: what it said since the test began, whatever became of the clock.
guest_cursor=$(journalctl --boot --no-pager --lines=0 --show-cursor | sed -n 's/^-- cursor: //p')
journal() {
        journalctl --sync
        journalctl --unit="$1" ${guest_cursor:+"--after-cursor=$guest_cursor"} --no-pager --output=short-monotonic
}

# probes SPEC...: plug simulated probes into the kernel; sim VERB... then speaks to them, and
# $simulator is the simulator's pid: they are gone with it.
probes() {
        local spec args=()
        for spec in "$@"; do args+=(-p "$spec"); done
        modprobe vhci_hcd
        # The kernel takes its time to part with those of the last test.
        wait_until 60 plugged 0 || fail "the last probes are gone"
        spawn stlinksim stlinksim usbip "${args[@]}" --attach --control "$scratch/control"
        # shellcheck disable=SC2034 # for tests
        simulator=$spawned
        wait_until $((120 + 2 * $#)) plugged $# ||
                fail "$# probes are plugged in" "$(cat "$scratch/stlinksim.log")"
}

sim() {
        stlinksim ctl --control "$scratch/control" "$@"
}

# The sysfs directories of the probes that the kernel sees, for as long as it does.
sysfs_of_probes() {
        local path vendor
        for path in /sys/bus/usb/devices/*/idVendor; do
                { read -r vendor <"$path"; } 2>/dev/null || continue # it left
                [ "$vendor" = 0483 ] && printf "%s\n" "${path%/*}"
        done
}

# plugged N: there are N probes and udev has dealt with them.
plugged() {
        [ "$(sysfs_of_probes | wc -l)" -eq "$1" ] && udevadm settle --timeout=60
}

# udev_property PATH NAME: what udev knows of a sysfs path or a node.
udev_property() {
        udevadm info --query=property --property="$2" --value "$1"
}

# how_many STATE: how many probes the daemon shows in that state.
how_many() {
        stlinkctl list --no-legend | grep -c " $1 "
}

# identified N: the daemon shows that many probes, all of them free and with their firmware.
identified() {
        [ "$(stlinkctl list --no-legend | awk '/ free / && /V[0-9]+J[0-9]+/ { n++ }
                END { print n + 0, NR }')" = "$1 $1" ]
}
