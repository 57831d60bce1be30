/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/connection.h"
#include "ctl/number.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

/* The target's memory: read, write. */

#define SIZE_MAX_READ  (UINT64_C(256) << 20) /* the largest memory that a chip maps */
#define SIZE_MAX_WRITE (16u << 20)
#define LINE           16

/* Of every STM32: flash memory, and where RAM begins (ARMv7-M B3.1). What is below the one shows
 * again whatever the chip boots from; between them is RAM on some chips, and on others ROM. */
#define FLASH_BASE 0x08000000
#define FLASH_END  0x10000000
#define RAM_BASE   0x20000000

static ExitCode parse_address(const char *text, uint32_t *ret) {
        if (parse_u32(text, ret) >= 0)
                return EXIT_CODE_OK;
        client_say("Not an address: '%s' (try 0x20000000).", text);
        return EXIT_CODE_USAGE;
}

static ExitCode check_range(uint32_t address, uint64_t size) {
        if (size <= UINT64_C(0x100000000) - address)
                return EXIT_CODE_OK;
        client_say("There are no %llu bytes from 0x%08x on: memory ends at 0xffffffff.",
                   (unsigned long long) size, address);
        return EXIT_CODE_USAGE;
}

static ExitCode parse_length(const char *text, uint64_t *ret) {
        if (parse_size(text, ret) < 0) {
                client_say("Not a number of bytes: '%s' (try 256, 0x100 or 64K).", text);
                return EXIT_CODE_USAGE;
        }
        if (*ret <= SIZE_MAX_READ)
                return EXIT_CODE_OK;
        client_say("At most 256M are read at once.");
        return EXIT_CODE_USAGE;
}

static void print_line(uint32_t address, const uint8_t *data, size_t n) {
        (void) printf("%08x ", address);
        for (size_t i = 0; i < LINE; i++) {
                if (i % 8 == 0)
                        (void) putchar(' ');
                if (i < n)
                        (void) printf("%02x ", data[i]);
                else
                        (void) fputs("   ", stdout);
        }
        (void) putchar('|');
        for (size_t i = 0; i < n; i++)
                (void) putchar(data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '.');
        (void) fputs("|\n", stdout);
}

/* As hexdump -C does. */
static void print_dump(uint32_t address, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i += LINE)
                print_line(address + (uint32_t) i, data + i, MIN(size - i, (size_t) LINE));
}

static ExitCode write_file(const char *path, const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        int r = fd < 0 ? -errno : 0;

        if (r >= 0)
                r = write_full(fd, data, size);
        if (r >= 0 && close(TAKE_FD(fd)) < 0)
                r = -errno;
        if (r >= 0)
                return EXIT_CODE_OK;
        client_say("Cannot write %s: %s", path, strerror(-r));
        return EXIT_CODE_FAILURE;
}

static ExitCode put_out(const Options *options, uint32_t address, const uint8_t *data,
                        size_t size) {
        if (options->output && strcmp(options->output, "-") != 0)
                return write_file(options->output, data, size);
        if (!options->output && isatty(STDOUT_FILENO))
                print_dump(address, data, size);
        else
                (void) fwrite(data, size, 1, stdout); /* errors show at the end of the program */
        return EXIT_CODE_OK;
}

int verb_read(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        _cleanup_free_ uint8_t *data = NULL;
        uint32_t address = 0;
        uint64_t size = 0;
        ExitCode code;
        int r;

        (void) n;
        code = parse_address(words[0], &address);
        if (code == EXIT_CODE_OK)
                code = parse_length(words[1], &size);
        if (code == EXIT_CODE_OK)
                code = check_range(address, size);
        if (code != EXIT_CODE_OK)
                return code;
        data = malloc(size);
        if (!data)
                return client_report(NULL, -ENOMEM);
        code = connection_begin(&connection, NULL, options, "stlinkctl read");
        if (code != EXIT_CODE_OK)
                return code;
        r = target_link_read(&connection.link, address, data, size);
        if (r >= 0)
                r = connection_leave(&connection);
        return r < 0 ? connection_report(&connection, r) : put_out(options, address, data, size);
}

