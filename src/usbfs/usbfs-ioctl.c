/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "usbfs/usbfs-fuse.h"

/* The ioctls. Their numbers do not tell which way data goes (GETDRIVER is declared as writing
 * and reads), so that what FUSE copies by those numbers is of no use: every argument is fetched
 * from the caller's memory, as the kernel does it. */

#define PAGE_BYTES 4096u /* the most that CONTROL moves: a page */

typedef struct Ioctl {
        fuse_req_t req;
        UsbfsHandle *handle;
        UsbfsFile *file;
        pid_t pid;
        uint64_t argument;
} Ioctl;

/* A caller that is blocked in REAPURB. */
typedef struct Reaper {
        List link;
        Ioctl ioctl;
} Reaper;

/* A caller that is blocked in CONTROL, BULK or the like: a URB that nobody reaps. */
typedef struct Call {
        Ioctl ioctl;
        UsbfsUrb *urb;
        sd_event_source *timer;
        bool stall_is_fine;
        bool *finished; /* set on completion, while start_call() runs */
} Call;

static int read_memory(const Ioctl *ioctl, uint64_t address, void *data, size_t size) {
        struct iovec local = { data, size }, remote = { (void *) (uintptr_t) address, size };

        if (size == 0)
                return 0;
        return process_vm_readv(ioctl->pid, &local, 1, &remote, 1, 0) == (ssize_t) size ? 0
                                                                                        : -EFAULT;
}

static int write_memory(const Ioctl *ioctl, uint64_t address, const void *data, size_t size) {
        struct iovec local = { (void *) data, size },
                     remote = { (void *) (uintptr_t) address, size };

        if (size == 0)
                return 0;
        return process_vm_writev(ioctl->pid, &local, 1, &remote, 1, 0) == (ssize_t) size ? 0
                                                                                         : -EFAULT;
}

/* r is the ioctl's result, or a negative errno. */
static void answer(const Ioctl *ioctl, int r) {
        if (r < 0)
                fuse_reply_err(ioctl->req, -r);
        else
                fuse_reply_ioctl(ioctl->req, r, NULL, 0);
}

/* Calls that block */

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Call *call = userdata;

        (void) source;
        (void) usec;
        usbfs_urb_kill(call->urb, -ETIMEDOUT);
        return 0;
}

static void on_interrupt(fuse_req_t req, void *userdata) {
        Call *call = userdata;

        (void) req;
        usbfs_urb_kill(call->urb, -EINTR);
}

static void on_call_done(UsbfsUrb *urb) {
        Call *call = urb->userdata;
        const UsbTransfer *transfer = &urb->transfer;
        bool in = usb_transfer_is_in(transfer);
        int r = transfer->status;

        if (r == -EPIPE && call->stall_is_fine)
                r = 0;
        if (r == 0)
                r = (int) transfer->actual;
        if (r > 0 && in &&
            write_memory(&call->ioctl, urb->user_buffer, urb->data, transfer->actual) < 0)
                r = -EFAULT;
        if (call->finished)
                *call->finished = true;
        sd_event_source_disable_unref(call->timer);
        answer(&call->ioctl, r);
        usbfs_urb_free(urb);
        free(call);
}

/* Submit and answer on completion. Takes the URB over. */
static void start_call(const Ioctl *ioctl, UsbfsUrb *urb, unsigned timeout_ms, bool stall_is_fine) {
        Call *call = calloc(1, sizeof(Call));
        bool finished = false;
        int r;

        if (!call) {
                usbfs_urb_free(urb);
                answer(ioctl, -ENOMEM);
                return;
        }
        *call = (Call){
                .ioctl = *ioctl, .urb = urb, .stall_is_fine = stall_is_fine, .finished = &finished
        };
        urb->done = on_call_done;
        urb->userdata = call;
        r = usbfs_urb_submit(urb);
        if (r < 0) {
                free(call);
                usbfs_urb_free(urb);
                answer(ioctl, r);
                return;
        }
        if (finished)
                return;
        call->finished = NULL;
        if (fuse_req_interrupted(ioctl->req)) {
                usbfs_urb_kill(urb, -EINTR);
                return;
        }
        fuse_req_interrupt_func(ioctl->req, on_interrupt, call);
        if (timeout_ms > 0)
                (void) sd_event_add_time_relative(ioctl->handle->entry->fs->event, &call->timer,
                                                  CLOCK_MONOTONIC, timeout_ms * USEC_PER_MSEC, 1,
                                                  on_timeout, call);
}

