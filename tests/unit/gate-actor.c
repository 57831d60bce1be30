/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate-actor.h"

#define OPEN_OFTEN 6000

static const char *node_path;
static int kept = -EBADF;
static int thread_pair[2], child_pair[2];

static int open_node(void) {
        int fd = open(node_path, O_RDWR | O_NOCTTY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int open_and_close(void) {
        int fd = open_node();

        if (fd < 0)
                return -fd;
        close(fd);
        return 0;
}

static int use(void) {
        struct winsize size;

        return ioctl(kept, TIOCGWINSZ, &size) < 0 ? errno : 0;
}

/* The system call entry for 32-bit programs needs no 32-bit program, only a low address. */
static int use_32(void) {
#ifdef __x86_64__
        void *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        long r;

        if (low == MAP_FAILED)
                return ENOSYS;
        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "a"(54L), "b"((long) kept), "c"((long) TIOCGWINSZ), "d"(low)
                         : "memory", "r8", "r9", "r10", "r11");
        munmap(low, 4096);
        return r < 0 ? (int) -r : 0;
#else
        return ENOSYS;
#endif
}

static void *use_for_ever(void *data) {
        char byte;

        (void) data;
        while (read(thread_pair[1], &byte, 1) == 1) {
                byte = (char) use();
                (void) !write(thread_pair[1], &byte, 1);
        }
        return NULL;
}

static int ask(int socket) {
        char byte = 0;

        if (write(socket, &byte, 1) != 1 || read(socket, &byte, 1) != 1)
                _exit(3);
        return byte;
}

static void start_second_thread(void) {
        pthread_t thread;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, thread_pair) < 0 ||
            pthread_create(&thread, NULL, use_for_ever, NULL) != 0)
                _exit(2);
}

static void start_own_child(void) {
        pid_t pid;
        char byte;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, child_pair) < 0)
                _exit(2);
        pid = fork();
        if (pid != 0)
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (read(child_pair[1], &byte, 1) == 1) {
                byte = (char) open_and_close();
                (void) !write(child_pair[1], &byte, 1);
        }
        _exit(0);
}

static int status_of(pid_t pid) {
        int status;

        if (pid < 0 || waitpid(pid, &status, 0) != pid)
                return ECHILD;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int new_child_open(void) {
        pid_t pid = fork();

        if (pid == 0)
                _exit(open_and_close());
        return status_of(pid);
}

/* Becomes the leader of its process when it executes the shell. */
static void *execute(void *data) {
        char script[256];

        (void) data;
        (void) snprintf(script, sizeof(script), "exec 2>/dev/null; true <>%s || exit %d", node_path,
                        EBUSY);
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(3);
}

static int exec_open(void) {
        pid_t pid = fork();

        if (pid == 0) {
                pthread_t thread;

                if (pthread_create(&thread, NULL, execute, NULL) == 0)
                        pthread_join(thread, NULL);
                _exit(3);
        }
        return status_of(pid);
}

static int receive(int socket) {
        char byte;

        kept = safe_close(kept);
        return receive_with_fd(socket, &byte, 1, &kept) == 1 && kept >= 0 ? 0 : EBADMSG;
}

static int open_often(void) {
        int r = 0;

        for (int i = 0; i < OPEN_OFTEN && r == 0; i++)
                r = open_and_close();
        return r;
}

static int try_often(void) {
        int r = 0;

        for (int i = 0; i < ACTOR_OFTEN; i++)
                r = open_and_close();
        return r;
}

static int perform(ActorDeed deed, int socket) {
        switch (deed) {
        case ACTOR_OPEN:
                kept = open_node();
                return kept < 0 ? -kept : 0;
        case ACTOR_CLOSE:
                kept = safe_close(kept);
                return 0;
        case ACTOR_USE:
                return use();
        case ACTOR_USE_IN_THREAD:
                return ask(thread_pair[0]);
        case ACTOR_USE_32:
                return use_32();
        case ACTOR_CHILD_OPEN:
                return ask(child_pair[0]);
        case ACTOR_NEW_CHILD_OPEN:
                return new_child_open();
        case ACTOR_EXEC_OPEN:
                return exec_open();
        case ACTOR_SEND:
                return -send_with_fd(socket, "", 1, kept);
        case ACTOR_RECEIVE:
                return receive(socket);
        case ACTOR_RENAME:
                return prctl(PR_SET_NAME, "dbus-daemon") < 0 ? errno : 0;
        case ACTOR_BECOME_NOBODY:
                return setuid(ACTOR_NOBODY) < 0 ? errno : 0;
        case ACTOR_OPEN_OFTEN:
                return open_often();
        case ACTOR_TRY_OFTEN:
                return try_often();
        default:
                return EINVAL;
        }
}

static void act(int socket) {
        unsigned char deed;

        start_own_child();
        start_second_thread();
        while (read(socket, &deed, 1) == 1) {
                char answer = (char) perform((ActorDeed) deed, socket);

                if (write(socket, &answer, 1) != 1)
                        break;
        }
        _exit(0);
}

Actor actor_start(const char *node) {
        Actor actor;
        int pair[2];

        node_path = node;
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        actor.pid = fork();
        ck_assert_int_ge(actor.pid, 0);
        if (actor.pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(pair[0]);
                act(pair[1]);
        }
        close(pair[1]);
        actor.socket = pair[0];
        /* Once it answers, it has all that it needs. */
        ck_assert_int_eq(actor_do(&actor, ACTOR_CLOSE), 0);
        return actor;
}

void actor_end(Actor *actor) {
        if (actor->pid <= 0)
                return;
        kill(actor->pid, SIGKILL);
        waitpid(actor->pid, NULL, 0);
        close(actor->socket);
        actor->pid = 0;
}

static int answer_of(Actor *actor) {
        char answer;

        ck_assert_int_eq(read(actor->socket, &answer, 1), 1);
        return answer;
}

int actor_do(Actor *actor, ActorDeed deed) {
        unsigned char byte = (unsigned char) deed;

        ck_assert_int_eq(write(actor->socket, &byte, 1), 1);
        return answer_of(actor);
}

void actor_pass(Actor *from, Actor *to) {
        unsigned char send = ACTOR_SEND, take = ACTOR_RECEIVE;
        int fd = -EBADF;
        char byte;

        ck_assert_int_eq(write(from->socket, &send, 1), 1);
        ck_assert_int_eq(receive_with_fd(from->socket, &byte, 1, &fd), 1);
        ck_assert_int_eq(answer_of(from), 0);
        ck_assert_int_eq(write(to->socket, &take, 1), 1);
        ck_assert_int_eq(send_with_fd(to->socket, "", 1, fd), 0);
        ck_assert_int_eq(answer_of(to), 0);
        close(fd);
}
