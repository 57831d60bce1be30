/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/gate-bpf-private.h"
#include "gate/gate.skel.h"

/* Loading reads the types of the whole kernel, some 10 MiB, and touches most of libbpf and libelf.
 * A child does that and passes on what comes of it, descriptors, so that the daemon stays small
 * for the rest of its days. */

static const char *const map_names[_GATE_MAP_MAX] = {
        [GATE_MAP_NODES] = "nodes",   [GATE_MAP_BINDINGS] = "bindings",
        [GATE_MAP_MEANT] = "meant",   [GATE_MAP_MEMBERS] = "members",
        [GATE_MAP_FILES] = "files",   [GATE_MAP_USAGES] = "usages",
        [GATE_MAP_BUSES] = "buses",   [GATE_MAP_REFUSALS] = "refusals",
        [GATE_MAP_EVENTS] = "events", [GATE_MAP_LOST] = "lost",
};

const char *gate_map_to_string(GateMap map) {
        return map_names[map];
}

/* What the child says: a descriptor in each message but the last. */
typedef struct Loaded {
        enum {
                LOADED_MAP,
                LOADED_LINK,
                LOADED_END,
        } what;
        GateMap map;
        bool reused; /* the map is the one that was there */
        int error;   /* with the end */
} Loaded;

/* --- in the child ------------------------------------------------------------------------- */

/* Hooks that not every kernel has. Without the first, 32-bit programs go through the same hook
 * as others; without the second, closes are noticed later. */
static void drop_missing(struct gate_bpf *program) {
        struct bpf_program *optional[] = { program->progs.on_ioctl_compat,
                                           program->progs.on_close };
        static const char *const hooks[] = { "bpf_lsm_file_ioctl_compat",
                                             "bpf_lsm_file_free_security" };
        struct btf *kernel = btf__load_vmlinux_btf();

        if (!kernel)
                return; /* then nothing can be loaded, which says why */
        for (size_t i = 0; i < ELEMENTSOF(hooks); i++)
                if (btf__find_by_name_kind(kernel, hooks[i], BTF_KIND_FUNC) < 0)
                        (void) bpf_program__set_autoload(optional[i], false);
        btf__free(kernel);
}

/* What the kernel answers when it has no BPF LSM, or does not describe itself (BTF) */
static int explain(int error) {
        switch (error) {
        case -ENOENT:
        case -ESRCH:
        case -EINVAL:
        case -ENOSYS:
        case -524: /* ENOTSUPP, of the kernel's own: no trampolines on this machine */
                return -ENOSYS;
        default:
                return error;
        }
}

static struct bpf_map *find_map(const struct gate_bpf *program, GateMap map) {
        return bpf_object__find_map_by_name(program->obj, map_names[map]);
}

static int load(struct gate_bpf *program, GateBpf *bpf) {
        int r;

        for (GateMap i = 0; i < _GATE_MAP_MAX; i++)
                bpf->reused[i] = bpf->maps[i] >= 0 &&
                                 bpf_map__reuse_fd(find_map(program, i), bpf->maps[i]) >= 0;
        r = gate_bpf__load(program);
        if (r >= 0)
                r = gate_bpf__attach(program);
        return r;
}

/* With all hooks, or else with those that there are: to ask first would read the kernel's types
 * twice where it has them all. For one that the kernel lacks libbpf looks into its modules as well,
 * which it may not without CAP_SYS_ADMIN, and says EPERM then. */
static int open_and_load(GateBpf *bpf, struct gate_bpf **ret) {
        int r = -ESRCH;

        for (unsigned attempt = 0; (r == -ESRCH || r == -EPERM) && attempt < 2; attempt++) {
                struct gate_bpf *program = gate_bpf__open();

                if (!program)
                        return -errno;
                if (attempt > 0)
                        drop_missing(program);
                *ret = program;
                r = load(program, bpf);
        }
        return r < 0 ? explain(r) : 0;
}

static int send_maps(const struct gate_bpf *program, const GateBpf *bpf, int socket) {
        for (GateMap i = 0; i < _GATE_MAP_MAX; i++) {
                Loaded loaded = { .what = LOADED_MAP, .map = i, .reused = bpf->reused[i] };
                int r = send_with_fd(socket, &loaded, sizeof(loaded),
                                     bpf_map__fd(find_map(program, i)));

                if (r < 0)
                        return r;
        }
        return 0;
}

static int send_links(const struct gate_bpf *program, int socket) {
        const struct bpf_object_skeleton *skeleton = program->skeleton;
        const Loaded loaded = { .what = LOADED_LINK };

        for (int i = 0; i < skeleton->prog_cnt; i++) {
                const struct bpf_link *link = *skeleton->progs[i].link;
                int r = link ? send_with_fd(socket, &loaded, sizeof(loaded), bpf_link__fd(link))
                             : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

_noreturn_ static void load_and_send(GateBpf *bpf, int socket) {
        struct gate_bpf *program = NULL;
        Loaded end = { .what = LOADED_END };

        (void) libbpf_set_print(NULL);
        end.error = open_and_load(bpf, &program);
        if (end.error >= 0)
                end.error = send_maps(program, bpf, socket);
        if (end.error >= 0)
                end.error = send_links(program, socket);
        (void) send_with_fd(socket, &end, sizeof(end), -EBADF);
        /* What has been passed on outlives us, and nothing else is to be done at our end. */
        _exit(EXIT_SUCCESS);
}

/* --- in the daemon ------------------------------------------------------------------------ */

static int take_loaded(GateBpf *bpf, const Loaded *loaded, int fd) {
        if (fd < 0)
                return -EPROTO;
        if (loaded->what == LOADED_MAP && loaded->map < _GATE_MAP_MAX) {
                safe_close(bpf->maps[loaded->map]);
                bpf->maps[loaded->map] = fd;
                bpf->reused[loaded->map] = loaded->reused;
                return 0;
        }
        if (loaded->what == LOADED_LINK && bpf->n_links < GATE_LINKS_MAX) {
                bpf->links[bpf->n_links++] = fd;
                return 0;
        }
        safe_close(fd);
        return -EPROTO;
}

static int receive_all(GateBpf *bpf, int socket) {
        for (;;) {
                Loaded loaded;
                int fd = -EBADF;
                ssize_t n = receive_with_fd(socket, &loaded, sizeof(loaded), &fd);
                int r;

                if (n < 0)
                        return (int) n;
                if (n != sizeof(loaded)) {
                        safe_close(fd);
                        return -EIO; /* it died */
                }
                if (loaded.what == LOADED_END)
                        return loaded.error;
                r = take_loaded(bpf, &loaded, fd);
                if (r < 0)
                        return r;
        }
}

int gate_bpf_load(GateBpf *bpf) {
        int pair[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                load_and_send(bpf, pair[1]);
        r = pid < 0 ? -errno : 0;
        safe_close(pair[1]);
        if (r >= 0)
                r = receive_all(bpf, pair[0]);
        safe_close(pair[0]);
        if (pid > 0)
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        return r;
}
