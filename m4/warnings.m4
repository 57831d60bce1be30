# SPDX-License-Identifier: LGPL-2.1-or-later
# STLINKD_WARNINGS: put into WARN_CFLAGS every wanted warning that the compiler knows.
AC_DEFUN([STLINKD_WARNINGS], [
  WARN_CFLAGS=
  for flag in -Wall -Wextra -Wundef -Wshadow -Wformat=2 -Wpointer-arith -Wstrict-prototypes \
    -Wmissing-prototypes -Wvla -Wold-style-definition -Wwrite-strings -Wimplicit-fallthrough \
    -Wmissing-declarations -Wredundant-decls -Wnested-externs -Wdate-time -Wlogical-op \
    -Wunused-result -Wmissing-format-attribute -Wno-missing-field-initializers; do
    AC_MSG_CHECKING([whether $CC accepts $flag])
    save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); WARN_CFLAGS="$WARN_CFLAGS $flag"], [AC_MSG_RESULT([no])])
    CFLAGS=$save_CFLAGS
  done
])
