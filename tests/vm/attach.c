/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Load the programs in an object file into the kernel, say "attached", and keep them there. */
int main(int argc, char *argv[]) {
        struct bpf_object *object;
        struct bpf_program *program;

        if (argc != 2) {
                fprintf(stderr, "usage: attach FILE\n");
                return 2;
        }
        object = bpf_object__open_file(argv[1], NULL);
        if (!object || bpf_object__load(object) < 0) {
                perror("load");
                return 1;
        }
        bpf_object__for_each_program(program, object) if (!bpf_program__attach(program)) {
                perror("attach");
                return 1;
        }
        printf("attached\n");
        fflush(stdout);
        pause();
        return 0;
}
