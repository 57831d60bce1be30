/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/device.h"
#include "admin/policy.h"
#include "base/log.h"
#include "base/time.h"
#include "bus/bus-internal.h"
#include "bus/errors.h"

/* As stlinkd: long enough to find a password and type it. */
#define POLKIT_TIMEOUT (120 * USEC_PER_SEC)
#define POLKIT_PENDING 16
#define DAEMON_TIMEOUT (10 * USEC_PER_SEC)
#define DAEMON_USER    "stlinkd"
#define GRANTS_MAX     64

static int read_caller(sd_bus_message *message, BusCaller *ret, sd_bus_error *error) {
        *ret = (BusCaller){ .name = sd_bus_message_get_sender(message) };
        if (ret->name && bus_caller_ask(message, ret) >= 0)
                return 0;
        return bus_error_setf(error, EACCES, "The bus does not say who you are");
}

/* --- who may ------------------------------------------------------------------------------ */

/* Returns 1: he may; 0: polkit is being asked, and the message comes again; a negative errno. */
static int authorize(Admin *admin, sd_bus_message *message, const BusCaller *caller,
                     const char *action, const char *port, sd_bus_error *error) {
        const PolkitDetail details[] = { { "probe.port", port ? port : "" } };
        int r = polkit_check(admin->polkit, message, caller, action, details, port ? 1 : 0, error);

        switch (r) {
        case POLKIT_YES:
                return 1;
        case POLKIT_PENDING:
                return 0;
        case POLKIT_ABSENT:
                if (caller->uid == geteuid())
                        return 1;
                return bus_error_setf(error, EACCES,
                                      "Only root may, as polkit is not there to ask");
        case POLKIT_CHALLENGE:
                return bus_error_setf(
                        error,
                        sd_bus_message_get_allow_interactive_authorization(message) > 0 ? EACCES
                                                                                        : ENOKEY,
                        "It takes an administrator's password (polkit action %s)", action);
        case POLKIT_NO:
                return bus_error_setf(error, EACCES, "polkit does not let you (action %s)", action);
        default:
                return r;
        }
}

/* --- whose it is -------------------------------------------------------------------------- */

static pid_t daemon_pid(Admin *admin) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        pid_t pid = 0;

        if (sd_bus_get_name_creds(admin->bus, STLINKD_BUS_NAME, SD_BUS_CREDS_PID, &creds) >= 0)
                (void) sd_bus_creds_get_pid(creds, &pid);
        return pid;
}

/* Whether the daemon knows of somebody whom the caller would disturb. Without a daemon there are
 * no leases; it is not started for the question. */
static int check_leases(Admin *admin, const AdminDevice *device, const BusCaller *caller,
                        sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *answer = NULL;
        const char *obstacle;
        int r = sd_bus_message_new_method_call(admin->bus, &call, STLINKD_BUS_NAME, STLINKD_PATH,
                                               STLINKD_MANAGER_INTERFACE, "GetObstacle");

        if (r >= 0)
                r = sd_bus_message_append(call, "ssu", device->port, caller->name,
                                          (uint32_t) caller->uid);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call(admin->bus, call, DAEMON_TIMEOUT, error, &answer);
        if (r == -EHOSTUNREACH || r == -ENXIO) {
                sd_bus_error_free(error);
                return 0;
        }
        if (r >= 0)
                r = sd_bus_message_read(answer, "s", &obstacle);
        if (r < 0)
                return r;
        return obstacle[0] ? bus_error_setf(error, EBUSY, "%s", obstacle) : 0;
}

static int check_unused(Admin *admin, const AdminDevice *device, const BusCaller *caller,
                        sd_bus_error *error) {
        const pid_t allowed[] = { getpid(), caller->pid, daemon_pid(admin) };
        int r = check_leases(admin, device, caller, error);

        return r < 0 ? r : device_check_unused(device, allowed, ELEMENTSOF(allowed), error);
}

/* --- methods ------------------------------------------------------------------------------ */

typedef int (*DeviceAction)(const AdminDevice *device);

static int act_on_port(sd_bus_message *message, Admin *admin, DeviceAction action, const char *what,
                       sd_bus_error *error) {
        _cleanup_device_ AdminDevice device = { .dirfd = -EBADF };
        const char *port, *node;
        BusCaller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &port, &node);
        if (r >= 0)
                r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = read_caller(message, &caller, error);
        if (r >= 0)
                r = device_find(port, node, &device, error);
        if (r < 0)
                return r;
        r = authorize(admin, message, &caller, STLINKD_ACTION_REPLUG, port, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = check_unused(admin, &device, &caller, error);
        if (r < 0)
                return r;
        r = action(&device);
        log_notice("Port %s: %s for uid %u%s%s", port, what, (unsigned) caller.uid,
                   r < 0 ? ", in vain: " : "", r < 0 ? strerror(-r) : "");
        if (r == -EOPNOTSUPP)
                return bus_error_setf(error, EOPNOTSUPP,
                                      "the kernel has no switch for this port (Linux 6.0 does)");
        if (r < 0)
                return bus_error_setf(error, r, "the kernel refused: %s", strerror(-r));
        r = sd_bus_reply_method_return(message, NULL);
        return r < 0 ? r : 1;
}

