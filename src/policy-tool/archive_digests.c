/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/archive_digests.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define ARCHIVE_ERROR (archive_digests_error_quark())
static G_DEFINE_QUARK(archive - digests - error - quark, archive_digests_error)

#define BLOCK (64 * 1024)

    typedef struct archive Archive;
static void archive_close_and_free(Archive *archive)
{
    archive_read_free(archive);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_close_and_free)

static bool refuse(GError **error, const char *label, const char *reason)
{
    g_set_error(error, ARCHIVE_ERROR, 0, "%s: %s", label, reason);
    return false;
}

static bool archive_failed(Archive *archive, const char *label, GError **error)
{
    const char *reason = archive_error_string(archive);
    return refuse(error, label, reason ? reason : "cannot be unpacked");
}

/* --- one archive --------------------------------------------------------------------------------
 */

/* Files of an archive, under the path that a machine has for them. Links to the same content are
 * settled at the end: cpio stores it with the last of its names, tar with the first. */
typedef struct {
    const EVP_MD *algorithm;
    PolicyDocument *document;
    const char *label;
    GHashTable *digests; /* path -> hex */
    GHashTable *links;   /* path -> path of the same content */
} Unpacking;

/* "./usr/bin/x", "usr/bin/x" -> "/usr/bin/x"; newly allocated. */
static char *absolute_path(const char *path)
{
    while (g_str_has_prefix(path, "./"))
        path += 2;
    return *path == '/' ? g_strdup(path) : g_strconcat("/", path, NULL);
}

static char *content_digest(Archive *archive, const EVP_MD *algorithm)
{
    FileDigest digest;
    uint8_t block[BLOCK];
    la_ssize_t got;
    if (!file_digest_begin(&digest, algorithm))
        return NULL;
    while ((got = archive_read_data(archive, block, sizeof block)) > 0)
        file_digest_update(&digest, bytes_of(block, (size_t)got));
    char *hex = file_digest_end(&digest);
    if (got < 0)
        g_clear_pointer(&hex, g_free);
    return hex;
}

static bool unpack_entry(Unpacking *unpacking, Archive *archive, struct archive_entry *entry,
                         GError **error)
{
    const char *name = archive_entry_pathname(entry);
    const char *link = archive_entry_hardlink(entry);
    if (!name || (!link && archive_entry_filetype(entry) != AE_IFREG))
        return true;
    g_autofree char *path = absolute_path(name);
    if (link)
        g_hash_table_insert(unpacking->links, g_strdup(path), absolute_path(link));
    if (link && archive_entry_size(entry) == 0)
        return true;
    char *hex = content_digest(archive, unpacking->algorithm);
    if (!hex)
        return archive_failed(archive, unpacking->label, error);
    if (link)
        g_hash_table_insert(unpacking->digests, absolute_path(link), g_strdup(hex));
    g_hash_table_insert(unpacking->digests, g_steal_pointer(&path), hex);
    return true;
}

static void hand_over(Unpacking *unpacking)
{
    GHashTableIter iter;
    gpointer path, value;
    g_hash_table_iter_init(&iter, unpacking->links);
    while (g_hash_table_iter_next(&iter, &path, &value)) {
        const char *hex = g_hash_table_lookup(unpacking->digests, value);
        if (hex)
            g_hash_table_insert(unpacking->digests, g_strdup(path), g_strdup(hex));
    }
    g_hash_table_iter_init(&iter, unpacking->digests);
    while (g_hash_table_iter_next(&iter, &path, &value))
        policy_document_add(unpacking->document, RUNTIME_POLICY_DIGESTS, bytes_of_text(path),
                            value);
}

/* All of an opened archive. */
static bool unpack(Archive *archive, const char *label, const EVP_MD *algorithm,
                   PolicyDocument *document, GError **error)
{
    g_autoptr(GHashTable) digests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Unpacking unpacking = {algorithm, document, label, digests, links};
    struct archive_entry *entry;
    int result;
    while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
           result == ARCHIVE_WARN)
        if (!unpack_entry(&unpacking, archive, entry, error))
            return false;
    if (result != ARCHIVE_EOF)
        return archive_failed(archive, label, error);
    hand_over(&unpacking);
    return true;
}

/* --- initial RAM disks --------------------------------------------------------------------------
 */

#define CPIO_HEADER 110
#define CPIO_TRAILER "TRAILER!!!"

static size_t filled_up(size_t size)
{
    return (size + 3) / 4 * 4;
}

/* A field of a cpio header: eight hex digits. */
static bool cpio_field(Bytes header, size_t index, size_t *value)
{
    g_autofree char *digits = g_strndup((const char *)header.data + 6 + 8 * index, 8);
    guint64 number;
    if (!g_ascii_string_to_unsigned(digits, 16, 0, G_MAXUINT32, &number, NULL))
        return false;
    *value = (size_t)number;
    return true;
}

static bool is_cpio(Bytes bytes)
{
    return bytes.size >= CPIO_HEADER &&
           (memcmp(bytes.data, "070701", 6) == 0 || memcmp(bytes.data, "070702", 6) == 0);
}

