/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>

#include "base/macro.h"
#include "sim-monkey.h"

/* Random commands, transfers and accidents against every model. The sequence is always the
 * same; SIM_SOAK_STEPS and SIM_SOAK_SEED make it longer, and another one. */

static const char *const specs[] = {
        "v1",
        "v2",
        "v2:mode=debug",
        "v2:leave-loader=reenumerate,reenumerate=5ms",
        "v2-1:reenumerate=5ms",
        "v2-1:mode=debug,target=f103",
        "v2-1-loader",
        "v2-1:pid=3752,target=g071",
        "v3:mode=debug",
        "v3:pid=374f,target=h743,mode=debug",
        "v3:pid=3753",
        "v3-loader",
        "v3pwr",
};

static unsigned long setting(const char *name, unsigned long otherwise) {
        const char *text = getenv(name);

        return text ? strtoul(text, NULL, 0) : otherwise;
}

START_TEST(test_soak) {
        Monkey monkey = { .next = monkey_next_random,
                          .state = setting("SIM_SOAK_SEED", 42) * 2654435761u + (unsigned) _i + 1 };

        unsigned steps = (unsigned) setting("SIM_SOAK_STEPS", 20000);

        /* Most of the time it is plugged in, and takes commands. */
        ck_assert_uint_gt(monkey_play(&monkey, specs[_i], steps), steps / 20);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-soak");
        TCase *tcase = tcase_create("soak");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 600);
        tcase_add_loop_test(tcase, test_soak, 0, ELEMENTSOF(specs));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
