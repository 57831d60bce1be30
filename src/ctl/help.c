/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "bus/errors.h"
#include "ctl/help.h"
#include "ctl/text.h"

int help_print(void) {
        const char *bold = text_style(STYLE_BOLD), *normal = text_style(STYLE_NORMAL);

        (void) printf("stlinkctl [OPTIONS…] [VERB …]\n");
        (void) printf("\n%sWho uses which ST-LINK debug probe, and how to get it.%s\n", bold,
                      normal);
        return EXIT_CODE_OK;
}

int help_print_version(void) {
        (void) printf("stlinkctl %s\n", PACKAGE_VERSION);
        return EXIT_CODE_OK;
}
