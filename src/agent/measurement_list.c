/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.logs"

#include "agent/measurement_list.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(keylime - agent - measurement - list - error, measurement_list_error)

#define CHUNK_SIZE ((size_t)64 * 1024)
/* A place in the list is kept every so many entries, and where each count ended: a verifier asks on
 * from an end, or from a few entries before it. */
#define PLACE_SPACING 4096

/* Where an entry begins: number of entries, and of bytes, before it. */
typedef struct {
    guint64 entries, bytes;
} Place;

struct MeasurementList {
    char *path;
    int fd; /* -1: not there yet */
    int last_errno;
    Place end;      /* of what has been counted */
    GArray *places; /* of Place, ascending; the first is the start */
};

static void forget_places(MeasurementList *list)
{
    list->end = (Place){0};
    g_array_set_size(list->places, 0);
    g_array_append_val(list->places, list->end);
}

static bool try_open(MeasurementList *list)
{
    if (list->fd >= 0)
        return true;
    list->fd = open(list->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (list->fd >= 0)
        return true;
    if (list->last_errno != errno)
        log_warning("IMA measurement list not available: %s: %s; IMA evidence is not offered",
                    list->path, g_strerror(errno));
    list->last_errno = errno;
    return false;
}

MeasurementList *measurement_list_open(const char *path)
{
    MeasurementList *list = g_new0(MeasurementList, 1);
    list->path = g_strdup(path);
    list->fd = -1;
    list->places = g_array_new(FALSE, FALSE, sizeof(Place));
    forget_places(list);
    if (try_open(list))
        log_info("Opened the IMA measurement list: %s", path);
    return list;
}

void measurement_list_free(MeasurementList *list)
{
    if (!list)
        return;
    if (list->fd >= 0)
        close(list->fd);
    g_array_unref(list->places);
    g_free(list->path);
    g_free(list);
}

/* --- reading ------------------------------------------------------------------------------- */

/* *size 0 = the list ends here. */
static bool read_chunk(MeasurementList *list, guint64 offset, uint8_t *chunk, size_t *size,
                       GError **error)
{
    ssize_t got;
    do
        got = pread(list->fd, chunk, CHUNK_SIZE, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        g_set_error(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_READ,
                    "cannot read the IMA measurement list %s: %s", list->path, g_strerror(errno));
        return false;
    }
    *size = (size_t)got;
    return true;
}

/* Moves `place` over the complete entries of a chunk that begins at it, `limit` of them at most
 * (0 = all); `places` (may be NULL) is added to. Gives the bytes of those entries. */
static size_t pass_entries(Place *place, const uint8_t *chunk, size_t size, guint64 limit,
                           GArray *places)
{
    const uint8_t *at = chunk;
    const uint8_t *end = chunk + size;
    for (guint64 passed = 0; limit == 0 || passed < limit; passed++) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            break;
        place->entries++;
        place->bytes += (guint64)(newline + 1 - at);
        at = newline + 1;
        if (places && place->entries % PLACE_SPACING == 0)
            g_array_append_val(places, *place);
    }
    return (size_t)(at - chunk);
}

/* Emulated lists are ordinary files that may be written anew; the kernel's says that it is empty.
 */
static void notice_new_list(MeasurementList *list)
{
    struct stat status;
    if (fstat(list->fd, &status) != 0 || status.st_size == 0 ||
        (guint64)status.st_size >= list->end.bytes)
        return;
    log_warning("The IMA measurement list %s became shorter: read from its start", list->path);
    forget_places(list);
}

static void keep_end(MeasurementList *list)
{
    const Place *last = &g_array_index(list->places, Place, list->places->len - 1);
    if (last->entries < list->end.entries)
        g_array_append_val(list->places, list->end);
}