static void do_control(const Ioctl *ioctl) {
        struct usbdevfs_ctrltransfer control;
        uint8_t setup[8];
        UsbfsUrb *urb;
        int r;

        r = read_memory(ioctl, ioctl->argument, &control, sizeof(control));
        if (r == 0) {
                setup[0] = control.bRequestType;
                setup[1] = control.bRequest;
                put_le16(setup + 2, control.wValue);
                put_le16(setup + 4, control.wIndex);
                put_le16(setup + 6, control.wLength);
                r = usbfs_file_check_control(ioctl->file, setup);
        }
        if (r == 0 && control.wLength > PAGE_BYTES)
                r = -EINVAL;
        if (r == 0)
                r = usbfs_urb_new(ioctl->file, control.wLength, &urb);
        if (r < 0) {
                answer(ioctl, r);
                return;
        }
        urb->transfer.type = USB_TRANSFER_CONTROL;
        memcpy(urb->transfer.setup, setup, sizeof(setup));
        urb->user_buffer = (uintptr_t) control.data;
        if (!(setup[0] & 0x80))
                r = read_memory(ioctl, urb->user_buffer, urb->data, control.wLength);
        if (r < 0) {
                usbfs_urb_free(urb);
                answer(ioctl, r);
                return;
        }
        start_call(ioctl, urb, control.timeout, false);
}

static void do_bulk(const Ioctl *ioctl) {
        struct usbdevfs_bulktransfer bulk;
        UsbTransferType type = USB_TRANSFER_BULK;
        UsbfsUrb *urb;
        int r, interface = -1;

        r = read_memory(ioctl, ioctl->argument, &bulk, sizeof(bulk));
        if (r == 0 && bulk.ep > UINT8_MAX)
                r = -EINVAL;
        if (r == 0)
                r = usbfs_file_check_transfer(ioctl->file, &type, (uint8_t) bulk.ep, &interface);
        if (r == 0)
                r = usbfs_urb_new(ioctl->file, bulk.len, &urb);
        if (r < 0) {
                answer(ioctl, r);
                return;
        }
        urb->transfer.type = type;
        urb->transfer.endpoint = (uint8_t) bulk.ep;
        urb->interface = interface;
        urb->user_buffer = (uintptr_t) bulk.data;
        if (!(bulk.ep & 0x80))
                r = read_memory(ioctl, urb->user_buffer, urb->data, bulk.len);
        if (r < 0) {
                usbfs_urb_free(urb);
                answer(ioctl, r);
                return;
        }
        start_call(ioctl, urb, bulk.timeout, false);
}

/* A standard request without data (USB 2.0, 9.4). */
static void send_request(const Ioctl *ioctl, const uint8_t setup[static 8], bool stall_is_fine) {
        UsbfsUrb *urb;
        int r = usbfs_urb_new(ioctl->file, 0, &urb);

        if (r < 0) {
                answer(ioctl, r);
                return;
        }
        urb->transfer.type = USB_TRANSFER_CONTROL;
        memcpy(urb->transfer.setup, setup, 8);
        start_call(ioctl, urb, 5000 /* USB_CTRL_SET_TIMEOUT */, stall_is_fine);
}

static void do_set_configuration(const Ioctl *ioctl) {
        int value, r;

        r = read_memory(ioctl, ioctl->argument, &value, sizeof(value));
        if (r == 0)
                r = usbfs_file_check_configuration(ioctl->file, value);
        if (r < 0) {
                answer(ioctl, r);
                return;
        }
        send_request(ioctl, (uint8_t[8]){ 0x00, 9, (uint8_t) value }, false);
}

static void do_set_interface(const Ioctl *ioctl) {
        struct usbdevfs_setinterface set;
        int r;

        r = read_memory(ioctl, ioctl->argument, &set, sizeof(set));
        if (r == 0)
                r = usbfs_file_check_alternate(ioctl->file, set.interface, set.altsetting);
        if (r < 0) {
                answer(ioctl, r);
                return;
        }
        /* A device with but one setting may stall this request. */
        send_request(ioctl,
                     (uint8_t[8]){ 0x01, 11, (uint8_t) set.altsetting, 0, (uint8_t) set.interface },
                     !usb_config_has_alternate(&ioctl->file->node->config, set.interface, 1));
}

