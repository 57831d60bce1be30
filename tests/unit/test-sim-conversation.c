/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

/* What real tools say when they connect (stlink-protocol §7), word for word, against every model
 * that they can be used with. */

/* A command, how many bytes of answer its tool reads, and how the answer begins. In both, bytes
 * are hexadecimal; ".." is any byte. */
typedef struct Line {
        const char *command;
        int reply;
        const char *expected;
} Line;

#define LINES_MAX 40

typedef struct Conversation {
        const char *name;
        const char *specs[6];
        Line lines[LINES_MAX];
} Conversation;

static const Conversation conversations[] = {
        { "st-info --probe --hot-plug",
          { "v2:mode=mass", "v2:mode=mass,serial=clone", "v2-1:target=f103" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "01" },
                  { "f2 43 01 00", 2, "80" },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
                  { "f2 31", 12, "80000000 7714a01b" },
                  { "f2 36 00ed00e0", 8, "80000000 31c21f41" },
                  { "f2 36 002004e0", 8, "80000000 10640320" },
                  { "f2 36 e0f7ff1f", 8, "80" },
          } },
        { "st-info --probe, with its reset",
          { "v2-1" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "01" },
                  { "f2 43 01 00", 2, "80" },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
                  { "f2 36 f0ed00e0", 8, "80" },
                  { "f2 3c 00", 2, "80" },
                  { "f2 3c 01", 2, "80" },
                  { "f2 32", 2, "80" },
                  { "f2 36 f0ed00e0", 8, "80000000 ......02" }, /* S_RESET_ST, once */
                  { "f2 36 f0ed00e0", 8, "80000000 ......00" },
                  { "f2 31", 12, "80000000 7714a02b" },
                  { "f2 36 00ed00e0", 8, "80000000 41c20f41" },
                  { "f2 36 002004e0", 8, "80000000 31640010" },
          } },
        { "st-info, boot loader first",
          { "v2" },
          {
                  { "f1", 6, "2947 8304 4837" },
                  { "f5", 2, "0001" },
                  { "f3 07", 0, NULL },
                  { "f2 43 01 00", 2, "80" },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
          } },
        { "st-info on V3",
          { "v3", "v3:pid=374f", "v3:pid=3753" },
          {
                  { "f1", 6, "3000 8304" },
                  { "f5", 2, "01" },
                  { "fb", 12, "0300 0a03 00000000 8304" },
                  { "f2 62 00", 52, "80000000 e8030000 07000000" },
                  { "f2 61 00 00 e8030000", 8, "80000000 e8030000" },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
                  { "f2 31", 12, "80000000 7714a02b" },
          } },
        { "connect under reset, asleep",
          { "v2-1:asleep", "v2-1:remapped" },
          {
                  { "f2 30 a3", 2, "09" },
                  { "f2 3c 00", 2, "80" },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
                  { "f2 35 f0ed00e0 03005fa0", 2, "80" },
                  { "f2 35 fced00e0 01000001", 2, "80" }, /* catch the reset vector */
                  { "f2 3c 01", 2, "80" },
                  { "f2 36 f0ed00e0", 8, NULL }, /* tells of the reset */
                  { "f2 36 f0ed00e0", 8, "80000000 030003" },
          } },
        { "connect under reset, line not wired",
          { "v2-1:asleep,nrst=unwired" },
          {
                  { "f2 3c 00", 2, "80" },
                  { "f2 30 a3", 2, "09" },
                  { "f2 3c 01", 2, "80" },
          } },
        { "OpenOCD, HLA",
          { "v2:mode=mass", "v2-1:target=f103" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "01" },
                  { "f5", 2, "01" },
                  { "f7", 8, NULL },
                  { "f2 43 01 00", 2, "80" },
                  { "f2 30 a3", 2, "80" },
                  { "f5", 2, "02" },
                  { "f2 4b 00", 2, "80" },
                  { "f2 07 00ed00e0 04 00", 4, "31c21f41" },
                  { "f2 3e", 12, "80000000 00000000 00000000" },
                  { "f2 3c 01", 2, "80" },
                  { "f2 31", 12, "80" },
                  { "f2 08 f0ed00e0 04 00", -4, "01005fa0" },
                  { "f2 3e", 12, "80" },
                  { "f2 07 002000e0 04 00", 4, "6002" }, /* FP_CTRL */
                  { "f2 3e", 12, "80" },
                  { "f2 08 082000e0 04 00", -4, "00000000" },
                  { "f2 3e", 12, "80" },
                  { "f2 07 001000e0 04 00", 4, "00000040" }, /* DWT_CTRL */
                  { "f2 3e", 12, "80" },
                  { "f2 07 000000f0 04 00", 4, NULL }, /* nobody there */
                  { "f2 3e", 12, "11000000 000000f0" },
                  { "f2 07 00ed00e0 04 00", 4, "31c21f41" },
                  { "f2 3e", 12, "80" },
                  { "f5", 2, "02" },
                  { "f2 21", 0, NULL },
                  { "f5", 2, "01" },
          } },
        { "OpenOCD, DAP",
          { "v2:mode=mass,target=f411", "v2-1", "v3", "v3:pid=374f" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "01" },
                  { "f7", 8, NULL },
                  { "f2 30 a3", 2, "80" },
                  { "f2 3c 01", 2, "80" },
                  { "f2 46 ffff 0400 20000050", 2, "80" },
                  { "f2 46 ffff 0400 00000050", 2, "80" },
                  { "f2 45 ffff 0400", 8, "80000000 ......f0" },
                  { "f2 31", 12, "80000000 7714a02b" },
                  { "f2 4b 00", 2, "80" },
                  { "f2 45 0000 fc00", 8, "80000000 11007724" },
                  { "f2 45 0000 f800", 8, "80000000 03f00fe0" },
                  { "f2 07 00ed00e0 04 00 00 0000a2", 4, "41c20f41" },
                  { "f2 3e", 12, "80" },
                  { "f2 51 03000000", -16, "05030300 00000000 00f00fe0 ccff0fe0" },
                  { "f2 52", 24, "00000000 03f0f0ff 01000000 80000000 80000000 80000000" },
                  { "f2 45 ffff 0400", 8, "80000000 ......f0" },
                  { "f2 4c 00", 2, "80" },
                  { "f5", 2, "02" },
                  { "f2 21", 0, NULL },
          } },
        { "pyOCD",
          { "v2:mode=mass,target=f411", "v2-1" },
          {
                  { "f1", 64, NULL },
                  { "f7", 64, NULL },
                  { "f2 43 03", 64, "80" },
                  { "f5", 64, "01" },
                  { "f2 30 a3 00", 64, "80" },
                  { "f2 45 ffff 0000", 64, "80000000 7714a02b" },
                  { "f2 46 ffff 0000 04000000", 64, "80" },
                  { "f2 46 ffff 0800 00000000", 64, "80" },
                  { "f2 46 ffff 0400 00000050", 64, "80" },
                  { "f2 45 ffff 0400", 64, "80000000 ......f0" },
                  { "f2 46 ffff 0400 000f0050", 64, "80" },
                  { "f2 45 0000 fc00", 64, "80000000 11007724" },
                  { "f2 45 0100 fc00", 64, "80000000 00000000" },
                  { "f2 4b 00", 64, "80" },
                  { "f2 07 00ed00e0 04 00", 64, "41c20f41" },
                  { "f2 3e", 64, "80" },
                  { "f2 08 fced00e0 04 00", -4, "00000001" },
                  { "f2 3e", 64, "80" },
                  { "f5", 64, "02" },
                  { "f2 21", 0, NULL },
          } },
        { "a second user finds the first one's mode",
          { "v2:mode=debug", "v2-1:mode=debug", "v3:mode=debug" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "02" },
                  { "f2 21", 0, NULL },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "80" },
          } },
        { "halt, registers, run",
          { "v2-1", "v3" },
          {
                  { "f2 30 a3", 2, "80" },
                  { "f2 35 f0ed00e0 03005fa0", 2, "80" },
                  { "f2 36 f0ed00e0", 8, "80000000 0300 .3" },
                  { "f2 34 00 78563412", 2, "80" },
                  { "f2 33 00", 8, "80000000 78563412" },
                  { "f2 3a", 88, "80000000 78563412" },
                  { "f2 08 00000020 04 00", -4, "fee70000" }, /* b . */
                  { "f2 34 0f 00000020", 2, "80" },
                  { "f2 34 10 00000001", 2, "80" },
                  { "f2 35 f0ed00e0 01005fa0", 2, "80" },
                  { "f2 36 f0ed00e0", 8, "80000000 0100 .." },
                  { "f2 35 f0ed00e0 03005fa0", 2, "80" },
                  { "f2 33 0f", 8, "80000000 00000020" },
          } },
        { "not powered, not there, locked for good",
          { "v2:mode=mass,unpowered", "v2-1:target=none", "v2-1:rdp=2", "v3:absent" },
          {
                  { "f1", 6, NULL },
                  { "f5", 2, "01" },
                  { "f2 30 a3", 2, "09" },
                  { "f5", 2, "01" },
          } },
        { "locked flash",
          { "v2-1:rdp=1" },
          {
                  { "f2 30 a3", 2, "80" },
                  { "f2 07 00000020 04 00", 4, NULL },
                  { "f2 3e", 12, "80" },
                  { "f2 07 00000008 04 00", 4, NULL },
                  { "f2 3e", 12, "11000000 00000008" },
          } },
};

