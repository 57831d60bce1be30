/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The USB/IP server, spoken to as the kernel's client does. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "sim/usbip/server.h"
#include "sim/usbip/wire.h"

static unsigned port;
static pid_t server = -1;
static int control = -EBADF; /* a byte for each order to the server */

/* The server's side: bytes are 'u' for unplug, 'p' for plug; hang-up ends it. */
static int on_order(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Bench *bench = userdata;
        BenchProbe *probe = LIST_FIRST(&bench->probes, BenchProbe, link);
        char order;

        (void) revents;
        if (read(fd, &order, 1) != 1)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        return order == 'u' ? bench_unplug(probe) : bench_plug(probe);
}

static int serve(int fd) {
        static const char *const specs[] = { "v2-1:serial=066DFF504955857567012345,mode=mass",
                                             "v3:mode=mass,latency=200ms" };
        UsbipServer *usbip = NULL;
        BenchProbe *probe;
        sd_event *event;
        Bench *bench;
        unsigned number;
        char *error;
        int r;

        if (sd_event_new(&event) < 0 || bench_new(event, &bench) < 0 ||
            sd_event_add_io(event, NULL, fd, EPOLLIN, on_order, bench) < 0)
                return 1;
        for (size_t i = 0; i < ELEMENTSOF(specs); i++)
                if (bench_add(bench, specs[i], &probe, &error) < 0)
                        return 2;
        if (usbip_server_new(bench, "0", &usbip) < 0 ||
            bench_open(bench, &usbip_server_door, usbip, &probe) < 0)
                return 3;
        number = usbip_server_port(usbip);
        if (write(fd, &number, sizeof(number)) != sizeof(number))
                return 4;
        r = sd_event_loop(event);
        bench_close(bench);
        usbip_server_free(usbip);
        bench_free(bench);
        sd_event_unref(event);
        return r;
}