/* URBs */

static int check_urb(const struct usbdevfs_urb *user) {
        const unsigned known = USBDEVFS_URB_ISO_ASAP | USBDEVFS_URB_SHORT_NOT_OK |
                               USBDEVFS_URB_BULK_CONTINUATION | USBDEVFS_URB_NO_FSBR |
                               USBDEVFS_URB_ZERO_PACKET | USBDEVFS_URB_NO_INTERRUPT;

        if (user->flags & ~known || user->buffer_length < 0 ||
            (user->buffer_length > 0 && !user->buffer))
                return -EINVAL;
        /* Neither signals on completion nor isochronous transfers nor, since the capability is
         * not announced, continued ones. */
        if (user->signr != 0 || user->type == USBDEVFS_URB_TYPE_ISO ||
            user->flags & USBDEVFS_URB_BULK_CONTINUATION)
                return -EINVAL;
        return 0;
}

static int prepare_control(const Ioctl *ioctl, const struct usbdevfs_urb *user, UsbfsUrb **ret) {
        uint8_t setup[8];
        size_t length;
        int r;

        if (user->buffer_length < 8)
                return -EINVAL;
        r = read_memory(ioctl, (uintptr_t) user->buffer, setup, sizeof(setup));
        if (r < 0)
                return r;
        length = get_le16(setup + 6);
        if ((size_t) user->buffer_length < length + 8)
                return -EINVAL;
        r = usbfs_file_check_control(ioctl->file, setup);
        if (r < 0)
                return r;
        r = usbfs_urb_new(ioctl->file, length, ret);
        if (r < 0)
                return r;
        (*ret)->transfer.type = USB_TRANSFER_CONTROL;
        memcpy((*ret)->transfer.setup, setup, sizeof(setup));
        (*ret)->user_buffer = (uintptr_t) user->buffer + 8;
        return 0;
}

static int prepare_data(const Ioctl *ioctl, const struct usbdevfs_urb *user, UsbfsUrb **ret) {
        UsbTransferType type =
                user->type == USBDEVFS_URB_TYPE_BULK ? USB_TRANSFER_BULK : USB_TRANSFER_INTERRUPT;
        int r, interface;

        r = usbfs_file_check_transfer(ioctl->file, &type, user->endpoint, &interface);
        if (r < 0)
                return r;
        r = usbfs_urb_new(ioctl->file, (size_t) user->buffer_length, ret);
        if (r < 0)
                return r;
        (*ret)->transfer.type = type;
        (*ret)->transfer.endpoint = user->endpoint;
        (*ret)->interface = interface;
        (*ret)->user_buffer = (uintptr_t) user->buffer;
        (*ret)->short_not_ok = user->flags & USBDEVFS_URB_SHORT_NOT_OK;
        return 0;
}

static int submit_urb(const Ioctl *ioctl) {
        _cleanup_(usbfs_urb_freep) UsbfsUrb *urb = NULL;
        struct usbdevfs_urb user;
        int r;

        r = read_memory(ioctl, ioctl->argument, &user, sizeof(user));
        if (r == 0)
                r = check_urb(&user);
        if (r < 0)
                return r;
        if (user.type == USBDEVFS_URB_TYPE_CONTROL)
                r = prepare_control(ioctl, &user, &urb);
        else if (user.type == USBDEVFS_URB_TYPE_BULK || user.type == USBDEVFS_URB_TYPE_INTERRUPT)
                r = prepare_data(ioctl, &user, &urb);
        else
                return -EINVAL;
        if (r < 0)
                return r;
        if (!usb_transfer_is_in(&urb->transfer))
                r = read_memory(ioctl, urb->user_buffer, urb->data, urb->transfer.length);
        if (r < 0)
                return r;
        urb->user_urb = ioctl->argument;
        r = usbfs_urb_submit(urb);
        if (r < 0)
                return r;
        TAKE_PTR(urb);
        return 0;
}

