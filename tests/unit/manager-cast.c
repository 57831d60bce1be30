/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bus/names.h"
#include "manager-cast.h"

World world;
Client alice, bob, carol;

void cast_enter(void) {
        world_start(&world);
        client_begin(&alice, &world);
        client_begin(&bob, &world);
        client_begin(&carol, &world);
}

void cast_begin(void) {
        world_begin(&world);
        cast_enter();
}

void cast_end(void) {
        client_end(&alice);
        client_end(&bob);
        client_end(&carol);
        world_settle(&world, 50);
        ck_assert_uint_eq(world_end(&world), 0);
}

const char *state(const char *id) {
        static char buffer[64];

        client_get(&carol, probe_path(id), STLINKD_PROBE_INTERFACE, "State", buffer,
                   sizeof(buffer));
        return buffer;
}

/* Wait until a probe has that state; "" when it is to be gone. */
void wait_state(const char *id, const char *wanted) {
        Usec end = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;

        while (strcmp(state(id), wanted) != 0 && now_usec(CLOCK_MONOTONIC) < end)
                world_settle(&world, 10);
        ck_assert_str_eq(state(id), wanted);
}

const char *lease_state(const Answer *answer) {
        static char buffer[64];

        client_get(&carol, answer->path, STLINKD_LEASE_INTERFACE, "State", buffer, sizeof(buffer));
        return buffer;
}

void plug(const char *node) {
        fake_plug(PORT, node, ID);
        wait_state(ID, "free");
}

void wait_for(Answer *answer, const char *error) {
        ck_assert(world_wait(&world, &answer->done));
        ck_assert_msg(strcmp(answer->error, error) == 0, "error \"%s\" (%s), not \"%s\"",
                      answer->error, answer->message, error);
}

/* What the workers did so far, without the node's name. */
const char *worker_log(void) {
        static char buffer[1024];
        char path[128];
        char *text = NULL;
        size_t used = 0;

        (void) snprintf(path, sizeof(path), "%s/log", world.directory);
        buffer[0] = 0;
        if (read_file_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return buffer;
        for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
                char kind[16], what[16];

                if (sscanf(line, "%15s %*s %15s", kind, what) == 2)
                        used += (size_t) snprintf(buffer + used, sizeof(buffer) - used, "%s%s-%s",
                                                  used ? " " : "", kind, what);
        }
        free(text);
        return buffer;
}

void wait_worker(const char *what) {
        Usec end = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;

        while (!strstr(worker_log(), what) && now_usec(CLOCK_MONOTONIC) < end)
                world_settle(&world, 5);
        ck_assert_ptr_nonnull(strstr(worker_log(), what));
}

typedef struct Count {
        bool done;
        unsigned n;
} Count;

static int on_leases(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Count *count = userdata;
        const char *path;

        (void) error;
        count->done = true;
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "ao"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "o"), 0);
        while (sd_bus_message_read(message, "o", &path) > 0)
                count->n++;
        return 0;
}

static unsigned count_leases(void) {
        sd_bus_slot *slot = NULL;
        Count count = {};

        ck_assert_int_ge(sd_bus_call_method_async(carol.bus, &slot, STLINKD_BUS_NAME,
                                                  probe_path(ID), "org.freedesktop.DBus.Properties",
                                                  "Get", on_leases, &count, "ss",
                                                  STLINKD_PROBE_INTERFACE, "Leases"),
                         0);
        ck_assert(world_wait(&world, &count.done));
        sd_bus_slot_unref(slot);
        return count.n;
}

void wait_leases(unsigned n) {
        Usec end = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;

        while (count_leases() != n && now_usec(CLOCK_MONOTONIC) < end)
                world_settle(&world, 5);
        ck_assert_uint_eq(count_leases(), n);
}
