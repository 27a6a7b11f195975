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

static int fail(const PolicyCall *call, int status, const char *reason)
{
    fprintf(stderr, "keylime-policy %s: %s\n", call->command->tool.name, reason);
    g_autoptr(GError) lost = NULL;
    g_autoptr(Json) document = json_object_new_object();
    json_add(document, "error", tool_json_error(reason, status));
    if (call->json && !tool_print_json(document, &lost))
        command_note("%s", lost->message);
    return status;
}

int command_fail(const PolicyCall *call, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return fail(call, status, reason);
}

void command_print_version(void)
{
    puts("keylime-policy " KEYLIME_VERSION);
}

bool command_parse(PolicyCall *call, void *options, int *status)
{
    const CommonOptions *common = options;
    const ToolCommand *command = &call->command->tool;
    g_autoptr(GError) error = NULL;
    *status = STATUS_GOOD;
    bool parsed =
        tool_parse(&policy_tool, command, call->argc, call->argv, options, &call->words, &error);
    call->json = parsed ? common->json : tool_wants_json(call->argc, call->argv);
    if (!parsed) {
        *status = command_fail(call, STATUS_USAGE, "%s; --help shows all options", error->message);
        return false;
    }
    if (common->help) {
        tool_print_help(&policy_tool, command, stdout);
        return false;
    }
    if (common->version) {
        command_print_version();
        return false;
    }
    if (call->words.count > 0 && !command->words) {
        *status = command_fail(call, STATUS_USAGE, "unexpected word %s; --help shows all options",
                               call->words.word[0]);
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

static bool is_standard_output(const char *path)
{
    return !path || strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0;
}

bool command_write(const char *path, Bytes content, GError **error)
{
    struct stat status;
    if (is_standard_output(path))
        return write_stream(stdout, "standard output", content, error);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return write_special(path, content, error);
    return g_file_set_contents_full(path, (const char *)content.data, (gssize)content.size,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                    0644, error);
}

bool command_write_result(const PolicyCall *call, const char *output, Bytes content, Json *told,
                          GError **error)
{
    g_autoptr(Json) document = told ? told : json_object_new_object();
    if (!command_write(output, content, error))
        return false;
    if (!call->json || is_standard_output(output))
        return true;
    json_add_text(document, "output", output);
    return tool_print_json(document, error);
}
