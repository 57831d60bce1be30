/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leases by the thousand, for bench-lease.sh.
 *
 *   lease-bench pairs N           time N rounds of a ping and of Acquire with Release, each in turn
 *   lease-bench queue N           N clients wait for the probe. What is then read from stdin
 *                                 is done: "pass K" hands the probe over K times, each time to
 *                                 who is next, and prints how many messages all of them got;
 *                                 "end" lets all go.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define BUS_NAME "io.github.stlinkd1"
#define LEASE    BUS_NAME ".Lease"
#define PROBE    BUS_NAME ".Probe"
#define ROOT     "/io/github/stlinkd1"

static char probe[256];

static void check(int r, const char *what, const sd_bus_error *error) {
        if (r >= 0)
                return;
        fprintf(stderr, "lease-bench: %s: %s\n", what,
                error && error->message ? error->message : strerror(-r));
        exit(EXIT_FAILURE);
}

static sd_bus *connect_bus(void) {
        sd_bus *bus = NULL;

        check(sd_bus_open_system(&bus), "connect", NULL);
        return bus;
}

/* The one probe there is. */
static void find_probe(sd_bus *bus) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *answer;
        const char *path;

        check(sd_bus_call_method(bus, BUS_NAME, ROOT, "org.freedesktop.DBus.ObjectManager",
                                 "GetManagedObjects", &error, &answer, ""),
              "list", &error);
        check(sd_bus_message_enter_container(answer, 'a', "{oa{sa{sv}}}"), "list", NULL);
        while (sd_bus_message_enter_container(answer, 'e', "oa{sa{sv}}") > 0) {
                check(sd_bus_message_read_basic(answer, 'o', &path), "list", NULL);
                if (strncmp(path, ROOT "/probe/", strlen(ROOT "/probe/")) == 0)
                        (void) snprintf(probe, sizeof(probe), "%s", path);
                check(sd_bus_message_skip(answer, "a{sa{sv}}"), "list", NULL);
                check(sd_bus_message_exit_container(answer), "list", NULL);
        }
        sd_bus_message_unref(answer);
}

/* --- pairs -------------------------------------------------------------------------------- */

static double now_us(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static void ping(sd_bus *bus) {
        sd_bus_error error = SD_BUS_ERROR_NULL;

        check(sd_bus_call_method(bus, BUS_NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping", &error,
                                 NULL, ""),
              "ping", &error);
}

static void acquire_and_release(sd_bus *bus) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *answer;
        const char *path;

        check(sd_bus_call_method(bus, BUS_NAME, probe, PROBE, "Acquire", &error, &answer, "a{sv}",
                                 0),
              "Acquire", &error);
        check(sd_bus_message_read_basic(answer, 'o', &path), "Acquire", NULL);
        check(sd_bus_call_method(bus, BUS_NAME, path, LEASE, "Release", &error, NULL, "a{sv}", 0),
              "Release", &error);
        sd_bus_message_unref(answer);
}

/* One line for each round: microseconds of the ping, and of the pair. */
static void pairs(unsigned rounds) {
        sd_bus *bus = connect_bus();
        double begin, middle;

        find_probe(bus);
        for (unsigned i = 0; i < rounds; i++) {
                ping(bus); /* what the last Release left to be done is done then */
                begin = now_us();
                ping(bus);
                middle = now_us();
                acquire_and_release(bus);
                printf("%.1f %.1f\n", middle - begin, now_us() - middle);
        }
        sd_bus_flush_close_unref(bus);
}

/* --- queue -------------------------------------------------------------------------------- */

/* A client is a process to the daemon: whoever connects, and does no more than live after that. */
static int connect_as_another(void) {
        const char *path = strstr(getenv("DBUS_SYSTEM_BUS_ADDRESS"), "unix:path=");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
        char done;

        check(path && fd >= 0 && pipe(ends) == 0 ? 0 : -EINVAL, "connect", NULL);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                        path + strlen("unix:path="));
        if (fork() == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
                        (void) write(ends[1], "", 1);
                (void) close_range(0, ~0U, 0); /* what others have open is theirs alone */
                for (;;)
                        (void) pause();
        }
        (void) close(ends[1]);
        check(read(ends[0], &done, 1) == 1 ? 0 : -ECONNREFUSED, "connect", NULL);
        (void) close(ends[0]);
        return fd;
}