static void setup(void) {
        int sockets[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        server = fork();
        if (server == 0) {
                close(sockets[0]);
                _exit(serve(sockets[1]));
        }
        close(sockets[1]);
        control = sockets[0];
        ck_assert_int_eq(read(control, &port, sizeof(port)), sizeof(port));
}

static void teardown(void) {
        int status;

        control = safe_close(control);
        ck_assert_int_eq(waitpid(server, &status, 0), server);
        ck_assert_int_eq(status, 0);
}

static void order(char what) {
        ck_assert_int_eq(write(control, &what, 1), 1);
}

static int connect_to_server(void) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons((uint16_t) port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(connect(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        return fd;
}

static void get(int fd, void *data, size_t size) {
        ck_assert_int_eq(read_full(fd, data, size), (ssize_t) size);
}

/* The status of the answer; device is filled in when it is 0. */
static uint32_t import(int fd, const char *busid, uint8_t device[static USBIP_DEVICE_SIZE]) {
        uint8_t request[USBIP_OP_SIZE + USBIP_BUSID_SIZE] = {}, head[USBIP_OP_SIZE];
        UsbipOp op;

        usbip_op_encode(USBIP_OP_REQ_IMPORT, 0, request);
        strcpy((char *) request + USBIP_OP_SIZE, busid);
        ck_assert_int_eq(write_full(fd, request, sizeof(request)), 0);
        get(fd, head, sizeof(head));
        usbip_op_decode(head, &op);
        ck_assert_uint_eq(op.version, USBIP_VERSION);
        ck_assert_uint_eq(op.code, USBIP_OP_REP_IMPORT);
        if (op.status == 0)
                get(fd, device, USBIP_DEVICE_SIZE);
        return op.status;
}

static int import_first(void) {
        uint8_t device[USBIP_DEVICE_SIZE];
        int fd = connect_to_server();

        ck_assert_uint_eq(import(fd, "1-1", device), 0);
        return fd;
}

static void send_submit(int fd, uint32_t seqnum, unsigned endpoint, const uint8_t *setup,
                        const void *out, uint32_t length) {
        uint8_t header[USBIP_HEADER_SIZE] = {};

        put_be32(header, USBIP_CMD_SUBMIT);
        put_be32(header + 4, seqnum);
        put_be32(header + 12, out == NULL);
        put_be32(header + 16, endpoint);
        put_be32(header + 24, length);
        if (setup)
                memcpy(header + 40, setup, 8);
        ck_assert_int_eq(write_full(fd, header, sizeof(header)), 0);
        if (out)
                ck_assert_int_eq(write_full(fd, out, length), 0);
}

static void send_unlink(int fd, uint32_t seqnum, uint32_t victim) {
        uint8_t header[USBIP_HEADER_SIZE] = {};

        put_be32(header, USBIP_CMD_UNLINK);
        put_be32(header + 4, seqnum);
        put_be32(header + 20, victim);
        ck_assert_int_eq(write_full(fd, header, sizeof(header)), 0);
}

/* The status of the answer to seqnum; *ret_actual bytes of an IN transfer go to data. */
static int receive(int fd, uint32_t command, uint32_t seqnum, uint8_t *data, uint32_t *ret_actual) {
        uint8_t header[USBIP_HEADER_SIZE];

        get(fd, header, sizeof(header));
        ck_assert_uint_eq(get_be32(header), command);
        ck_assert_uint_eq(get_be32(header + 4), seqnum);
        *ret_actual = get_be32(header + 24);
        if (data && *ret_actual > 0)
                get(fd, data, *ret_actual);
        return (int32_t) get_be32(header + 20);
}

START_TEST(test_list) {
        uint8_t head[USBIP_OP_SIZE + 4], device[USBIP_DEVICE_SIZE], interface[4], byte;
        int fd = connect_to_server();

        usbip_op_encode(USBIP_OP_REQ_DEVLIST, 0, head);
        /* In two pieces, as a network may deliver it. */
        ck_assert_int_eq(write_full(fd, head, 3), 0);
        usleep(20000);
        ck_assert_int_eq(write_full(fd, head + 3, USBIP_OP_SIZE - 3), 0);
        get(fd, head, sizeof(head));
        ck_assert_uint_eq(get_be16(head + 2), USBIP_OP_REP_DEVLIST);
        ck_assert_uint_eq(get_be32(head + 4), 0);
        ck_assert_uint_eq(get_be32(head + USBIP_OP_SIZE), 2);

        get(fd, device, sizeof(device));
        ck_assert_str_eq((char *) device + 256, "1-1");
        ck_assert_uint_eq(get_be32(device + 296), USB_SPEED_FULL_12M);
        ck_assert_uint_eq(get_be16(device + 300), 0x0483);
        ck_assert_uint_eq(get_be16(device + 302), 0x374b);
        ck_assert_uint_eq(device[311], 4);
        get(fd, interface, 4);
        ck_assert_uint_eq(interface[0], 0xff);
        for (int i = 0; i < 3; i++)
                get(fd, interface, 4);
        get(fd, device, sizeof(device));
        ck_assert_str_eq((char *) device + 256, "1-2");
        ck_assert_uint_eq(get_be32(device + 296), USB_SPEED_HIGH_480M);
        for (unsigned i = 0; i < device[311]; i++)
                get(fd, interface, 4);
        ck_assert_int_eq(read(fd, &byte, 1), 0);
}
END_TEST

START_TEST(test_import) {
        uint8_t device[USBIP_DEVICE_SIZE], data[64];
        int fd = connect_to_server(), second = connect_to_server();
        uint32_t actual;

        ck_assert_uint_eq(import(connect_to_server(), "7-7", device), 1);
        ck_assert_uint_eq(import(fd, "1-1", device), 0);
        ck_assert_uint_eq(get_be16(device + 302), 0x374b);
        ck_assert_uint_eq(import(second, "1-1", device), 1);

        send_submit(fd, 1, 0, (uint8_t[8]){ 0x80, 6, 0, 1, 0, 0, 18, 0 }, NULL, 18);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 1, data, &actual), 0);
        ck_assert_uint_eq(actual, 18);
        ck_assert_uint_eq(get_le16(data + 10), 0x374b);
        /* F1: the version, V2J45 */
        send_submit(fd, 2, 1, NULL, (uint8_t[16]){ 0xf1 }, 16);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 2, NULL, &actual), 0);
        ck_assert_uint_eq(actual, 16);
        send_submit(fd, 3, 1, NULL, NULL, 64);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 3, data, &actual), 0);
        ck_assert_uint_eq(actual, 6);
        ck_assert_uint_eq(get_be16(data) >> 12, 2);
        ck_assert_uint_eq(get_be16(data) >> 6 & 0x3f, 45);

        /* What there is not, or is not answered, is a stall to the host. */
        send_submit(fd, 4, 9, NULL, NULL, 64);
        ck_assert_int_lt(receive(fd, USBIP_RET_SUBMIT, 4, data, &actual), 0);
        send_submit(fd, 5, 0, (uint8_t[8]){ 0x80, 6, 0, 9, 0, 0, 18, 0 }, NULL, 18);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 5, data, &actual), -EPIPE);
        send_submit(fd, 6, 0, (uint8_t[8]){ 0x02, 1, 0, 0, 0x81 }, "", 0);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 6, NULL, &actual), 0);

        /* The next host finds the probe free. */
        close(fd);
        for (int tries = 0; tries < 200; tries++) {
                second = connect_to_server();
                if (import(second, "1-1", device) == 0)
                        return;
                close(second);
                usleep(10000);
        }
        ck_abort_msg("still taken");
}
END_TEST