static Host host;

/* Hexadecimal text to bytes; what is ".." becomes -1. */
static size_t parse_bytes(const char *text, int *bytes, size_t max) {
        char digits[3] = "";
        size_t n = 0, d = 0;

        for (; *text; text++) {
                if (*text == ' ')
                        continue;
                digits[d++] = *text;
                if (d < 2)
                        continue;
                d = 0;
                ck_assert_uint_lt(n, max);
                bytes[n++] = strchr(digits, '.') ? -1 : (int) strtol(digits, NULL, 16);
        }
        return n;
}

static void send_line(const Line *line) {
        uint8_t command[16], data[256];
        int bytes[256];
        size_t n = parse_bytes(line->command, bytes, sizeof(command));

        for (size_t i = 0; i < n; i++)
                command[i] = (uint8_t) bytes[i];
        ck_assert_int_eq(host_send(&host, command, n), 16);
        if (line->reply >= 0)
                return;
        /* Data that follows the command */
        n = parse_bytes(line->expected, bytes, ELEMENTSOF(bytes));
        for (size_t i = 0; i < n; i++)
                data[i] = (uint8_t) bytes[i];
        ck_assert_int_eq(-line->reply, (int) n);
        ck_assert_int_eq(
                host_bulk(&host, get_le16(host.usb->descriptors + 10) == 0x3748 ? 2 : 1, data, n),
                (int) n);
}

