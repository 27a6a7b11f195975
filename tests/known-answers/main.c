/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known-answers KIND DIRECTORY: runs every vector file of a folder against this project's code.
 * Prints a line for each case that differs, then "N passed, N failed". Exit status: 0 all as
 * expected, 1 a case differs or a file cannot be read, 2 wrong usage, 77 (skipped) the folder does
 * not exist.
 */
#include "vector.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_USAGE = 2, EXIT_SKIPPED = 77 };

static const struct {
    const char *name;
    const VectorFile *files;
} kinds[] = {
    {"ima", ima_vector_files},
    {"tpm", tpm_vector_files},
    {"measured-boot", uefi_vector_files},
};

static VectorReader reader_of_file(const VectorFile *files, const char *name)
{
    for (; files->name; files++)
        if (strcmp(files->name, name) == 0)
            return files->read;
    return NULL;
}

static bool read_file(const VectorFile *files, const char *folder, const char *name, Tally *tally)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *text = NULL;
    gsize size;
    g_autoptr(GError) error = NULL;
    VectorReader reader = reader_of_file(files, name);
    if (!reader) {
        printf("%s: no reader for this file\n", name);
        return false;
    }
    g_autoptr(Json) document = NULL;
    if (g_file_get_contents(path, &text, &size, &error))
        document = json_parse(bytes_of(text, size), &error);
    if (!document) {
        printf("%s: %s\n", name, error->message);
        return false;
    }
    tally->folder = folder;
    tally->file = name;
    unsigned before = tally->passed + tally->failed;
    reader(document, tally);
    if (tally->passed + tally->failed == before) {
        printf("%s: holds no case\n", name);
        return false;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the vector files in a folder, sorted. */
static GPtrArray *vector_names(GDir *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while ((name = g_dir_read_name(folder)))
        if (g_str_has_suffix(name, ".json"))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return names;
}

static int run_folder(const VectorFile *files, const char *path)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    if (!folder) {
        printf("skipped: no vectors in %s\n", path);
        return EXIT_SKIPPED;
    }
    Tally tally = {0};
    unsigned broken = 0;
    g_autoptr(GPtrArray) names = vector_names(folder);
    for (guint i = 0; i < names->len; i++)
        if (!read_file(files, path, g_ptr_array_index(names, i), &tally))
            broken++;
    if (names->len == 0) {
        printf("%s: holds no vector file\n", path);
        broken++;
    }
    printf("%u passed, %u failed\n", tally.passed, tally.failed + broken);
    return tally.failed + broken == 0 ? 0 : 1;
}

static char *shared_folder(const char *kind)
{
    const char *shared = g_getenv("KEYLIME_SHARED");
    return g_build_filename(shared && *shared ? shared : SHARED_FOLDER, "vectors", kind, NULL);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; (argc == 2 || argc == 3) && i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) {
            g_autofree char *folder = argc == 3 ? g_strdup(argv[2]) : shared_folder(kinds[i].name);
            return run_folder(kinds[i].files, folder);
        }
    fprintf(stderr, "usage: known-answers KIND [DIRECTORY], where KIND is one of:");
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        fprintf(stderr, " %s", kinds[i].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}
