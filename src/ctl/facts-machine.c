/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "ctl/facts-internal.h"

#define STM32_ROM_LOADER "df11" /* product ID (AN2606) */

static void count_rom_loaders(Facts *facts) {
        _cleanup_(closedirp) DIR *dir = opendir("/sys/bus/usb/devices");
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                char path[PATH_MAX], vendor[8], product[8];

                (void) snprintf(path, sizeof(path), "%s/idVendor", entry->d_name);
                if (read_line_at(dirfd(dir), path, vendor, sizeof(vendor)) < 0 ||
                    strcmp(vendor, "0483") != 0)
                        continue;
                (void) snprintf(path, sizeof(path), "%s/idProduct", entry->d_name);
                if (read_line_at(dirfd(dir), path, product, sizeof(product)) > 0 &&
                    strcmp(product, STM32_ROM_LOADER) == 0)
                        facts->rom_loaders++;
        }
}

/* --- TCP ports ---------------------------------------------------------------------------- */

/* Of OpenOCD, st-util, pyOCD, ST's servers and stlink-server */
static const uint16_t server_ports[] = { 3333, 4242, 4444, 6666, 7184, 50001, 61234, 61235 };

typedef struct Listening {
        uint16_t port;
        unsigned long inode;
} Listening;

/* proc(5): "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode" */
static void read_listening(const char *path, Listening *list, size_t *n) {
        FILE *file = fopen(path, "re");
        char line[512];

        while (file && fgets(line, sizeof(line), file)) {
                unsigned port, state;
                unsigned long inode;

                if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %lu", &port,
                           &state, &inode) != 3 ||
                    state != 0x0A)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(server_ports); i++)
                        if (port == server_ports[i] && *n < TCP_PORT_FACTS_MAX)
                                list[(*n)++] = (Listening){ (uint16_t) port, inode };
        }
        if (file)
                (void) fclose(file);
}

static void name_owner(Facts *facts, const Listening *list, pid_t pid, const char *target) {
        for (size_t i = 0; i < facts->n_tcp_ports; i++) {
                TcpPortFact *fact = &facts->tcp_ports[i];
                char socket[64], path[64], command[FACTS_NAME_MAX] = "";

                (void) snprintf(socket, sizeof(socket), "socket:[%lu]", list[i].inode);
                if (fact->pid != 0 || strcmp(target, socket) != 0)
                        continue;
                (void) snprintf(path, sizeof(path), "/proc/%d/comm", pid);
                (void) read_line_at(AT_FDCWD, path, command, sizeof(command));
                (void) text_escape(command, strlen(command), fact->command, sizeof(fact->command));
                fact->pid = (uint32_t) pid;
        }
}

static void look_at_process(Facts *facts, const Listening *list, pid_t pid) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir))) {
                char target[64];
                ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

                if (n <= 0)
                        continue;
                target[n] = '\0';
                if (strncmp(target, "socket:", 7) == 0)
                        name_owner(facts, list, pid, target);
        }
}

static void read_tcp_ports(Facts *facts) {
        _cleanup_(closedirp) DIR *dir = NULL;
        Listening list[TCP_PORT_FACTS_MAX];
        struct dirent *entry;
        size_t n = 0;

        read_listening("/proc/net/tcp", list, &n);
        read_listening("/proc/net/tcp6", list, &n);
        facts->n_tcp_ports = n;
        for (size_t i = 0; i < n; i++)
                facts->tcp_ports[i] = (TcpPortFact){ .port = list[i].port };
        dir = n > 0 ? opendir("/proc") : NULL;
        while (dir && (entry = readdir(dir))) {
                long pid = strtol(entry->d_name, NULL, 10);

                if (pid > 0)
                        look_at_process(facts, list, (pid_t) pid);
        }
}

/* --- where we are ------------------------------------------------------------------------- */

static bool has_process(const char *name) {
        _cleanup_(closedirp) DIR *dir = opendir("/proc");
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                char path[300], command[32];

                if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                        continue;
                (void) snprintf(path, sizeof(path), "%s/comm", entry->d_name);
                if (read_line_at(dirfd(dir), path, command, sizeof(command)) > 0 &&
                    strcmp(command, name) == 0)
                        return true;
        }
        return false;
}

/* systemd's CONTAINER_INTERFACE, then the marks of Docker and Podman. */
static void read_container(Facts *facts) {
        char line[FACTS_NAME_MAX];

        if (read_line_at(AT_FDCWD, "/run/systemd/container", line, sizeof(line)) > 0 ||
            read_line_at(AT_FDCWD, "/run/host/container-manager", line, sizeof(line)) > 0)
                (void) text_escape(line, strlen(line), facts->container, sizeof(facts->container));
        else if (access("/.dockerenv", F_OK) == 0)
                (void) snprintf(facts->container, sizeof(facts->container), "docker");
        else if (access("/run/.containerenv", F_OK) == 0)
                (void) snprintf(facts->container, sizeof(facts->container), "podman");
}

static void read_kernel(Facts *facts) {
        char line[256];

        if (read_line_at(AT_FDCWD, "/proc/sys/kernel/osrelease", line, sizeof(line)) > 0)
                facts->is_wsl = strcasestr(line, "microsoft") != NULL;
        if (read_line_at(AT_FDCWD, "/sys/module/usb_storage/parameters/quirks", line,
                         sizeof(line)) > 0)
                facts->v1_quirk = strcasestr(line, "483:3744:") != NULL;
}

/* The library that systemd's programs share has the version in its name. */
static void read_systemd_version(Facts *facts) {
        static const char *const folders[] = { "/usr/lib/systemd", "/lib/systemd",
                                               "/usr/lib64/systemd",
                                               "/usr/lib/x86_64-linux-gnu/systemd",
                                               "/usr/lib/aarch64-linux-gnu/systemd" };

        for (size_t i = 0; i < ELEMENTSOF(folders) && facts->systemd_version == 0; i++) {
                _cleanup_(closedirp) DIR *dir = opendir(folders[i]);
                struct dirent *entry;

                while (dir && (entry = readdir(dir)))
                        if (fnmatch("libsystemd-shared-*.so", entry->d_name, 0) == 0)
                                facts->systemd_version = atoi(entry->d_name + 18);
        }
}

void facts_read_machine(Facts *facts) {
        count_rom_loaders(facts);
        read_tcp_ports(facts);
        read_container(facts);
        read_kernel(facts);
        read_systemd_version(facts);
        facts->is_remote_login = getenv("SSH_CONNECTION") != NULL;
        facts->has_modem_manager = has_process("ModemManager");
        facts->can_see_all = geteuid() == 0;
}