static int load_file(const char *path, uint8_t *buffer, size_t size, size_t *ret_used) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        if (strcmp(path, "-") != 0) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
        }
        n = read_full(fd >= 0 ? fd : STDIN_FILENO, buffer, size);
        if (n < 0)
                return (int) n;
        *ret_used = (size_t) n;
        return 0;
}

/* What is to be written, from a file or from the command line. */
static ExitCode get_data(int n, char **words, uint8_t *buffer, size_t size, size_t *ret_used) {
        size_t used = 0;
        int r = 0;

        if (words[0][0] == '@') {
                r = n > 1 ? -E2BIG : load_file(words[0] + 1, buffer, size, &used);
                if (r == -E2BIG)
                        client_say("Nothing can follow a file of data.");
                else if (r < 0)
                        client_say("Cannot read %s: %s", words[0] + 1, strerror(-r));
        } else
                for (int i = 0; r >= 0 && i < n; i++) {
                        r = parse_data(words[i], buffer, size, &used);
                        if (r < 0)
                                client_say("Not data: '%s' (try 0x1234abcd, cdab3412 or @FILE).",
                                           words[i]);
                }
        if (r < 0)
                return EXIT_CODE_USAGE;
        if (used > 0 && used <= SIZE_MAX_WRITE) {
                *ret_used = used;
                return EXIT_CODE_OK;
        }
        client_say(used == 0 ? "There is nothing to write." : "At most 16M are written at once.");
        return EXIT_CODE_USAGE;
}

/* Flash takes more than a write, on each family something else. */
static ExitCode refuse_flash(uint32_t address) {
        if (address < FLASH_BASE || address >= FLASH_END)
                return EXIT_CODE_OK;
        client_say("0x%08x is flash memory, which a plain write does not change.", address);
        client_say_more("Program it with a tool that can:  stlinkctl run -- st-flash write FILE "
                        "0x%08x",
                        address);
        return EXIT_CODE_USAGE;
}

static ExitCode say_unchanged(uint32_t address) {
        client_say("The memory at 0x%08x does not take a plain write: it still holds something "
                   "else.",
                   address);
        client_say_more("If it is flash memory:  stlinkctl run -- st-flash write FILE 0x%08x",
                        FLASH_BASE);
        return EXIT_CODE_FAILURE;
}

/* Whether a write did anything, where nobody but the memory can tell. */
static bool has_changed(TargetLink *link, uint32_t address, const uint8_t *data, size_t size) {
        _cleanup_free_ uint8_t *now = address < RAM_BASE ? malloc(size) : NULL;

        return !now || target_link_read(link, address, now, size) < 0 ||
               memcmp(now, data, size) == 0;
}

int verb_write(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        _cleanup_free_ uint8_t *data = malloc(SIZE_MAX_WRITE + 1);
        uint32_t address = 0;
        size_t size = 0;
        ExitCode code;
        bool changed;
        int r;

        if (!data)
                return client_report(NULL, -ENOMEM);
        code = parse_address(words[0], &address);
        if (code == EXIT_CODE_OK)
                code = get_data(n - 1, words + 1, data, SIZE_MAX_WRITE + 1, &size);
        if (code == EXIT_CODE_OK)
                code = check_range(address, size);
        if (code == EXIT_CODE_OK)
                code = refuse_flash(address);
        if (code == EXIT_CODE_OK)
                code = connection_begin(&connection, NULL, options, "stlinkctl write");
        if (code != EXIT_CODE_OK)
                return code;
        r = target_link_write(&connection.link, address, data, size);
        changed = r < 0 || has_changed(&connection.link, address, data, size);
        if (r >= 0)
                r = connection_leave(&connection);
        if (r < 0)
                return connection_report(&connection, r);
        return changed ? EXIT_CODE_OK : say_unchanged(address);
}
