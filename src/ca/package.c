/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.ca-util"

#include "base/log.h"
#include "base/secret.h"
#include "ca/commands.h"
#include "pki/keystore.h"
#include "pki/pem_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

/* A member of the archive; its bytes may be a key. */
typedef struct {
    char *name;
    GBytes *content;
} Member;

static void member_free(gpointer data)
{
    Member *member = data;
    g_free(member->name);
    g_bytes_unref(member->content);
    g_free(member);
}

/* The key as the store of an upstream tool has it; NULL when it is not there. */
static GBytes *stored_key(const CaRequest *request, GError **error)
{
    g_autofree char *path = g_build_filename(request->directory, "private.yml", NULL);
    g_autoptr(Keystore) keystore = keystore_load(path, request->settings->password, error);
    GBytes *key = keystore ? g_hash_table_lookup(keystore->others, request->name) : NULL;
    return key ? g_bytes_ref(key) : NULL;
}

static GBytes *read_member(const CaRequest *request, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(request->directory, name, NULL);
    bool is_key = g_str_has_suffix(name, "-private.pem");
    if (is_key && request->key_from_store) {
        GBytes *key = stored_key(request, NULL);
        if (key)
            return key;
    }
    if (!pem_file_check_readable(path, is_key ? "private key" : "file", error))
        return NULL;
    char *text = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &text, &size, error))
        return NULL;
    return secret_bytes_take(g_bytes_new_take(text, size));
}

/* In upstream's order. */
static GPtrArray *collect(const CaRequest *request, GError **error)
{
    static const char *const endings[] = {"-public.pem", "-cert.crt", "-private.pem"};
    static const char *const shared[] = {"cacert.crt", "cacrl.der", "cacrl.pem"};
    g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func(member_free);
    for (guint i = 0; i < G_N_ELEMENTS(endings) + G_N_ELEMENTS(shared); i++) {
        g_autofree char *name = i < G_N_ELEMENTS(endings)
                                    ? g_strconcat(request->name, endings[i], NULL)
                                    : g_strdup(shared[i - G_N_ELEMENTS(endings)]);
        GBytes *content = read_member(request, name, error);
        if (!content)
            return NULL;
        Member *member = g_new(Member, 1);
        *member = (Member){g_steal_pointer(&name), content};
        g_ptr_array_add(members, member);
    }
    return g_steal_pointer(&members);
}

static bool add_member(struct archive *archive, const Member *member)
{
    gsize size = 0;
    const void *content = g_bytes_get_data(member->content, &size);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_mtime(entry, g_get_real_time() / G_USEC_PER_SEC, 0);
    bool good = archive_write_header(archive, entry) == ARCHIVE_OK &&
                archive_write_data(archive, content, size) == (la_ssize_t)size;
    archive_entry_free(entry);
    return good;
}

/* The archive in memory: the file is then written whole, or not at all. NULL: *problem. */
static GBytes *archive_of(const GPtrArray *members)
{
    gsize room = 4096;
    for (guint i = 0; i < members->len; i++) {
        const Member *member = g_ptr_array_index(members, i);
        room += g_bytes_get_size(member->content) + 2 * strlen(member->name) + 1024;
    }
    char *buffer = g_malloc(room);
    size_t used = 0;
    struct archive *archive = archive_write_new();
    bool good = archive_write_set_format_zip(archive) == ARCHIVE_OK &&
                archive_write_zip_set_compression_store(archive) == ARCHIVE_OK &&
                archive_write_open_memory(archive, buffer, room, &used) == ARCHIVE_OK;
    for (guint i = 0; good && i < members->len; i++)
        good = add_member(archive, g_ptr_array_index(members, i));
    good = archive_write_close(archive) == ARCHIVE_OK && good;
    archive_write_free(archive);
    g_autoptr(GBytes) content = secret_bytes_take(g_bytes_new_take(buffer, room));
    return good ? g_bytes_new_from_bytes(content, 0, used) : NULL;
}

bool ca_package(const CaRequest *request, GError **error)
{
    g_autofree char *name = g_strconcat(request->name, "-pkg.zip", NULL);
    g_autofree char *path = g_build_filename(request->directory, name, NULL);
    g_autoptr(GPtrArray) members = collect(request, error);
    if (!members)
        return false;
    log_info("Creating cert package for %s in %s", request->name, name);
    g_autoptr(GBytes) archive = archive_of(members);
    if (!archive) {
        g_set_error(error, CA_ERROR, CA_ERROR_REFUSED, "cannot make the archive %s", path);
        return false;
    }
    gsize size = 0;
    const char *bytes = g_bytes_get_data(archive, &size);
    return pem_file_write(path, bytes, size, PEM_MODE_SECRET, error);
}
