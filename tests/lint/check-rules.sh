#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The udev rules: understood by udev where it can be asked (udevadm verify, systemd >= 254), and
# anywhere by our own reading, which also knows what udev does not mind but people do:
#   - nothing sets OWNER, GROUP or MODE (systemd >= 258 drops such a line whole), and no RUN; but
#     for the strict rules, which are there for that, each in a line of its own
#   - what assigns also says SUBSYSTEM==, or all of the file is for one subsystem, so that no
#     parent's rule leaks to ttys and disks
#   - access for the local user is tagged before 73-seat-late.rules acts on the tag
#   - exactly the products of the hwdb are matched
# shellcheck source=lint.sh
. "$(dirname "$0")/lint.sh"

cat >"$scratch/rules.awk" <<'EOF'
BEGIN {
        key = "^(ACTION|DEVPATH|KERNEL|KERNELS|NAME|SYMLINK|SUBSYSTEM|SUBSYSTEMS|DRIVER|DRIVERS|TAG|TAGS|" \
              "OPTIONS|GOTO|LABEL|TEST|PROGRAM|RESULT|(ATTR|ATTRS|ENV|SYSCTL|CONST|IMPORT|TEST)[{][^{}]+[}])$"
        operator = "(==|!=|[+]=|-=|:=|=)"
}
function bad(why) {
        printf "%s:%d: %s\n", FILENAME, from, why
}
# Look at one KEY OP "VALUE".
function term(text,    k, op) {
        if (!match(text, operator "\"[^\"]*\"$"))
                return bad("not understood: " text)
        k = substr(text, 1, RSTART - 1)
        op = substr(text, RSTART)
        sub(/".*/, "", op)
        if (k ~ /^(OWNER|GROUP|MODE|RUN)$/) {
                assigns = 1
                sets++
                return strict ? 0 : bad(k " has no place here")
        }
        if (k !~ key)
                return bad("no such key: " k)
        if (k == "SUBSYSTEM" && op == "==")
                bound = 1
        if (k == "SUBSYSTEM" && op == "!=")
                leaves = 1
        if (k == "LABEL") {
                labels[substr(text, index(text, "\""))] = 1
                return
        }
        if (k == "GOTO")
                targets[substr(text, index(text, "\""))] = from
        else if (op !~ /^[=!]=$/ && k !~ /^(IMPORT|PROGRAM)/)
                assigns = 1
}
function rule(text,    n, i, terms) {
        bound = assigns = sets = leaves = 0
        # Values have no comma followed by a blank and a capital, so this splits terms.
        gsub(/",[ \t]*/, "\"\n", text)
        n = split(text, terms, "\n")
        for (i = 1; i <= n; i++)
                if (terms[i] != "")
                        term(terms[i])
        if (leaves && n == 2 && terms[2] ~ /^GOTO=/)
                one_subsystem = 1
        if (assigns && !bound && !one_subsystem)
                bad("assigns without SUBSYSTEM==")
        if (sets > 1)
                bad("sets more than one thing")
}
/^[ \t]*(#|$)/ && line == "" { next }
{
        if (line == "")
                from = FNR
        sub(/^[ \t]+/, "")
        line = line $0
        if (sub(/\\$/, "", line))
                next
        rule(line)
        line = ""
}
END {
        for (t in targets)
                if (!(t in labels)) {
                        from = targets[t]
                        bad("GOTO " t " leads nowhere")
                }
        if (line != "")
                bad("the last line goes on")
}
EOF

# Product IDs that the rules match, of all that there are with ST's vendor ID below 0x4000 and of
# one that is a target's, not a probe's.
matched_products() {
        local patterns id
        mapfile -t patterns < <(sed -nE 's/.*(ATTR\{idProduct\}|ENV\{ID_MODEL_ID\})[=!]="([^"]*)".*/\2/p' "$1" |
                tr '|' '\n' | sort -u)
        for id in $(printf '%04x ' {14080..14335}) df11 5740; do
                for pattern in "${patterns[@]}"; do
                        # shellcheck disable=SC2053 # udev's patterns are the shell's
                        [[ $id == $pattern ]] && echo "$id" && break
                done
        done
}

files=()
for path in "$root"/udev/*.rules "$TOP_BUILDDIR"/udev/*.rules; do
        [ ! -f "$path" ] || files+=("$path")
done
[ ${#files[@]} -gt 0 ] || fail "there are rules" "none in $root/udev or $TOP_BUILDDIR/udev"
for path in "${files[@]}"; do
        name=${path##*/}
        if udevadm verify --help >/dev/null 2>&1; then
                check "udev understands $name" udevadm verify --resolve-names=never "$path"
        fi
        check_empty "$name keeps to our rules" \
                "$(awk -v strict="$([[ $name != *-strict.rules ]] || echo 1)" -f "$scratch/rules.awk" "$path")"
        if grep -q 'TAG+="uaccess"' "$path"; then
                check_equal "$name acts before 73-seat-late.rules" yes "$([[ $name < 73- ]] && echo yes)"
        fi
        check_equal "$name is for exactly the products in the hwdb" \
                "$(sed -nE 's/^usb:v0483p([0-9A-F]{4}).*/\L\1/p' "$root"/udev/*.hwdb | sort)" \
                "$(matched_products "$path" | sort)"
done
finish
