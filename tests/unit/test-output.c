/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/macro.h"
#include "ctl/output.h"
#include "ctl/text.h"

static char captured[8192];

/* Point stdout at a file, or at a terminal of so many columns; returns where to read it. */
static int capture(unsigned short columns) {
        struct winsize size = { .ws_row = 24, .ws_col = columns };
        int master, slave;
        FILE *file;

        if (columns == 0) {
                file = tmpfile();
                master = fileno(file);
                slave = dup(master);
        } else {
                ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
        }
        ck_assert_int_ge(dup2(slave, STDOUT_FILENO), 0);
        close(slave);
        return master;
}

static const char *read_captured(int fd) {
        ssize_t n;
        char *out = captured;

        ck_assert_int_eq(output_finish(), 0);
        if (!isatty(fd))
                ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        n = read(fd, captured, sizeof(captured) - 1);
        captured[MAX(n, 0)] = '\0';
        for (const char *in = captured; *in; in++) /* a terminal ends its lines by CR and LF */
                if (*in != '\r')
                        *out++ = *in;
        *out = '\0';
        return captured;
}

static const Column columns[] = {
        { "id", "ID", 0 },
        { "holder", "HOLDER", 1 },
        { "tty", "TTY", 2 },
};

static Rows *make_rows(void) {
        static char *parts[] = { (char *) "debug", (char *) "vcp", NULL };
        Rows *rows = rows_new();
        Row *row = rows_add(rows), *inner;

        row_set_string(row, "id", "066EFF303435554157102345");
        row_set_string(row, "holder", NULL);
        row_set_string(row, "tty", "/dev/ttyACM0");
        row_set_integer(row, "millivolts", 3281);
        row_set_text(row, "millivolts", "3.28 V");
        row_set_boolean(row, "ambiguous", false);
        row_set_list(row, "parts", parts);
        inner = rows_add(row_set_rows(row, "holders"));
        row_set_integer(inner, "pid", 4711);
        row_set_text(row, "words", "for people only");
        row = rows_add(rows);
        row_set_string(row, "id", "usb-1-1");
        row_set_string(row, "holder",
                       "a\x1b[2Jb\xc2\x9b"
                       "31mc\x7f");
        row_set_string(row, "tag", "\xe2\x80\xae \xe2\x81\xa6 \xf0\x9f\x94\x8c");
        return rows;
}

START_TEST(table) {
        _cleanup_(rows_freep) Rows *rows = make_rows();
        int fd = capture(0);

        ck_assert_int_eq(output_table(rows, columns, ELEMENTSOF(columns), true), 0);
        ck_assert_str_eq(read_captured(fd),
                         "ID                       HOLDER                    TTY\n"
                         "066EFF303435554157102345 -                         /dev/ttyACM0\n"
                         "usb-1-1                  a\\x1B[2Jb\\xC2\\x9B31mc\\x7F -\n");
}
END_TEST

START_TEST(table_without_legend) {
        _cleanup_(rows_freep) Rows *rows = make_rows();
        int fd = capture(0);

        ck_assert_int_eq(output_table(rows, columns, 1, false), 0);
        ck_assert_str_eq(read_captured(fd), "066EFF303435554157102345\nusb-1-1\n");
}
END_TEST

static const struct {
        unsigned short columns;
        const char *heading;
} terminals[] = {
        { 80, "ID                       HOLDER                    TTY\n" },
        { 63, "ID                       HOLDER                    TTY\n" },
        { 62, "ID                       HOLDER\n" },
        { 50, "ID                       HOLDER\n" },
        { 49, "ID\n" },
        { 40, "ID\n" },
        { 10, "ID\n" },
};

START_TEST(table_fits_the_terminal) {
        _cleanup_(rows_freep) Rows *rows = make_rows();
        int fd = capture(terminals[_i].columns);

        ck_assert_int_eq(output_table(rows, columns, ELEMENTSOF(columns), true), 0);
        read_captured(fd);
        ck_assert_int_eq(strncmp(captured, terminals[_i].heading, strlen(terminals[_i].heading)),
                         0);
        ck_assert_ptr_nonnull(strstr(captured, "066EFF303435554157102345"));
}
END_TEST

START_TEST(json) {
        _cleanup_(rows_freep) Rows *rows = make_rows();
        int fd = capture(0);

        ck_assert_int_eq(output_json_row(rows->items[0], true), 0);
        ck_assert_int_eq(output_json_row(rows->items[1], true), 0);
        ck_assert_str_eq(read_captured(fd),
                         "{\"id\":\"066EFF303435554157102345\",\"holder\":null,"
                         "\"tty\":\"/dev/ttyACM0\",\"millivolts\":3281,\"ambiguous\":false,"
                         "\"parts\":[\"debug\",\"vcp\"],\"holders\":[{\"pid\":4711}]}\n"
                         "{\"id\":\"usb-1-1\","
                         "\"holder\":\"a\\u001b[2Jb\\u009b31mc\\u007f\","
                         "\"tag\":\"\\u202e \\u2066 \xf0\x9f\x94\x8c\"}\n");
}
END_TEST

START_TEST(json_of_nothing) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        int fd = capture(0);

        ck_assert_int_eq(output_json_rows(rows), 0);
        read_captured(fd);
        ck_assert_int_eq(captured[0], '[');
        ck_assert_uint_eq(1 + strspn(captured + 1, " \n") + 1,
                          (size_t) (strchr(captured, ']') - captured) + 1);
}
END_TEST

