/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bus/errors.h"

static const BusError errors[] = {
        { STLINKD_ERROR_BUSY, EBUSY, EXIT_CODE_BUSY },
        { STLINKD_ERROR_NO_SUCH_PROBE, ENOENT, EXIT_CODE_NO_PROBE },
        { STLINKD_ERROR_NO_SUCH_HOLDER, ESRCH, EXIT_CODE_FAILURE },
        { STLINKD_ERROR_UNPLUGGED, ENODEV, EXIT_CODE_NO_PROBE },
        { STLINKD_ERROR_TIMEOUT, ETIME, EXIT_CODE_BUSY },
        { STLINKD_ERROR_NOT_LEASED, ENOLCK, EXIT_CODE_FAILURE },
        { STLINKD_ERROR_LEASE_LOST, EOWNERDEAD, EXIT_CODE_LEASE_LOST },
        { STLINKD_ERROR_NOT_ANSWERING, EREMOTEIO, EXIT_CODE_NOT_ANSWERING },
        { STLINKD_ERROR_QUOTA_EXCEEDED, EDQUOT, EXIT_CODE_BUSY },
        { SD_BUS_ERROR_ACCESS_DENIED, EACCES, EXIT_CODE_DENIED },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, ENOKEY, EXIT_CODE_DENIED },
        { SD_BUS_ERROR_INVALID_ARGS, EINVAL, EXIT_CODE_USAGE },
        { SD_BUS_ERROR_NO_MEMORY, ENOMEM, EXIT_CODE_FAILURE },
        /* A probe's or a lease's object that is gone by now. */
        { SD_BUS_ERROR_UNKNOWN_OBJECT, EBADR, EXIT_CODE_NO_PROBE },
        /* The daemon, or the bus itself, is not there or hangs. */
        { SD_BUS_ERROR_SERVICE_UNKNOWN, EHOSTUNREACH, EXIT_CODE_NO_DAEMON },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, ENXIO, EXIT_CODE_NO_DAEMON },
        { SD_BUS_ERROR_NO_REPLY, ETIMEDOUT, EXIT_CODE_NO_DAEMON },
        { SD_BUS_ERROR_DISCONNECTED, ECONNRESET, EXIT_CODE_NO_DAEMON },
};

const BusError *bus_error_at(size_t index) {
        return index < ELEMENTSOF(errors) ? &errors[index] : NULL;
}

static const BusError *find_errno(int error) {
        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                if (errors[i].error == abs(error))
                        return &errors[i];
        return NULL;
}

static const BusError *find_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                if (strcmp(errors[i].name, name) == 0)
                        return &errors[i];
        return NULL;
}

int bus_errors_register(void) {
        /* sd-bus keeps a pointer to the map. */
        static sd_bus_error_map map[ELEMENTSOF(errors) + 1];
        int r;

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                map[i] = (sd_bus_error_map){ .name = errors[i].name, .code = errors[i].error };
        map[ELEMENTSOF(errors)] = (sd_bus_error_map) SD_BUS_ERROR_MAP_END;
        r = sd_bus_error_add_map(map);
        return r < 0 ? r : 0;
}

const char *bus_error_from_errno(int error) {
        const BusError *found = find_errno(error);

        return found ? found->name : NULL;
}

int bus_error_to_errno(const char *name) {
        const BusError *found;

        if (!name)
                return 0;
        found = find_name(name);
        return found ? found->error : EIO;
}

ExitCode exit_code_from_errno(int error) {
        const BusError *found;

        if (error == 0)
                return EXIT_CODE_OK;
        found = find_errno(error);
        return found ? found->exit_code : EXIT_CODE_FAILURE;
}

ExitCode exit_code_from_bus_error(const char *name) {
        const BusError *found;

        if (!name)
                return EXIT_CODE_OK;
        found = find_name(name);
        return found ? found->exit_code : EXIT_CODE_FAILURE;
}

int bus_error_setf(sd_bus_error *ret, int error, const char *format, ...) {
        const char *name = bus_error_from_errno(error);
        va_list args;

        va_start(args, format);
        (void) sd_bus_error_setfv(ret, name ? name : SD_BUS_ERROR_FAILED, format, args);
        va_end(args);
        return -abs(error);
}