static sd_bus *connect_client(void) {
        sd_bus *bus = NULL;
        int fd = connect_as_another();

        check(sd_bus_new(&bus), "connect", NULL);
        check(sd_bus_set_fd(bus, fd, fd), "connect", NULL);
        check(sd_bus_set_bus_client(bus, true), "connect", NULL);
        check(sd_bus_negotiate_fds(bus, true), "connect", NULL);
        check(sd_bus_start(bus), "connect", NULL);
        return bus;
}

typedef struct Waiter {
        sd_bus *bus;
        sd_bus_message *answer; /* keeps the descriptor */
        char path[96];
        bool held;
} Waiter;

static unsigned long messages;

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Waiter *waiter = userdata;
        const char *interface, *name, *state;

        (void) error;
        messages++;
        if (strcmp(sd_bus_message_get_path(message), waiter->path) != 0 ||
            !sd_bus_message_is_signal(message, NULL, "PropertiesChanged"))
                return 0;
        check(sd_bus_message_read(message, "s", &interface), "signal", NULL);
        check(sd_bus_message_enter_container(message, 'a', "{sv}"), "signal", NULL);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                check(sd_bus_message_read(message, "s", &name), "signal", NULL);
                if (strcmp(name, "State") == 0) {
                        check(sd_bus_message_read(message, "v", "s", &state), "signal", NULL);
                        waiter->held = strcmp(state, "held") == 0;
                } else {
                        check(sd_bus_message_skip(message, "v"), "signal", NULL);
                }
                check(sd_bus_message_exit_container(message), "signal", NULL);
        }
        return 0;
}

/* As stlinkctl does it. */
static void join(Waiter *waiter) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        char match[160];
        const char *path;

        waiter->bus = connect_client();
        check(sd_bus_call_method(waiter->bus, BUS_NAME, probe, PROBE, "Acquire", &error,
                                 &waiter->answer, "a{sv}", 2, "wait", "t", UINT64_MAX, "waiting",
                                 "s", "object"),
              "Acquire", &error);
        check(sd_bus_message_read_basic(waiter->answer, 'o', &path), "Acquire", NULL);
        (void) snprintf(waiter->path, sizeof(waiter->path), "%s", path);
        (void) snprintf(match, sizeof(match), "type='signal',path='%s'", path);
        check(sd_bus_add_match(waiter->bus, NULL, match, on_signal, waiter), "match", NULL);
}

static void serve(Waiter *waiters, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                while (sd_bus_process(waiters[i].bus, NULL) > 0)
                        ;
}

static void pass(Waiter *waiters, unsigned n, unsigned *holder) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Waiter *from = &waiters[*holder], *to = &waiters[*holder + 1];

        check(sd_bus_call_method(from->bus, BUS_NAME, from->path, LEASE, "Release", &error, NULL,
                                 "a{sv}", 0),
              "Release", &error);
        while (!to->held)
                serve(waiters, n);
        ++*holder;
}

static void queue(unsigned n) {
        struct rlimit limit;
        Waiter *waiters = calloc(n + 1, sizeof(*waiters));
        sd_bus *bus = connect_bus();
        unsigned holder = 0, count;
        char line[64];

        (void) getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
        find_probe(bus);
        printf("ready\n");
        (void) fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                if (strcmp(line, "end\n") == 0)
                        break;
                messages = 0;
                if (sscanf(line, "pass %u", &count) == 1)
                        for (unsigned i = 0; i < count; i++)
                                pass(waiters, n + 1, &holder);
                else
                        for (unsigned i = 0; i <= n; i++)
                                join(&waiters[i]);
                (void) usleep(300000); /* what is under way arrives */
                serve(waiters, n + 1);
                printf("%lu\n", messages);
                (void) fflush(stdout);
        }
        exit(EXIT_SUCCESS); /* the kernel lets go of all of them */
}

int main(int argc, char *argv[]) {
        unsigned n = argc == 3 ? (unsigned) strtoul(argv[2], NULL, 10) : 0;

        if (n > 0 && strcmp(argv[1], "pairs") == 0)
                pairs(n);
        else if (n > 0 && strcmp(argv[1], "queue") == 0)
                queue(n);
        else
                return 2;
        return EXIT_SUCCESS;
}