START_TEST(field_wraps_on_a_terminal) {
        int fd = capture(40);

        output_field("State", "in use: openocd (PID 4711) has claimed it", 13);
        output_field(NULL, "averyveryverylongwordthatcannotbewrapped x", 13);
        output_command("Next", "stlinkctl run --wait --probe 066EFF30 -- COMMAND", 13);
        ck_assert_str_eq(read_captured(fd),
                         "      State: in use: openocd (PID 4711)\n"
                         "             has claimed it\n"
                         "             averyveryverylongwordthatcannotbewrapped\n"
                         "             x\n"
                         "       Next: stlinkctl run --wait --probe 066EFF30 -- COMMAND\n");
}
END_TEST

START_TEST(field_stays_whole_in_a_file) {
        int fd = capture(0);

        output_field("State",
                     "in use: openocd (PID 4711) of alice has claimed it since 10:42:13 "
                     "(38 min 0 s), and that is a long line",
                     13);
        ck_assert_str_eq(read_captured(fd),
                         "      State: in use: openocd (PID 4711) of alice has claimed it since "
                         "10:42:13 (38 min 0 s), and that is a long line\n");
}
END_TEST

START_TEST(lost_output_is_noticed) {
        int fd = open("/dev/full", O_WRONLY);

        ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
        output_command("State", "free", 13);
        ck_assert_int_lt(output_finish(), 0);
        _exit(0); /* what check itself would print is lost too */
}
END_TEST

START_TEST(cells_are_replaced) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows_add(rows);

        row_set_string(row, "a", "one");
        row_set_text(row, "a", "%s", "first");
        row_set_string(row, "a", "two");
        ck_assert_str_eq(row_get_text(row, "a"), "two");
        row_set_integer(row, "a", 3);
        ck_assert_ptr_null(row_get_string(row, "a"));
        ck_assert_uint_eq(row->n, 1);
        ck_assert_ptr_null(row_get(row, "b"));
        ck_assert_int_eq(rows_error(rows), 0);
}
END_TEST

START_TEST(a_missing_row_takes_anything) {
        Row *row = rows_add(NULL);

        ck_assert_ptr_null(row);
        row_set_string(row, "a", "one");
        row_set_integer(row, "b", 1);
        row_set_boolean(row, "c", true);
        row_set_list(row, "d", NULL);
        row_set_text(row, "e", "x");
        row_set_none(row, "f");
        ck_assert_ptr_null(row_set_rows(row, "g"));
        ck_assert_ptr_null(row_get_text(row, "a"));
}
END_TEST

START_TEST(times_are_told) {
        /* 2026-11-22 10:42:00 UTC */
        Clocks now = { .realtime = UINT64_C(1795344120) * USEC_PER_SEC };
        char buffer[TEXT_SINCE_MAX], stamp[TEXT_RFC3339_MAX];
        static const struct {
                Usec ago;
                const char *text;
        } moments[] = {
                { 0, "10:42:00 (just now)" },
                { 90 * USEC_PER_SEC, "10:40:30 (1 min 30 s)" },
                { 9 * 3600 * USEC_PER_SEC, "01:42:00 (9 h 0 min)" },
                { 11 * 3600 * USEC_PER_SEC, "2026-11-21 23:42 (11 h 0 min)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(moments); i++)
                ck_assert_str_eq(text_format_since(buffer, sizeof(buffer), &now, moments[i].ago),
                                 moments[i].text);
        ck_assert_str_eq(text_format_rfc3339(stamp, sizeof(stamp), now.realtime),
                         "2026-11-22T10:42:00Z");
}
END_TEST

START_TEST(other_locales_get_ascii) {
        _cleanup_free_ char *utf8 = text_clean("gr\xc3\xbc\xc3\x9f \x1b"), *c = NULL;

        ck_assert_str_eq(utf8, "gr\xc3\xbc\xc3\x9f \\x1B");
        ck_assert_uint_eq(text_width("gr\xc3\xbc\xc3\x9f"), 4);
        ck_assert_ptr_nonnull(setlocale(LC_ALL, "C"));
        c = text_clean("gr\xc3\xbc\xc3\x9f \x1b");
        ck_assert_str_eq(c, "gr\\xC3\\xBC\\xC3\\x9F \\x1B");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("output");
        TCase *tcase = tcase_create("output");
        SRunner *runner = srunner_create(suite);
        int failed;

        if (!setlocale(LC_ALL, "C.UTF-8"))
                return 99; /* the harness is broken */
        (void) setenv("TZ", "UTC", 1);
        (void) setenv("NO_COLOR", "1", 1);
        (void) unsetenv("COLUMNS");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, table);
        tcase_add_test(tcase, table_without_legend);
        tcase_add_loop_test(tcase, table_fits_the_terminal, 0, ELEMENTSOF(terminals));
        tcase_add_test(tcase, json);
        tcase_add_test(tcase, json_of_nothing);
        tcase_add_test(tcase, field_wraps_on_a_terminal);
        tcase_add_test(tcase, field_stays_whole_in_a_file);
        tcase_add_test(tcase, lost_output_is_noticed);
        tcase_add_test(tcase, cells_are_replaced);
        tcase_add_test(tcase, a_missing_row_takes_anything);
        tcase_add_test(tcase, times_are_told);
        tcase_add_test(tcase, other_locales_get_ascii);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