/* Give a completed URB to the caller. */
static int return_urb(const Ioctl *ioctl, const UsbfsUrb *urb) {
        const UsbTransfer *transfer = &urb->transfer;
        const struct usbdevfs_urb result = { .status = transfer->status,
                                             .actual_length = (int) transfer->actual };
        bool in = usb_transfer_is_in(transfer);
        uint64_t pointer = urb->user_urb;
        int r;

        r = write_memory(ioctl, urb->user_buffer, urb->data, in ? transfer->actual : 0);
        if (r == 0)
                r = write_memory(ioctl, pointer + offsetof(struct usbdevfs_urb, status),
                                 &result.status, sizeof(result.status));
        if (r == 0)
                r = write_memory(ioctl, pointer + offsetof(struct usbdevfs_urb, actual_length),
                                 &result.actual_length, sizeof(result.actual_length));
        if (r == 0)
                r = write_memory(ioctl, ioctl->argument, &pointer, sizeof(void *));
        return r;
}

static int reap_urb(const Ioctl *ioctl) {
        UsbfsUrb *urb = usbfs_file_reap(ioctl->file);
        int r;

        if (!urb)
                return ioctl->file->node->gone ? -ENODEV : -EAGAIN;
        r = return_urb(ioctl, urb);
        usbfs_urb_free(urb);
        return r;
}

static void on_reaper_interrupted(fuse_req_t req, void *userdata) {
        Reaper *reaper = userdata;

        (void) req;
        list_remove(&reaper->link);
        answer(&reaper->ioctl, -EINTR);
        free(reaper);
}

static void do_reap(const Ioctl *ioctl) {
        int r = reap_urb(ioctl);
        Reaper *reaper;

        if (r != -EAGAIN || fuse_req_interrupted(ioctl->req)) {
                answer(ioctl, r == -EAGAIN ? -EINTR : r);
                return;
        }
        reaper = calloc(1, sizeof(Reaper));
        if (!reaper) {
                answer(ioctl, -ENOMEM);
                return;
        }
        reaper->ioctl = *ioctl;
        list_append(&ioctl->handle->reapers, &reaper->link);
        fuse_req_interrupt_func(ioctl->req, on_reaper_interrupted, reaper);
}

void usbfs_handle_reap(UsbfsHandle *handle) {
        Reaper *reaper;
        int r;

        while ((reaper = LIST_FIRST(&handle->reapers, Reaper, link))) {
                r = reap_urb(&reaper->ioctl);
                if (r == -EAGAIN)
                        return;
                list_remove(&reaper->link);
                answer(&reaper->ioctl, r);
                free(reaper);
        }
}

/* What is answered at once */

static int get_driver(const Ioctl *ioctl) {
        struct usbdevfs_getdriver get;
        const char *driver;
        int r;

        r = read_memory(ioctl, ioctl->argument, &get, sizeof(get));
        if (r < 0)
                return r;
        driver = usbfs_file_get_driver(ioctl->file, get.interface);
        if (!driver)
                return -ENODATA;
        strncpy(get.driver, driver, sizeof(get.driver) - 1);
        get.driver[sizeof(get.driver) - 1] = '\0';
        return write_memory(ioctl, ioctl->argument, &get, sizeof(get));
}

static int get_connect_info(const Ioctl *ioctl) {
        const struct usbdevfs_connectinfo info = { .devnum = ioctl->file->node->devnum };

        return write_memory(ioctl, ioctl->argument, &info, sizeof(info));
}

/* As an xHCI controller, on which a short packet does not stop the queue. */
static int get_capabilities(const Ioctl *ioctl) {
        const uint32_t capabilities = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                      USBDEVFS_CAP_BULK_SCATTER_GATHER |
                                      USBDEVFS_CAP_REAP_AFTER_DISCONNECT |
                                      USBDEVFS_CAP_DROP_PRIVILEGES | USBDEVFS_CAP_SUSPEND;

        return write_memory(ioctl, ioctl->argument, &capabilities, sizeof(capabilities));
}

static int get_speed(const Ioctl *ioctl) {
        return (int) ioctl->file->node->speed;
}

/* The bus is never suspended. */
static int do_nothing(const Ioctl *ioctl) {
        (void) ioctl;
        return 0;
}

static int reset(const Ioctl *ioctl) {
        return usbfs_file_reset(ioctl->file);
}

static int discard(const Ioctl *ioctl) {
        return usbfs_file_discard(ioctl->file, ioctl->argument);
}

static int disconnect_and_claim(const Ioctl *ioctl) {
        struct usbdevfs_disconnect_claim claim;
        int r = read_memory(ioctl, ioctl->argument, &claim, sizeof(claim));

        if (r < 0)
                return r;
        claim.driver[sizeof(claim.driver) - 1] = '\0';
        return usbfs_file_detach_and_claim(ioctl->file, claim.interface, claim.flags, claim.driver);
}

