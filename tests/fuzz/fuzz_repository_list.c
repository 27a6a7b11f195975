/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of package repositories: every place that is accepted lies below the repository. */
#include "policy-tool/repository_list.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const char *place)
{
    g_assert(*place && *place != '/' && !strstr(place, "://") && !strstr(place, "/../") &&
             !g_str_has_prefix(place, "../") && !g_str_has_suffix(place, "/.."));
}

static void check_files(GPtrArray *files)
{
    for (guint i = 0; files && i < files->len; i++)
        check_place(((const RepositoryFile *)files->pdata[i])->place);
    g_clear_pointer(&files, g_ptr_array_unref);
}

static void each_file(const char *path, const char *digest, gpointer count)
{
    g_assert(*path && digest);
    (*(guint *)count)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes_of(data, size);
    guint count = 0;
    g_autoptr(RepositoryFile) list = repomd_find(text, "primary", NULL);
    if (list)
        check_place(list->place);
    check_files(primary_packages(text, NULL));
    check_files(debian_packages(text, NULL));
    filelists_files(text, each_file, &count, NULL);
    return 0;
}
