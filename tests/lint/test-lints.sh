#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each lint passes a clean tree and fails, naming the place, on a planted violation. A lint that
# cannot fail is worth nothing.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
tree=$scratch/tree build=$scratch/build
spdx='SPDX-License-Identifier: LGPL-2.1-or-later'

# put PATH < content: a file of the fixture.
put() {
        mkdir -p "$(dirname "$tree/$1")"
        cat >"$tree/$1"
}

# A small tree without a fault.
clean_tree() {
        rm -rf "$tree"
        put src/core/lease.h <<<"/* $spdx */
#pragma once"
        put src/core/lease.c <<<"/* $spdx */
#include <string.h>

#include \"base/list.h\"
#include \"core/lease.h\""
        put src/base/list.h <<<"/* $spdx */
#pragma once"
        put src/core/core.am <<<"# $spdx
x = src/core/lease.h src/core/lease.c src/base/list.h src/core/core.am tests/world/test-a.sh"
        put tests/world/test-a.sh <<<"#!/bin/bash
# $spdx
exit 0"
        put dbus/a.xml <<<"<?xml version=\"1.0\"?>
<!-- $spdx -->
<node/>"
        cp "$TOP_SRCDIR/.clang-format" "$tree/"
        put udev/69-a.rules <<<"# $spdx
ACTION==\"remove\", GOTO=\"end\"
SUBSYSTEM==\"usb\", ATTR{idVendor}==\"0483\", ATTR{idProduct}==\"3748|374[ab]\", \\
  ENV{A}=\"1\", TAG+=\"uaccess\"
LABEL=\"end\""
        put udev/70-a.hwdb <<<"# $spdx
usb:v0483p3748*
usb:v0483p374A*
usb:v0483p374B*"
        put systemd/fanotify.conf <"$TOP_SRCDIR/systemd/fanotify.conf"
        mkdir -p "$build/systemd"
        cp "$TOP_BUILDDIR"/systemd/stlinkd{,-admin}.service "$build/systemd/"
}

lint() {
        LINT_ROOT=$tree TOP_BUILDDIR=$build bash "$here/check-$1.sh"
}

# expect_failure LINT WHAT REGEX: the fixture as it is now makes LINT fail with such a line.
expect_failure() {
        run lint "$1"
        if [ "$status" -eq 1 ] && grep -qE -- "$3" <<<"$output"; then ok "$1 sees $2"; else
                fail "$1 sees $2" "status $status
$output"
        fi
        clean_tree
}

# add PATH LINE...: lines at the end of a file of the fixture.
add() {
        local path=$1
        shift
        mkdir -p "$(dirname "$tree/$path")"
        printf '%s\n' "$@" >>"$tree/$path"
}

# A C function $1 of $2 lines whose body is statements.
function_of() {
        printf 'void %s(void) {\n' "$1"
        for ((i = 2; i < $2; i++)); do printf '        x();\n'; done
        printf '}\n'
}

# Compile the C program on stdin into the fixture's libNAME.a.
build_library() {
        mkdir -p "$build"
        rm -f "$build/lib$1.a"
        ${CC:-cc} -x c -O0 -c -o "$build/$1.o" - && ar rcs "$build/lib$1.a" "$build/$1.o"
}

clean_tree
build_library core <<<'#include <string.h>
size_t f(const char *s) { return strlen(s); }'
for name in layers size format shell licence words xml lists unit rules purity; do
        check "$name passes a clean tree" lint $name
done

add src/core/lease.c '#include "daemon/manager.h"'
expect_failure layers "an arrow that runs up" 'lease.c:6: core/ may not reach up or across to daemon/'
add src/bus/a.c '#include "proto/b.h"'
expect_failure layers "an arrow between neighbours" 'bus/ may not reach up or across to proto/'
add src/core/lease.c '#include <unistd.h>'
expect_failure layers "I/O in core" 'core/ is pure and may not include <unistd.h>'
add src/proto/a.c '#include "base/fd.h"'
expect_failure layers "I/O from base in proto" 'proto/ is pure and may not use base/fd.h'
add src/daemon/a.c '#include <libusb-1.0/libusb.h>'
expect_failure layers "libusb in the daemon" 'libusb belongs to src/usb/'
add src/daemon/a.c '#include <libudev.h>'
expect_failure layers "libudev in the daemon" 'libudev.h belongs to src/udev/'
add src/sim/device/a.c '#include <unicorn/unicorn.h>'
expect_failure layers "unicorn above its floor" 'unicorn/ belongs to src/sim/target/'
add src/sim/a.c '#include <fuse3/fuse_lowlevel.h>'
expect_failure layers "fuse in the simulator" 'fuse belongs to src/usbfs/'
add src/usb/a.c '#include "sim.h"'
expect_failure layers "an include without its folder" 'write the folder too'
add src/misc/a.c ''
expect_failure layers "a folder that is no floor" 'no such floor: misc'

