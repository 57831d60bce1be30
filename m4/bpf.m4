# SPDX-License-Identifier: LGPL-2.1-or-later
# STLINKD_BPF: find what the gate's program is made with: CLANG, BPFTOOL, BPF_CPPFLAGS, libbpf in
# BPF_CFLAGS and BPF_LIBS. Set HAVE_BPF and the conditional BPF; bpf_missing is the first thing
# that is not there, unless nobody wants it. with_bpf is yes, no or auto.
AC_DEFUN([STLINKD_BPF], [
  bpf_missing=
  AS_IF([test "x$with_bpf" != xno], [
    save_path=$PATH
    PATH=$PATH:/usr/sbin:/sbin
    AC_PATH_PROGS([CLANG], [clang clang-19 clang-17 clang-16 clang-15 clang-14])
    AC_PATH_PROG([BPFTOOL], [bpftool])
    PATH=$save_path
    PKG_CHECK_MODULES([BPF], [libbpf >= 1.0], [], [bpf_missing="libbpf 1.0 or later"])
    # The kernel's headers include some of this machine, where the target bpf does not look.
    AS_IF([test -n "$CLANG"], [
      BPF_CPPFLAGS=`$CLANG -v -E -x c /dev/null 2>&1 |
        $SED -n '/<...> search starts here/,/^End/s/^ \(\/.*\)/-idirafter \1/p' | tr '\n' ' '`
      AC_MSG_CHECKING([whether $CLANG compiles for the kernel])
      echo '#include <linux/bpf.h>' >conftest.c
      AS_IF([$CLANG -target bpf $BPF_CPPFLAGS -c conftest.c -o conftest.o 2>&AS_MESSAGE_LOG_FD],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         bpf_missing="a clang that compiles for the target bpf"])
      rm -f conftest.c conftest.o
    ], [bpf_missing=clang])
    AS_IF([test -z "$BPFTOOL"], [bpf_missing=bpftool])
    AS_IF([test -n "$bpf_missing" && test "x$with_bpf" = xyes],
      [AC_MSG_ERROR([$bpf_missing is missing, which --with-bpf needs])])
  ])
  AC_SUBST([BPF_CPPFLAGS])
  AS_IF([test "x$with_bpf" != xno && test -z "$bpf_missing"], [have_bpf=1],
    [have_bpf=0 BPF_CFLAGS= BPF_LIBS=])
  AC_DEFINE_UNQUOTED([HAVE_BPF], [$have_bpf], [Whether the gate can bind, with a BPF program])
  AM_CONDITIONAL([BPF], [test $have_bpf = 1])
])
