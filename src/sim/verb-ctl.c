/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/verbs.h"

typedef struct json_object Json;

DEFINE_CLEANUP(Json *, json_object_put)
#define _cleanup_json_ _cleanup_(json_object_putp)

static int connect_to(const char *path) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Send a request and wait for its answer. */
static int ask(int fd, Json *request, Json **ret) {
        const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        FILE *in;
        int r, copy;

        r = write_full(fd, text, strlen(text));
        if (r == 0)
                r = write_full(fd, "\n", 1);
        if (r < 0)
                return r;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        in = copy < 0 ? NULL : fdopen(copy, "r");
        if (!in) {
                safe_close(copy);
                return -errno;
        }
        if (getline(&line, &size, in) <= 0)
                r = -EPIPE;
        (void) fclose(in);
        if (r < 0)
                return r;
        *ret = json_tokener_parse(line);
        return *ret ? 0 : -EBADMSG;
}

static const char *text_of(Json *row, const char *key) {
        Json *value;

        return json_object_object_get_ex(row, key, &value) && value ? json_object_get_string(value)
                                                                    : "-";
}

/* One line for each probe: what is asked most comes first. */
static void print_probe(Json *row) {
        const char *open_files = text_of(row, "open_files");
        bool plugged = strcmp(text_of(row, "plugged"), "true") == 0;

        printf("%s  %s  %-8s %-20s %s  %s  %s", text_of(row, "number"), text_of(row, "id"),
               text_of(row, "port"), plugged ? text_of(row, "node") : "unplugged",
               text_of(row, "serial"), text_of(row, "product"), text_of(row, "specification"));
        if (strcmp(open_files, "0") != 0)
                printf("  (open: %s%s)", open_files,
                       strcmp(text_of(row, "claimed"), "true") == 0 ? ", claimed" : "");
        putchar('\n');
}

static void print_counters(Json *row) {
        const char *separator = "";

        json_object_object_foreach(row, key, value) {
                printf("%s%s=%s", separator, key, json_object_get_string(value));
                separator = " ";
        }
        putchar('\n');
}

static void print_rows(Json *answer, const char *key, void (*print)(Json *row)) {
        Json *rows;

        if (!json_object_object_get_ex(answer, key, &rows))
                return;
        for (size_t i = 0; i < json_object_array_length(rows); i++)
                print(json_object_array_get_idx(rows, i));
}

static int failure_status(const char *code) {
        if (strcmp(code, "no-such-probe") == 0)
                return EXIT_NO_PROBE;
        return strcmp(code, "bad-request") == 0 ? EXIT_USAGE : EXIT_FAILURE;
}

/* Print an answer; the exit status. */
static int print_answer(Json *answer, bool json) {
        Json *error;

        if (json_object_object_get_ex(answer, "error", &error))
                return complain(failure_status(text_of(answer, "code")), "%s",
                                json_object_get_string(error));
        if (json) {
                puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
                return EXIT_SUCCESS;
        }
        print_rows(answer, "probes", print_probe);
        print_rows(answer, "counters", print_counters);
        return EXIT_SUCCESS;
}

static void put(Json *request, const char *key, const char *value) {
        json_object_object_add(request, key, json_object_new_string(value));
}

/* "set" takes several pairs: all but the last are sent here. */
static int send_pairs(int fd, Json *request, char *pairs[], int n, Json **ret) {
        for (int i = 0; i < n; i++) {
                const char *equals = strchr(pairs[i], '=');
                _cleanup_free_ char *key =
                        equals ? strndup(pairs[i], (size_t) (equals - pairs[i])) : strdup(pairs[i]);
                Json *error;
                int r;

                if (!key)
                        return -ENOMEM;
                put(request, "key", key);
                put(request, "value", equals ? equals + 1 : "");
                json_object_put(*ret);
                *ret = NULL;
                r = ask(fd, request, ret);
                if (r < 0)
                        return r;
                if (json_object_object_get_ex(*ret, "error", &error))
                        return 0;
        }
        return 0;
}

static const struct {
        const char *verb, *argument; /* name of the first argument in the request */
        int min, max;
} verbs[] = {
        { "list", "probe", 0, 1 },
        { "plug", "probe", 1, 1 },
        { "unplug", "probe", 1, 1 },
        { "set", "probe", 2, 64 },
        { "add", "spec", 1, 1 },
        { "counters", "probe", 0, 1 },
        { "reset-counters", "probe", 0, 1 },
};

/* Make the request from the verb and its arguments; 0, or an exit status. */
static int make_request(int argc, char *argv[], Json *request) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                if (strcmp(argv[0], verbs[i].verb) != 0)
                        continue;
                if (argc - 1 < verbs[i].min || argc - 1 > verbs[i].max)
                        return complain_usage(EXIT_USAGE, "\"ctl %s\": wrong number of arguments.",
                                              argv[0]);
                put(request, "verb", argv[0]);
                if (argc > 1)
                        put(request, verbs[i].argument, argv[1]);
                return 0;
        }
        return complain_usage(EXIT_USAGE, "Unknown verb \"ctl %s\".", argv[0]);
}

static int converse(const char *path, int argc, char *argv[], bool json) {
        _cleanup_json_ Json *request = json_object_new_object(), *answer = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = make_request(argc, argv, request);
        if (r != 0)
                return r;
        fd = connect_to(path);
        if (fd < 0)
                return complain(EXIT_NO_SIMULATOR, "No simulator answers at %s: %s", path,
                                strerror(-fd));
        r = strcmp(argv[0], "set") == 0 ? send_pairs(fd, request, argv + 2, argc - 2, &answer)
                                        : ask(fd, request, &answer);
        if (r < 0)
                return complain(EXIT_FAILURE, "The simulator at %s did not answer: %s", path,
                                strerror(-r));
        return print_answer(answer, json);
}

int verb_ctl(int argc, char *argv[]) {
        static const struct option known[] = {
                { "json", no_argument, NULL, 'j' },
                { "control", required_argument, NULL, 'c' },
                {},
        };
        const char *path = getenv(CONTROL_VARIABLE);
        bool json = false;
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
                if (c == 'j')
                        json = true;
                else if (c == 'c')
                        path = optarg;
                else
                        return complain_usage(EXIT_USAGE,
                                              "\"%s\" is no option, or lacks its argument.",
                                              argv[optind - 1]);
        }
        if (optind >= argc)
                return complain_usage(EXIT_USAGE, "What is the simulator to do?");
        if (!path)
                return complain(EXIT_NO_SIMULATOR,
                                "No simulator to speak to: $" CONTROL_VARIABLE
                                " is not set, as it is inside of \"stlinksim run\".");
        return converse(path, argc - optind, argv + optind, json);
}