function_of long 60 >>"$tree/src/core/lease.c"
check "size accepts a function of 60 lines" lint size
function_of longer 61 >>"$tree/src/core/lease.c"
expect_failure size "a function of 61 lines" 'lease.c:6[56]: function of 61 lines'
{
        printf 'long_name(int a,\n          int b) {\n'
        for ((i = 0; i < 58; i++)); do printf '        x();\n'; done
        printf '}\n'
} >>"$tree/src/core/lease.c"
expect_failure size "a long function with a long signature" 'function of 61 lines'
printf '\n%.0s' {1..600} >>"$tree/src/core/lease.c"
expect_failure size "a long file" 'lease.c: file of 60[0-9] lines'
{
        printf 'f() {\n'
        printf '        :\n%.0s' {1..59}
        printf '}\n'
} >>"$tree/tests/world/test-a.sh"
expect_failure size "a long shell function" 'test-a.sh:[0-9]+: function of 61 lines'
add src/core/lease.c 'void f(void) {' '        {' "$(printf '%48sx();' '')" '        }' '}'
expect_failure size "deep nesting" 'nested deeper than 4'

add src/core/lease.c 'int  x;'
expect_failure format "unformatted C" 'lease.c:6'
add tests/world/test-a.sh 'echo $1'
expect_failure shell "an unquoted variable" 'SC2086'
printf '#!/bin/sh\necho $1\n' >"$tree/tool"
expect_failure shell "a script without a suffix" 'SC2086'

echo 'int x;' >"$tree/src/core/x.c"
expect_failure licence "a file without a licence" 'src/core/x.c'
add src/core/lease.c "/* see /ro""ot/x */"
expect_failure words "a path of one machine" 'lease.c:6'
add src/core/lease.c "/* TO""DO: later */"
expect_failure words "unfinished work" 'lease.c:6'
add src/core/lease.c 'int x; '
expect_failure words "trailing white space" 'lease.c:6'
add dbus/a.xml '<node>'
expect_failure xml "XML that is not well formed" 'dbus/a.xml is well formed'
put dbus/a.xml <<<"<node><interface name='a.b'><method/></interface></node>"
expect_failure xml "a method without a name" 'methods have names'

add tests/world/test-b.sh '#!/bin/bash'
expect_failure lists "a test in no list" 'tests/world/test-b.sh'
add tests/data/b.txt ''
expect_failure lists "test data in no list" 'tests/data/b.txt'
add tests/unit/test-b.c ''
expect_failure lists "a unit test in no list" 'tests/unit/test-b.c'
add src/core/new.c ''
expect_failure lists "a source file in no list" 'src/core/new.c'

sed -i 's/TAG+="uaccess"/GROUP="plugdev"/' "$tree/udev/69-a.rules"
expect_failure rules "a group" '69-a.rules:3: GROUP has no place here'
sed -i 's/SUBSYSTEM=="usb", //' "$tree/udev/69-a.rules"
expect_failure rules "a rule for whatever hangs below a probe" '69-a.rules:3: assigns without SUBSYSTEM=='
sed -i 's/LABEL="end"/LABEL="End"/' "$tree/udev/69-a.rules"
expect_failure rules "a GOTO into nowhere" '69-a.rules:2: GOTO "end" leads nowhere'
sed -i 's/ENV{A}=/ENV(A)=/' "$tree/udev/69-a.rules"
expect_failure rules "a slip of the pen" '69-a.rules:3: no such key: ENV.A.'
cat >"$tree/udev/48-a-strict.rules" <<-END
	# $spdx
	SUBSYSTEM!="usb", GOTO="end"
	ATTR{idProduct}!="3748|374[ab]", GOTO="end"
	MODE:="0600", OWNER:="root"
	LABEL="end"
	END
expect_failure rules "a strict rule for two things" '48-a-strict.rules:4: sets more than one thing'
sed -i 's/|374\[ab\]/|374b/' "$tree/udev/69-a.rules"
expect_failure rules "a product left out" 'for exactly the products in the hwdb'
mv "$tree/udev/69-a.rules" "$tree/udev/80-a.rules"
expect_failure rules "a file that comes too late" 'FAIL  80-a.rules acts before'

sed -i '/^ProtectSystem=/d; /^RestrictAddressFamilies=/d' "$build/systemd/stlinkd.service"
expect_failure unit "a unit that is open wide" 'FAIL  its exposure'
sed -i 's/^Protect.*/Protekt=yes/' "$build/systemd/stlinkd.service"
expect_failure unit "a setting that systemd does not know" "Unknown key 'Protekt'"
sed -i 's|^ExecStart=.*|ExecStart=@pkglibexecdir@/stlinkd|' "$build/systemd/stlinkd.service"
expect_failure unit "a place left to fill in" 'no directory is left to fill in'

build_library core <<<'#include <fcntl.h>
int f(void) { return open("/dev/null", O_RDONLY); }'
expect_failure purity "core opening a file" '^ +\| open$'
build_library core <<<'extern unsigned long now_usec(int clock);
unsigned long f(void) { return now_usec(0); }'
cp "$TOP_BUILDDIR/libbase.a" "$build/"
expect_failure purity "core reading a clock" '^ +\| now_usec$'
finish
