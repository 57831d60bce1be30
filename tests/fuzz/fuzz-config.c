/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/config.h"

/* stlinkd.conf with anything in it: the settings are in their ranges afterwards. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = memfd_create("stlinkd.conf", MFD_CLOEXEC);
        _cleanup_config_ Config config = {};
        char path[64];

        log_set_max_level(-1); /* it complains, as it should */
        require(fd >= 0 && write_full(fd, data, size) >= 0);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        require(config_load_file(path, &config) >= 0);
        require(config.group && config.group[0]);
        require(config.runtime_directory && config.runtime_directory[0] == '/');
        require((unsigned) config.gate <= _GATE_KIND_MAX);
        require(config.job_timeout >= 100 * USEC_PER_MSEC &&
                config.job_timeout <= 3600 * USEC_PER_SEC);
        require(config.away_timeout <= 3600 * USEC_PER_SEC);
        require(config.jobs_max >= 1);
        return 0;
}
