/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "bus/errors.h"
#include "bus/polkit.h"

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* CheckAuthorizationFlags of polkit's D-Bus interface. */
#define POLKIT_ALLOW_USER_INTERACTION 1u

#define CANCELLATION_ID_MAX 32

#define NAME_SIGNALS                                                     \
        "type='signal',sender='org.freedesktop.DBus',"                   \
        "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus'," \
        "member='NameOwnerChanged'"

struct Polkit {
        sd_bus *connection;
        PolkitLimits limits;
        List questions;
        uint64_t last_number;
        sd_bus_slot *names; /* tells who leaves the bus, while a question is open */
};

/* From the moment that polkit is asked until the message has been dispatched again. */
typedef struct Question {
        List link;
        Polkit *polkit;
        sd_bus_message *message;
        uint64_t number;
        uid_t uid;
        char *subject; /* action and details */
        sd_bus_slot *call;
        PolkitAnswer answer;
        char *failure;            /* why there is no answer, when answer is POLKIT_PENDING */
        sd_event_source *cleanup; /* in case that the message reaches nobody who asks again */
} Question;

/* --- one question ------------------------------------------------------------------------- */

static Question *question_free(Question *question) {
        Polkit *polkit;

        if (!question)
                return NULL;
        polkit = question->polkit;
        list_remove(&question->link);
        if (list_is_empty(&polkit->questions))
                polkit->names = sd_bus_slot_unref(polkit->names);
        sd_bus_slot_unref(question->call);
        sd_event_source_disable_unref(question->cleanup);
        sd_bus_message_unref(question->message);
        free(question->subject);
        free(question->failure);
        free(question);
        return NULL;
}
DEFINE_CLEANUP(Question *, question_free)

static void cancellation_id(const Question *question, char buffer[static CANCELLATION_ID_MAX]) {
        (void) snprintf(buffer, CANCELLATION_ID_MAX, "stlinkd-%" PRIu64, question->number);
}

/* So that no dialog stays on a screen for somebody who has left. */
static void question_cancel(Question *question) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        sd_bus *connection = question->polkit->connection;
        char id[CANCELLATION_ID_MAX];

        cancellation_id(question, id);
        if (sd_bus_message_new_method_call(connection, &message, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CancelCheckAuthorization") < 0 ||
            sd_bus_message_set_expect_reply(message, false) < 0 ||
            sd_bus_message_set_auto_start(message, false) < 0 ||
            sd_bus_message_append(message, "s", id) < 0)
                return;
        (void) sd_bus_send(connection, message, NULL);
}

/* Each part with its length before it, so that no two questions look the same. */
static int write_subject(const char *action, const PolkitDetail *details, size_t n, char **ret) {
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "%zu:%s", strlen(action), action);
        for (size_t i = 0; i < n; i++)
                (void) fprintf(stream, "%zu:%s%zu:%s", strlen(details[i].key), details[i].key,
                               strlen(details[i].value), details[i].value);
        if (fclose(stream) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/* --- the answer --------------------------------------------------------------------------- */

/* polkit is not installed, or the administrator has turned it off. One that fails to start is
 * not absent: what it would forbid is not to be allowed by breaking it. */
static bool is_absence(const sd_bus_error *error) {
        static const char *const names[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                "org.freedesktop.systemd1.NoSuchUnit",
                "org.freedesktop.systemd1.UnitMasked",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return false;
}

static int read_result(sd_bus_message *reply, PolkitAnswer *ret) {
        int authorized, challenge, r;

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (authorized)
                *ret = POLKIT_YES;
        else
                *ret = challenge ? POLKIT_CHALLENGE : POLKIT_NO;
        return 0;
}

/* Leaves the answer POLKIT_PENDING, and says why, when polkit failed to give one. */
static void question_read_reply(Question *question, sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        const char *failure = NULL;

        if (!error) {
                if (read_result(reply, &question->answer) < 0)
                        failure = "its answer makes no sense";
        } else if (is_absence(error)) {
                question->answer = POLKIT_ABSENT;
        } else if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
                failure = "no answer came in time";
                question_cancel(question);
        } else {
                failure = error->message ?: error->name;
        }
        if (failure)
                question->failure = strdup(failure);
}

static int on_cleanup(sd_event_source *source, void *userdata) {
        (void) source;
        question_free(userdata);
        return 0;
}

static int question_dispatch_again(Question *question) {
        sd_bus *connection = question->polkit->connection;
        int r;

        /* When nothing else is left to do in the loop the message has been dispatched. Its
         * object may be gone by then, and nobody have asked for the answer. */
        r = sd_event_add_defer(sd_bus_get_event(connection), &question->cleanup, on_cleanup,
                               question);
        if (r >= 0)
                r = sd_event_source_set_priority(question->cleanup, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_bus_message_rewind(question->message, true);
        return r < 0 ? r : sd_bus_enqueue_for_read(connection, question->message);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        Question *question = userdata;
        int r;

        (void) unused;
        question->call = sd_bus_slot_unref(question->call);
        question_read_reply(question, reply);
        r = question_dispatch_again(question);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(question->message, r, NULL);
                question_free(question);
        }
        return 1;
}

/* --- the one who asks --------------------------------------------------------------------- */

static int on_name_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Polkit *polkit = userdata;

        (void) error;
        if (sd_bus_message_read(message, "sss", &name, &before, &after) <= 0 || after[0] != 0)
                return 0;
        LIST_FOREACH(&polkit->questions, Question, question, link) {
                if (!question->call ||
                    strcmp(sd_bus_message_get_sender(question->message), name) != 0)
                        continue;
                question_cancel(question);
                question_free(question);
        }
        return 0;
}

