/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(keylime - policy - command - error, command_error)

/* Bytes of a file that is read at once at the most: a policy of a million digests has 130 MB. */
#define MAX_CONTENT (1024u * 1024 * 1024)

bool command_parse(const PolicyCommand *command, const GOptionEntry *entries, int argc, char **argv,
                   int *status)
{
    return command_parse_with(command, entries, NULL, argc, argv, status);
}

bool command_parse_with(const PolicyCommand *command, const GOptionEntry *entries, gpointer data,
                        int argc, char **argv, int *status)
{
    g_autofree char *words = g_strdup_printf("%s %s", command->action, command->object);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_summary(context, command->summary);
    g_option_context_set_help_enabled(context, FALSE);
    gboolean help = FALSE;
    const GOptionEntry help_entry[] = {
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "show this text", NULL}, {NULL}};
    GOptionGroup *group = g_option_group_new(NULL, NULL, NULL, data, NULL);
    g_option_group_add_entries(group, entries);
    g_option_group_add_entries(group, help_entry);
    g_option_context_set_main_group(context, group);
    g_autofree char *name = g_strdup_printf("keylime-policy %s", words);
    g_set_prgname(name);
    g_autoptr(GError) error = NULL;
    *status = STATUS_GOOD;
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        *status =
            command_fail(command, STATUS_USAGE, "%s; --help shows all options", error->message);
        return false;
    }
    if (help) {
        g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
        fputs(text, stdout);
        return false;
    }
    if (argc > 1) {
        *status = command_fail(command, STATUS_USAGE,
                               "unexpected word %s; --help shows all options", argv[1]);
        return false;
    }
    return true;
}

bool command_refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, COMMAND_ERROR, 0, reason);
    return false;
}

int command_fail(const PolicyCommand *command, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "keylime-policy %s %s: %s\n", command->action, command->object, reason);
    return status;
}

char *command_timestamp(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *seconds = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");
    return g_strdup_printf("%s.%06d", seconds, g_date_time_get_microsecond(now));
}

void command_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static GBytes *file_failed(const char *path, int code, GError **error)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path,
                g_strerror(code));
    return NULL;
}

/* By reading to the end: files of the kernel have no size. */
static GBytes *read_all(int fd, const char *path, GError **error)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    for (;;) {
        enum { STEP = 256 * 1024 };
        guint size = content->len;
        g_byte_array_set_size(content, size + STEP);
        ssize_t got = read(fd, content->data + size, STEP);
        g_byte_array_set_size(content, size + (guint)(got > 0 ? got : 0));
        if (got < 0 && errno != EINTR)
            return file_failed(path, errno, error);
        if (got == 0)
            return g_byte_array_free_to_bytes(g_steal_pointer(&content));
        if (content->len > MAX_CONTENT)
            return file_failed(path, EFBIG, error);
    }
}

GBytes *command_read(const char *path, GError **error)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_failed(path, errno, error);
    GBytes *content = read_all(fd, standard ? "standard input" : path, error);
    if (!standard)
        close(fd);
    return content;
}

static bool write_stream(FILE *file, const char *name, Bytes content, GError **error)
{
    bool written = fwrite(content.data, 1, content.size, file) == content.size;
    if (fflush(file) == 0 && written)
        return true;
    file_failed(name, errno, error);
    return false;
}

/* A device or a pipe: a new file must not take its place. */
static bool write_special(const char *path, Bytes content, GError **error)
{
    FILE *file = fopen(path, "we");
    if (!file) {
        file_failed(path, errno, error);
        return false;
    }
    bool written = write_stream(file, path, content, error);
    fclose(file);
    return written;
}

bool command_write(const char *path, Bytes content, GError **error)
{
    struct stat status;
    if (!path || strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
        return write_stream(stdout, "standard output", content, error);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return write_special(path, content, error);
    return g_file_set_contents_full(path, (const char *)content.data, (gssize)content.size,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                    0644, error);
}
