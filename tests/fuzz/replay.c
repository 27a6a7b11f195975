/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of a fuzz target in a normal build: the seeds, and each seed cut short at every length, so
 * that an input that once failed is tried again by `make check`, under every compiler and
 * sanitizer.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cutting a large seed at every length would take minutes. */
#define MAX_CUTS 2048

static void replay(const char *path, guint *count)
{
    g_autofree char *content = NULL;
    gsize size = 0;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &content, &size, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    gsize step = size / MAX_CUTS + 1;
    for (gsize cut = 0; cut < size; cut += step, (*count)++) {
        /* A buffer of the exact size: the address sanitizer sees a read beyond it. */
        g_autofree uint8_t *copy = g_memdup2(content, cut);
        LLVMFuzzerTestOneInput(copy, cut);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)content, size);
    (*count)++;
}

int main(int argc, char **argv)
{
    guint count = 1;
    LLVMFuzzerTestOneInput(NULL, 0);
    for (int i = 1; i < argc; i++) {
        GDir *directory = g_dir_open(argv[i], 0, NULL);
        if (!directory)
            continue; /* a target without seeds */
        for (const char *name = g_dir_read_name(directory); name;
             name = g_dir_read_name(directory)) {
            g_autofree char *path = g_build_filename(argv[i], name, NULL);
            replay(path, &count);
        }
        g_dir_close(directory);
    }
    printf("%u inputs\n", count);
    return 0;
}
