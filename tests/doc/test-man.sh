#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Manual pages are well formed, complete, and say what the programs and the interface say.
# deadline: 60
# shellcheck source=../lib.sh
. "${0%/*}/../lib.sh"
need mandoc

page() { # NAME: path of the page, from the build or from a release
        local dir
        for dir in "$TOP_BUILDDIR/doc" "$TOP_SRCDIR/doc"; do
                [ ! -e "$dir/$1" ] || { echo "$dir/$1" && return; }
        done
}

text() { # NAME: the page as plain text
        mandoc -Tascii "$(page "$1")" | sed 's/.\x08//g'
}

# scdoc begins each section with a paragraph of its own, which mandoc drops: that alone is fine.
for name in stlinkctl.1 stlinksim.1 stlinkd.conf.5 io.github.stlinkd1.5 stlinkd.8 stlinkd-admin.8; do
        check_equal "$name has no fault" "" \
                "$(mandoc -Tlint -Wwarning "$(page $name)" | grep -v ': skipping paragraph macro: PP ')"
        sections='NAME DESCRIPTION EXAMPLES'
        case $name in
        *.1) sections="$sections SYNOPSIS OPTIONS" ;;&
        *.[18]) sections="$sections SYNOPSIS" sections="$sections EXIT@STATUS" ;;
        esac
        plain=$(text $name)
        for section in $sections 'SEE@ALSO'; do
                check_match "$name has ${section/@/ }" "^${section/@/ }$" "$plain"
        done
done

# References within the project lead somewhere.
for reference in $(for name in stlinkctl.1 stlinksim.1 stlinkd.conf.5 io.github.stlinkd1.5 stlinkd.8 stlinkd-admin.8; do
        text $name
done | grep -oE '(stlink[a-z.-]*|io\.github\.stlinkd1)\([1-8]\)' | sort -u); do
        check "$reference exists" test -n "$(page "$(sed -E 's/\((.)\)$/.\1/' <<<"$reference")")"
done

# options FILE: long options that a text names, one per line
options() {
        grep -oE -- '--[a-z][a-z-]+' | sort -u
}
check_equal "stlinkctl(1) has the options of --help, and no other" \
        "$("$TOP_BUILDDIR/stlinkctl" --help | options)" \
        "$(text stlinkctl.1 | sed '/^EXAMPLES/,$d' | options)"
for verb in $("$TOP_BUILDDIR/stlinkctl" --help | sed -nE '/^See who/,/^Options:/s/^  ([a-z]+) .*/\1/p'); do
        check_match "stlinkctl(1) explains $verb" "^       $verb\b" "$(text stlinkctl.1)"
done
# Each code of the table in the source stands in the page's.
while read -r code; do
        check_match "stlinkctl(1) explains exit status $code" "^ *\|  *$code  *\|" "$(text stlinkctl.1)"
done < <(sed -nE 's/^ *EXIT_CODE_[A-Z_]+ = ([0-9]+),.*/\1/p' "$TOP_SRCDIR/src/bus/errors.h")
if [ -x "$TOP_BUILDDIR/stlinksim" ]; then
        check_equal "each option of stlinksim(1) is one" "" \
                "$(text stlinksim.1 | sed '/^EXAMPLES/,$d' | options |
                        grep -vxF -e --help -e --version -f <("$TOP_BUILDDIR/stlinksim" --help | options))"
else
        skip "each option of stlinksim(1) is one" "built without the simulator"
fi
check_equal "stlinkd.conf(5) has the settings that stlinkd knows" \
        "$(sed -nE 's/^ *\{ "([A-Z][a-z]+)", "([A-Za-z]+)", set_.*/\1 \2/p' "$TOP_SRCDIR/src/daemon/config.c" | tr '[:lower:]' '[:upper:]')" \
        "$(text stlinkd.conf.5 | sed -nE '/^\[/{s/[][]//g;h;};/^ +([A-Za-z]+)=$/{G;s/^ *([A-Za-z]+)=\n(.*)/\2 \1/;p;}' | tr '[:lower:]' '[:upper:]')"

# The interface: the page's lists against the XML.
cat >"$scratch/members.awk" <<'EOF'
# One line per interface and member, in the form of the page.
function attribute(name,    found) {
        if (!match($0, name "=\"[^\"]*\"")) return ""
        found = substr($0, RSTART, RLENGTH)
        gsub(/^[a-z]+="|"$/, "", found)
        return found
}
/<interface / { print "interface " attribute("name") }
/<property / { print "property " attribute("name") " " attribute("type") }
/<(method|signal) / { kind = /<method / ? "method" : "signal"; name = attribute("name"); into = out = "" }
/<arg / && attribute("direction") == "out" { out = out " " attribute("type") }
/<arg / && attribute("direction") != "out" { into = into " " attribute("type") }
/<\/(method|signal)>/ { print kind " " name into (out ? " ->" out : "") }
EOF
check_equal "io.github.stlinkd1(5) has the members of the XML" \
        "$(awk -f "$scratch/members.awk" "$TOP_SRCDIR/dbus/io.github.stlinkd1.xml")" \
        "$(sed -nE 's/^ *((interface|property|method|signal) )/\1/p' "$TOP_SRCDIR/doc/io.github.stlinkd1.5.scd")"
plain=$(text io.github.stlinkd1.5)
while read -r name; do
        check_match "io.github.stlinkd1(5) explains $name" "^       ([A-Za-z, ]+, )?$name(,|$)" "$plain"
done < <(awk -f "$scratch/members.awk" "$TOP_SRCDIR/dbus/io.github.stlinkd1.xml" |
        awk '$1 != "interface" { print $2 }'
        sed -nE 's/^ *io\.github\.stlinkd1\.Error\.([A-Za-z]+) .*/\1/p' "$TOP_SRCDIR/dbus/io.github.stlinkd1.xml")
finish