/* Bytes of the uncompressed cpio archive that `bytes` begins with; 0 when it is cut short. */
static size_t cpio_size(Bytes bytes)
{
    Reader reader = reader_of(bytes);
    for (;;) {
        Bytes header, name, content;
        size_t file_size, name_size;
        if (!is_cpio(reader.rest) || !reader_take(&reader, CPIO_HEADER, &header) ||
            !cpio_field(header, 6, &file_size) || !cpio_field(header, 11, &name_size) ||
            !reader_take(&reader, filled_up(CPIO_HEADER + name_size) - CPIO_HEADER, &name) ||
            !reader_take(&reader, file_size, &content))
            return 0;
        size_t filling = filled_up(file_size) - file_size;
        reader_take(&reader, MIN(filling, reader.rest.size), &content);
        if (name_size == sizeof CPIO_TRAILER && memcmp(name.data, CPIO_TRAILER, name_size) == 0)
            return bytes.size - reader.rest.size;
    }
}

static bool unpack_cpio(Bytes bytes, const char *label, const EVP_MD *algorithm,
                        PolicyDocument *document, GError **error)
{
    g_autoptr(Archive) archive = archive_read_new();
    archive_read_support_filter_all(archive);
    archive_read_support_format_cpio(archive);
    if (archive_read_open_memory(archive, bytes.data, bytes.size) != ARCHIVE_OK)
        return archive_failed(archive, label, error);
    return unpack(archive, label, algorithm, document, error);
}

bool ramdisk_digests_add(Bytes image, const char *label, const EVP_MD *algorithm,
                         PolicyDocument *document, GError **error)
{
    Bytes rest = image;
    while (rest.size > 0) {
        if (rest.data[0] == 0) { /* between archives */
            rest = bytes_of(rest.data + 1, rest.size - 1);
            continue;
        }
        size_t size = is_cpio(rest) ? cpio_size(rest) : rest.size;
        if (size == 0)
            return refuse(error, label, "its cpio archive is cut short");
        if (!unpack_cpio(bytes_of(rest.data, size), label, algorithm, document, error))
            return false;
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    return true;
}

/* --- packages -----------------------------------------------------------------------------------
 */

static la_ssize_t read_inner(Archive *archive, void *outer, const void **block)
{
    size_t size;
    la_int64_t offset;
    int result = archive_read_data_block(outer, block, &size, &offset);
    if (result == ARCHIVE_EOF)
        return 0;
    return result == ARCHIVE_OK ? (la_ssize_t)size : -1;
}

/* The files of a Debian package lie in its member data.tar, compressed in one way or another. */
static bool unpack_debian(Archive *outer, const char *path, const EVP_MD *algorithm,
                          PolicyDocument *document, GError **error)
{
    struct archive_entry *entry;
    while (archive_read_next_header(outer, &entry) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        if (!name || !g_str_has_prefix(name, "data.tar"))
            continue;
        g_autoptr(Archive) inner = archive_read_new();
        archive_read_support_filter_all(inner);
        archive_read_support_format_tar(inner);
        if (archive_read_open(inner, outer, NULL, read_inner, NULL) != ARCHIVE_OK)
            return archive_failed(inner, path, error);
        return unpack(inner, path, algorithm, document, error);
    }
    return refuse(error, path, "is a Debian package without data.tar");
}

bool package_digests_add(const char *path, const EVP_MD *algorithm, PolicyDocument *document,
                         GError **error)
{
    g_autoptr(Archive) archive = archive_read_new();
    archive_read_support_filter_all(archive);
    archive_read_support_filter_rpm(archive);
    archive_read_support_format_cpio(archive);
    archive_read_support_format_ar(archive);
    archive_read_support_format_empty(archive);
    if (archive_read_open_filename(archive, path, BLOCK) != ARCHIVE_OK)
        return archive_failed(archive, path, error);
    return g_str_has_suffix(path, ".deb") ? unpack_debian(archive, path, algorithm, document, error)
                                          : unpack(archive, path, algorithm, document, error);
}

GBytes *archive_plain_content(Bytes content, size_t most, const char *label, GError **error)
{
    g_autoptr(Archive) archive = archive_read_new();
    g_autoptr(GByteArray) plain = g_byte_array_new();
    struct archive_entry *entry;
    archive_read_support_filter_all(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    if (archive_read_open_memory(archive, content.data, content.size) != ARCHIVE_OK ||
        archive_read_next_header(archive, &entry) != ARCHIVE_OK) {
        archive_failed(archive, label, error);
        return NULL;
    }
    uint8_t block[BLOCK];
    la_ssize_t got;
    while ((got = archive_read_data(archive, block, sizeof block)) > 0) {
        if (plain->len + (size_t)got > most) {
            refuse(error, label, "unpacks to more than any repository's list has");
            return NULL;
        }
        bytes_append(plain, bytes_of(block, (size_t)got));
    }
    if (got < 0) {
        archive_failed(archive, label, error);
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&plain));
}