static int driver_ioctl(const Ioctl *ioctl) {
        struct usbdevfs_ioctl inner;
        int r = read_memory(ioctl, ioctl->argument, &inner, sizeof(inner));

        if (r < 0)
                return r;
        if (inner.ifno < 0)
                return -EINVAL;
        if ((unsigned) inner.ioctl_code == USBDEVFS_DISCONNECT)
                return usbfs_file_detach_driver(ioctl->file, (unsigned) inner.ifno);
        if ((unsigned) inner.ioctl_code == USBDEVFS_CONNECT)
                return usbfs_file_attach_driver(ioctl->file, (unsigned) inner.ifno);
        return -ENOTTY;
}

typedef struct Command {
        unsigned code;
        int (*now)(const Ioctl *ioctl);                    /* returns the answer */
        void (*later)(const Ioctl *ioctl);                 /* answers by itself */
        int (*number)(UsbfsFile *file, unsigned argument); /* its argument is a number */
        bool when_gone;                                    /* works after the device left */
} Command;

static const Command commands[] = {
        { USBDEVFS_SUBMITURB, .now = submit_urb },
        { USBDEVFS_REAPURBNDELAY, .now = reap_urb, .when_gone = true },
        { USBDEVFS_REAPURB, .later = do_reap, .when_gone = true },
        { USBDEVFS_DISCARDURB, .now = discard },
        { USBDEVFS_CONTROL, .later = do_control },
        { USBDEVFS_BULK, .later = do_bulk },
        { USBDEVFS_SETINTERFACE, .later = do_set_interface },
        { USBDEVFS_SETCONFIGURATION, .later = do_set_configuration },
        { USBDEVFS_GETDRIVER, .now = get_driver },
        { USBDEVFS_CONNECTINFO, .now = get_connect_info },
        { USBDEVFS_GET_CAPABILITIES, .now = get_capabilities },
        { USBDEVFS_GET_SPEED, .now = get_speed },
        { USBDEVFS_FORBID_SUSPEND, .now = do_nothing },
        { USBDEVFS_ALLOW_SUSPEND, .now = do_nothing },
        { USBDEVFS_RESET, .now = reset },
        { USBDEVFS_DISCONNECT_CLAIM, .now = disconnect_and_claim },
        { USBDEVFS_IOCTL, .now = driver_ioctl },
        { USBDEVFS_CLAIMINTERFACE, .number = usbfs_file_claim },
        { USBDEVFS_RELEASEINTERFACE, .number = usbfs_file_release },
        { USBDEVFS_DROP_PRIVILEGES, .number = usbfs_file_drop_privileges },
        { USBDEVFS_CLEAR_HALT, .number = usbfs_file_clear_halt },
        { USBDEVFS_RESETEP, .number = usbfs_file_reset_endpoint },
};

static const Command *find_command(unsigned code) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (commands[i].code == code)
                        return &commands[i];
        return NULL;
}

static int with_number(const Command *command, const Ioctl *ioctl) {
        unsigned number;
        int r = read_memory(ioctl, ioctl->argument, &number, sizeof(number));

        return r < 0 ? r : command->number(ioctl->file, number);
}

void usbfs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned code, void *argument,
                 struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                 size_t out_size) {
        UsbfsHandle *handle = usbfs_handle_from(fi);
        const Ioctl ioctl = { .req = req,
                              .handle = handle,
                              .file = handle->file,
                              .pid = fuse_req_ctx(req)->pid,
                              .argument = (uintptr_t) argument };
        const Command *command = find_command(code);

        (void) ino;
        (void) in;
        (void) in_size;
        (void) out_size;
        if (flags & FUSE_IOCTL_COMPAT)
                answer(&ioctl, -ENOTTY);
        else if (!handle->file->writable)
                answer(&ioctl, -EPERM);
        else if (handle->file->node->gone && !(command && command->when_gone))
                answer(&ioctl, -ENODEV);
        else if (!command)
                answer(&ioctl, -ENOTTY);
        else if (command->now)
                answer(&ioctl, command->now(&ioctl));
        else if (command->number)
                answer(&ioctl, with_number(command, &ioctl));
        else
                command->later(&ioctl);
}