START_TEST(test_unlink) {
        int fd = import_first();
        uint32_t actual;

        send_submit(fd, 1, 1, NULL, NULL, 64);
        send_unlink(fd, 2, 1);
        ck_assert_int_eq(receive(fd, USBIP_RET_UNLINK, 2, NULL, &actual), -ECONNRESET);
        send_unlink(fd, 3, 1);
        ck_assert_int_eq(receive(fd, USBIP_RET_UNLINK, 3, NULL, &actual), 0);
        /* The unlinked transfer took nothing away. */
        send_submit(fd, 4, 1, NULL, (uint8_t[16]){ 0xf1 }, 16);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 4, NULL, &actual), 0);
}
END_TEST

START_TEST(test_delayed) {
        uint8_t device[USBIP_DEVICE_SIZE], data[64];
        int fd = connect_to_server();
        uint32_t actual;

        ck_assert_uint_eq(import(fd, "1-2", device), 0);
        send_submit(fd, 1, 1, NULL, NULL, 64);
        send_submit(fd, 2, 1, NULL, (uint8_t[16]){ 0xf5 }, 16);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 2, NULL, &actual), 0);
        ck_assert_int_eq(receive(fd, USBIP_RET_SUBMIT, 1, data, &actual), 0);
        ck_assert_uint_eq(actual, 2);
        ck_assert_uint_eq(data[0], 1);
}
END_TEST

START_TEST(test_unplug) {
        uint8_t device[USBIP_DEVICE_SIZE], byte;
        int fd = import_first();

        send_submit(fd, 1, 1, NULL, NULL, 64);
        order('u');
        for (ssize_t n = 1; n > 0;)
                n = read(fd, &byte, 1); /* the answer may or may not still come */
        ck_assert_uint_eq(import(connect_to_server(), "1-1", device), 1);
        order('p');
        for (int tries = 0; import(connect_to_server(), "1-1", device) != 0; tries++) {
                ck_assert_int_lt(tries, 200);
                usleep(10000);
        }
}
END_TEST

START_TEST(test_nonsense) {
        uint8_t junk[200], byte, device[USBIP_DEVICE_SIZE];
        int fd = connect_to_server();

        memset(junk, 0xa5, sizeof(junk));
        ck_assert_int_eq(write_full(fd, junk, sizeof(junk)), 0);
        while (read(fd, &byte, 1) > 0)
                ;
        fd = import_first();
        ck_assert_int_eq(write_full(fd, junk, sizeof(junk)), 0);
        while (read(fd, &byte, 1) > 0)
                ;
        fd = connect_to_server();
        ck_assert_uint_eq(import(fd, "1-1", device), 0);
        /* A transfer larger than any. */
        send_submit(fd, 1, 1, NULL, NULL, 0x7fffffff);
        ck_assert_int_le(read(fd, &byte, 1), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("usbip");
        TCase *tcase = tcase_create("server");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 30);
        tcase_add_test(tcase, test_list);
        tcase_add_test(tcase, test_import);
        tcase_add_test(tcase, test_unlink);
        tcase_add_test(tcase, test_delayed);
        tcase_add_test(tcase, test_unplug);
        tcase_add_test(tcase, test_nonsense);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