/* An entry longer than a chunk: as much more as it takes. */
static bool read_long_entry(MeasurementList *list, guint64 offset, GByteArray *entry,
                            GError **error)
{
    size_t size = 0;
    do {
        guint old = entry->len;
        if (old > MEASUREMENT_LIST_MAX_TEXT) {
            g_set_error(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_SIZE,
                        "%s has a line of more than %d MiB: this is no measurement list",
                        list->path, MEASUREMENT_LIST_MAX_TEXT / 1024 / 1024);
            return false;
        }
        g_byte_array_set_size(entry, old + (guint)CHUNK_SIZE);
        if (!read_chunk(list, offset + old, entry->data + old, &size, error))
            return false;
        g_byte_array_set_size(entry, old + (guint)size);
        if (memchr(entry->data + old, '\n', size))
            return true;
    } while (size > 0);
    return true;
}

/*
 * Walks over entries from *place on; what it passes is appended to `text` (may be NULL). `limit`
 * as above.
 */
static bool walk(MeasurementList *list, Place *place, guint64 limit, GArray *places,
                 GByteArray *text, GError **error)
{
    g_autoptr(GByteArray) chunk = g_byte_array_sized_new((guint)CHUNK_SIZE);
    guint64 passed_before = place->entries;
    for (;;) {
        size_t size = 0;
        g_byte_array_set_size(chunk, (guint)CHUNK_SIZE);
        if (!read_chunk(list, place->bytes, chunk->data, &size, error))
            return false;
        g_byte_array_set_size(chunk, (guint)size);
        if (size == CHUNK_SIZE && !memchr(chunk->data, '\n', size) &&
            !read_long_entry(list, place->bytes, chunk, error))
            return false;
        guint64 left = limit == 0 ? 0 : limit - (place->entries - passed_before);
        size_t passed = pass_entries(place, chunk->data, chunk->len, left, places);
        if (text) {
            if (text->len + passed > MEASUREMENT_LIST_MAX_TEXT) {
                g_set_error(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_SIZE,
                            "the IMA measurement list has more than %d MiB that were not sent yet: "
                            "narrow the kernel's IMA policy and restart the machine",
                            MEASUREMENT_LIST_MAX_TEXT / 1024 / 1024);
                return false;
            }
            g_byte_array_append(text, chunk->data, (guint)passed);
        }
        if (passed == 0 || (limit > 0 && place->entries - passed_before >= limit))
            return true;
    }
}

bool measurement_list_count(MeasurementList *list, guint64 *entries, GError **error)
{
    *entries = 0;
    if (!try_open(list))
        return true;
    notice_new_list(list);
    if (!walk(list, &list->end, 0, list->places, NULL, error))
        return false;
    keep_end(list);
    *entries = list->end.entries;
    return true;
}

/* The last place that is kept at or before an entry. */
static Place place_before(const MeasurementList *list, guint64 entry)
{
    guint low = 0;
    guint high = list->places->len;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(list->places, Place, middle).entries <= entry)
            low = middle;
        else
            high = middle;
    }
    return g_array_index(list->places, Place, low);
}

GBytes *measurement_list_read(MeasurementList *list, guint64 first, guint64 limit, guint64 *entries,
                              GError **error)
{
    guint64 present;
    *entries = 0;
    if (!measurement_list_count(list, &present, error))
        return NULL;
    if (first > present) {
        g_set_error(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_OFFSET,
                    "the verifier asks for the IMA measurement list from entry %" G_GUINT64_FORMAT
                    " on, but %s has %" G_GUINT64_FORMAT " entries",
                    first, list->path, present);
        return NULL;
    }
    g_autoptr(GByteArray) text = g_byte_array_new();
    Place place = place_before(list, first);
    if (place.entries < first && !walk(list, &place, first - place.entries, NULL, NULL, error))
        return NULL;
    if (first < present && !walk(list, &place, limit, NULL, text, error))
        return NULL;
    *entries = place.entries - first;
    return g_byte_array_free_to_bytes(g_steal_pointer(&text));
}