static int method_reauthorize(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return act_on_port(message, userdata, device_reauthorize, "set up anew", error);
}

static int method_power_cycle(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return act_on_port(message, userdata, device_power_cycle, "switched off and on", error);
}

static int method_set_policy(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Admin *admin = userdata;
        const char *policy;
        BusCaller caller;
        bool strict;
        int r;

        r = sd_bus_message_read(message, "s", &policy);
        if (r >= 0)
                r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = read_caller(message, &caller, error);
        if (r < 0)
                return r;
        strict = strcmp(policy, "strict") == 0;
        if (!strict && strcmp(policy, "open") != 0)
                return bus_error_setf(error, EINVAL, "A policy is \"strict\" or \"open\"");
        r = authorize(admin, message, &caller, STLINKD_ACTION_SET_POLICY, NULL, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = policy_set(strict);
        if (r < 0)
                return bus_error_setf(error, r, "Cannot change the rules of udev: %s",
                                      strerror(-r));
        log_notice("Policy is %s now, by uid %u", policy, (unsigned) caller.uid);
        (void) sd_bus_emit_properties_changed(admin->bus, STLINKD_ADMIN_PATH,
                                              STLINKD_ADMIN_INTERFACE, "Policy", NULL);
        r = sd_bus_reply_method_return(message, NULL);
        return r < 0 ? r : 1;
}

/* Only for the daemon: it knows who holds which lease. */
static int check_is_daemon(const BusCaller *caller, sd_bus_error *error) {
        const struct passwd *user = getpwnam(DAEMON_USER);

        if (caller->uid == 0 || caller->uid == geteuid() || (user && caller->uid == user->pw_uid))
                return 0;
        return bus_error_setf(error, EACCES, "Only stlinkd may");
}

static int method_grant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_device_ AdminDevice device = { .dirfd = -EBADF };
        const char *port, *node;
        const uint32_t *uids;
        BusCaller caller;
        size_t size;
        int r;

        (void) userdata;
        r = sd_bus_message_read(message, "ss", &port, &node);
        if (r >= 0)
                r = sd_bus_message_read_array(message, 'u', (const void **) &uids, &size);
        if (r >= 0)
                r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = read_caller(message, &caller, error);
        if (r >= 0)
                r = check_is_daemon(&caller, error);
        if (r >= 0)
                r = device_find(port, node, &device, error);
        if (r >= 0)
                r = grant_set(&device, uids, MIN(size / sizeof(uint32_t), (size_t) GRANTS_MAX));
        if (r >= 0)
                r = sd_bus_reply_method_return(message, NULL);
        return r < 0 ? r : 1;
}

static int get_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        (void) bus, (void) path, (void) interface, (void) property, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", policy_is_strict() ? "strict" : "open");
}

static const sd_bus_vtable admin_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Policy", "s", get_policy, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("Reauthorize", SD_BUS_ARGS("s", port, "s", node, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_reauthorize, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PowerCycle", SD_BUS_ARGS("s", port, "s", node, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_power_cycle, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetPolicy", SD_BUS_ARGS("s", policy, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_set_policy, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Grant",
                                SD_BUS_ARGS("s", port, "s", node, "au", uids, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_grant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int admin_new(sd_bus *bus, Admin **ret) {
        const PolkitLimits limits = { .timeout = POLKIT_TIMEOUT, .pending = POLKIT_PENDING };
        _cleanup_(admin_freep) Admin *admin = calloc(1, sizeof(*admin));
        int r;

        if (!admin)
                return -ENOMEM;
        admin->bus = sd_bus_ref(bus);
        r = polkit_new(bus, &limits, &admin->polkit);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, &admin->slot, STLINKD_ADMIN_PATH,
                                             STLINKD_ADMIN_INTERFACE, admin_vtable, admin);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(admin);
        return 0;
}

Admin *admin_free(Admin *admin) {
        if (!admin)
                return NULL;
        sd_bus_slot_unref(admin->slot);
        polkit_free(admin->polkit);
        sd_bus_unref(admin->bus);
        free(admin);
        return NULL;
}