/* --- asking ------------------------------------------------------------------------------- */

static int append_details(sd_bus_message *call, const PolkitDetail *details, size_t n) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(call, "{ss}", details[i].key, details[i].value);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int question_send(Question *question, const char *action, const PolkitDetail *details,
                         size_t n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        Polkit *polkit = question->polkit;
        char id[CANCELLATION_ID_MAX];
        uint32_t flags = 0;
        int r;

        cancellation_id(question, id);
        r = sd_bus_message_get_allow_interactive_authorization(question->message);
        if (r < 0)
                return r;
        if (r > 0)
                flags |= POLKIT_ALLOW_USER_INTERACTION;
        r = sd_bus_message_new_method_call(polkit->connection, &call, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(call, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(question->message), action);
        if (r >= 0)
                r = append_details(call, details, n);
        if (r >= 0)
                r = sd_bus_message_append(call, "us", flags, id);
        return r < 0 ? r
                     : sd_bus_call_async(polkit->connection, &question->call, call, on_reply,
                                         question, polkit->limits.timeout);
}

static Question *find_question(Polkit *polkit, const sd_bus_message *message) {
        LIST_FOREACH(&polkit->questions, Question, question, link)
                if (question->message == message)
                        return question;
        return NULL;
}

static unsigned count_questions(Polkit *polkit, uid_t uid) {
        unsigned n = 0;

        LIST_FOREACH(&polkit->questions, Question, question, link)
                n += question->uid == uid;
        return n;
}

static int ask(Polkit *polkit, sd_bus_message *message, uid_t uid, char *subject,
               const char *action, const PolkitDetail *details, size_t n) {
        _cleanup_(question_freep) Question *question = calloc(1, sizeof(*question));
        int r;

        if (!question) {
                free(subject);
                return -ENOMEM;
        }
        question->polkit = polkit;
        question->message = sd_bus_message_ref(message);
        question->number = ++polkit->last_number;
        question->uid = uid;
        question->subject = subject;
        list_init(&question->link);
        list_append(&polkit->questions, &question->link);
        if (!polkit->names) {
                r = sd_bus_add_match_async(polkit->connection, &polkit->names, NAME_SIGNALS,
                                           on_name_changed, NULL, polkit);
                if (r < 0)
                        return r;
        }
        r = question_send(question, action, details, n);
        if (r < 0)
                return r;
        TAKE_PTR(question);
        return POLKIT_PENDING;
}

/* The message has come again. Its answer is used once. */
static int use_answer(Question *taken, const char *subject, sd_bus_error *error) {
        _cleanup_(question_freep) Question *question = taken;

        if (strcmp(question->subject, subject) != 0)
                return bus_error_setf(error, ESTALE,
                                      "What this is about has changed while polkit was asked; "
                                      "try again");
        if (question->answer == POLKIT_PENDING)
                return bus_error_setf(error, EACCES,
                                      "polkit could not be asked whether you may: %s",
                                      question->failure ?: "out of memory");
        return question->answer;
}

int polkit_check(Polkit *polkit, sd_bus_message *message, const BusCaller *caller,
                 const char *action, const PolkitDetail *details, size_t n_details,
                 sd_bus_error *error) {
        _cleanup_free_ char *subject = NULL;
        Question *question;
        int r;

        if (caller->uid == 0)
                return POLKIT_YES;
        r = write_subject(action, details, n_details, &subject);
        if (r < 0)
                return r;
        question = find_question(polkit, message);
        if (question && question->call)
                return bus_error_setf(error, EINVAL, "One message cannot ask polkit twice");
        if (question)
                return use_answer(question, subject, error);
        if (polkit->limits.pending > 0 &&
            count_questions(polkit, caller->uid) >= polkit->limits.pending)
                return bus_error_setf(error, EDQUOT,
                                      "polkit is being asked %u times for you already",
                                      polkit->limits.pending);
        return ask(polkit, message, caller->uid, TAKE_PTR(subject), action, details, n_details);
}

/* --- set-up ------------------------------------------------------------------------------- */

int polkit_new(sd_bus *connection, const PolkitLimits *limits, Polkit **ret) {
        Polkit *polkit = calloc(1, sizeof(*polkit));

        if (!polkit)
                return -ENOMEM;
        polkit->connection = sd_bus_ref(connection);
        polkit->limits = *limits;
        list_init(&polkit->questions);
        *ret = polkit;
        return 0;
}

Polkit *polkit_free(Polkit *polkit) {
        if (!polkit)
                return NULL;
        LIST_FOREACH(&polkit->questions, Question, question, link) {
                if (question->call)
                        question_cancel(question);
                question_free(question);
        }
        sd_bus_unref(polkit->connection);
        free(polkit);
        return NULL;
}
