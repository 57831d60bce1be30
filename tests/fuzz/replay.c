/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"

/* Runs a fuzzer's corpus once, in place of libFuzzer: so that make check replays what was ever
 * found. fuzz-NAME takes the files of tests/fuzz/corpus/NAME, whole and cut short at every byte. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536

static int replay(int dir, const char *name) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r = read_file_at(dir, name, INPUT_MAX, &data, &size);

        if (r < 0)
                return r;
        for (size_t n = 0; n <= size; n++) {
                /* A copy of the exact size lets AddressSanitizer see the first byte too many. */
                _cleanup_free_ uint8_t *input = malloc(n > 0 ? n : 1);

                if (!input)
                        return -ENOMEM;
                memcpy(input, data, n);
                (void) LLVMFuzzerTestOneInput(input, n);
        }
        return 0;
}

int main(int argc, char **argv) {
        _cleanup_(closedirp) DIR *dir = NULL;
        const char *top = getenv("TOP_SRCDIR"), *name = strstr(argv[0], "fuzz-");
        char path[4096];
        unsigned n = 0;

        for (const char *next = name; next; next = strstr(next + 1, "fuzz-"))
                name = next;
        if (argc > 1)
                (void) snprintf(path, sizeof(path), "%s", argv[1]);
        else
                (void) snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".",
                                name ? name + strlen("fuzz-") : "");
        dir = opendir(path);
        if (!dir) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return EXIT_FAILURE;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
                int r = 0;

                if (entry->d_name[0] == '.')
                        continue;
                r = replay(dirfd(dir), entry->d_name);
                if (r < 0) {
                        fprintf(stderr, "%s/%s: %s\n", path, entry->d_name, strerror(-r));
                        return EXIT_FAILURE;
                }
                n++;
        }
        printf("%s: %u inputs replayed\n", path, n);
        return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