static void check_line(const char *where, const Line *line) {
        uint8_t reply[256];
        int bytes[256], r;
        size_t n;

        send_line(line);
        if (line->reply <= 0)
                return;
        r = host_bulk(&host, 0x81, reply, (size_t) line->reply);
        ck_assert_msg(r == line->reply || (line->reply == 64 && r > 0), "%s, %s: read %d", where,
                      line->command, r);
        n = line->expected ? parse_bytes(line->expected, bytes, ELEMENTSOF(bytes)) : 0;
        for (size_t i = 0; i < n; i++)
                ck_assert_msg(bytes[i] < 0 || bytes[i] == reply[i],
                              "%s, %s: byte %zu is %02x, expected %s", where, line->command, i,
                              reply[i], line->expected);
}

START_TEST(test_conversation) {
        const Conversation *c = &conversations[_i];

        for (size_t s = 0; s < ELEMENTSOF(c->specs) && c->specs[s]; s++) {
                char where[128];

                (void) snprintf(where, sizeof(where), "%s on %s", c->name, c->specs[s]);
                host_init(&host, c->specs[s]);
                for (const Line *line = c->lines; line->command; line++)
                        check_line(where, line);
                /* Nothing is left in the pipe. */
                ck_assert_int_eq(host_bulk(&host, 0x81, (uint8_t[64]){}, 64), -ETIMEDOUT);
                host_done(&host);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-conversation");
        TCase *tcase = tcase_create("conversation");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_conversation, 0, ELEMENTSOF(conversations));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
