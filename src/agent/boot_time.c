/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/boot_time.h"

#include "agent/state_file.h"
#include "base/log.h"
#include "base/timestamp.h"

#include <string.h>

#define FILE_NAME "boot_time"

/* `btime` of /proc/stat. */
static char *kernel_boot_time(void)
{
    g_autofree char *text = NULL;
    gint64 seconds = 0;
    if (g_file_get_contents("/proc/stat", &text, NULL, NULL)) {
        const char *line = strstr(text, "\nbtime ");
        if (line)
            seconds = g_ascii_strtoll(line + strlen("\nbtime "), NULL, 10);
    }
    if (seconds <= 0) {
        log_warning("The kernel tells no boot time: 1970 is reported");
        return g_strdup("1970-01-01T00:00:00Z");
    }
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
    return g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
}

/* "boot-id time" of the file, if it is of this boot. */
static char *kept_boot_time(const char *path, const char *boot_id)
{
    g_autoptr(GBytes) content = state_file_read(path, NULL);
    if (!content)
        return NULL;
    Bytes bytes = bytes_of_gbytes(content);
    g_autofree char *text = g_strndup((const char *)bytes.data, bytes.size);
    g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", 3);
    Timestamp time;
    bool ours = g_strv_length(words) == 2 && strcmp(words[0], boot_id) == 0 &&
                timestamp_parse(words[1], &time);
    return ours ? g_strdup(words[1]) : NULL;
}

char *boot_time_determine(const char *keylime_dir)
{
    g_autofree char *path = g_build_filename(keylime_dir, FILE_NAME, NULL);
    g_autofree char *boot_id = state_boot_id();
    char *kept = kept_boot_time(path, boot_id);
    if (kept)
        return kept;
    char *time = kernel_boot_time();
    g_autofree char *line = g_strdup_printf("%s %s\n", boot_id, time);
    g_autoptr(GError) error = NULL;
    if (!state_file_write(path, bytes_of_text(line), &error))
        log_warning("%s; the boot time is kept for this process only", error->message);
    return time;
}
