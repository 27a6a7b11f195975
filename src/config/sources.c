/* SPDX-License-Identifier: Apache-2.0 */
#include "config/sources.h"

#define LOG_NAME "keylime.config"
#include "base/bytes.h"
#include "base/log.h"
#include "config/ini.h"
#include "config/toml.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* No operator writes more; a wrong path (a log, a database) must not fill the memory. */
#define MAX_FILE_SIZE (16 * 1024 * 1024)

const ConfigRoots config_system_roots = {"/etc", "/usr/etc"};

static void found_option_free(gpointer data)
{
    FoundOption *found = data;
    g_free(found->section);
    g_free(found->name);
    raw_value_clear(&found->value);
    g_free(found);
}

void found_options_clear(FoundOptions *found)
{
    g_clear_pointer(&found->options, g_ptr_array_unref);
    g_clear_pointer(&found->sections, g_hash_table_unref);
    g_clear_pointer(&found->problems, g_ptr_array_unref);
}

/* --- one file ------------------------------------------------------------------------------------
 */

/* "path: cannot be read: reason (mode 0600, owner root, group root); ...": what the operator needs.
 */
static char *unreadable_text(const char *path, int error)
{
    struct stat status;
    if (error != EACCES || stat(path, &status) != 0)
        return g_strdup_printf("%s: cannot be read: %s", path, g_strerror(error));
    const struct passwd *user = getpwuid(status.st_uid);
    const struct group *group = getgrgid(status.st_gid);
    return g_strdup_printf("%s: cannot be read: %s (mode %04o, owner %s, group %s); try: "
                           "chown keylime:keylime %s && chmod 440 %s",
                           path, g_strerror(error), (unsigned)(status.st_mode & 07777),
                           user ? user->pw_name : "unknown", group ? group->gr_name : "unknown",
                           path, path);
}

/* What `fd` is, where it cannot be read as a file: NULL = it can. /dev/null is an empty one; a pipe
 * could not be read again at SIGHUP, and would keep the program waiting. */
static const char *kind_problem(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return g_strerror(errno);
    bool null = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
    if (null || S_ISREG(status.st_mode))
        return NULL;
    return S_ISDIR(status.st_mode) ? g_strerror(EISDIR) : "it is no regular file";
}

/* Whole file; NULL and a problem when it cannot be read. */
static GByteArray *read_file(const char *path, GPtrArray *problems)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        g_ptr_array_add(problems, unreadable_text(path, errno));
        return NULL;
    }
    const char *problem = kind_problem(fd);
    if (problem) {
        close(fd);
        g_ptr_array_add(problems, g_strdup_printf("%s: cannot be read: %s", path, problem));
        return NULL;
    }
    g_autoptr(GByteArray) content = g_byte_array_new();
    ssize_t size = 1;
    while (size > 0 && content->len <= MAX_FILE_SIZE) {
        uint8_t block[65536];
        size = read(fd, block, sizeof block);
        if (size > 0)
            g_byte_array_append(content, block, (guint)size);
    }
    int error = errno;
    close(fd);
    if (size < 0) {
        g_ptr_array_add(problems, unreadable_text(path, error));
        return NULL;
    }
    if (content->len > MAX_FILE_SIZE) {
        g_ptr_array_add(problems, g_strdup_printf("%s: larger than 16 MiB: not read", path));
        return NULL;
    }
    return g_steal_pointer(&content);
}

static FoundOption *add_option(FoundOptions *out, const char *section, const char *name,
                               RawKind kind, const char *text)
{
    FoundOption *found = g_new0(FoundOption, 1);
    found->section = g_strdup(section);
    found->name = g_strdup(name);
    found->value = (RawValue){.kind = kind, .text = g_strdup(text)};
    g_ptr_array_add(out->options, found);
    return found;
}

static void take_ini(const char *path, Bytes text, FoundOptions *out)
{
    g_auto(IniFile) file = {0};
    ini_parse(text, &file);
    for (guint i = 0; i < file.problems->len; i++)
        g_ptr_array_add(out->problems,
                        g_strdup_printf("%s:%s", path, (char *)file.problems->pdata[i]));
    for (guint i = 0; i < file.sections->len; i++)
        g_hash_table_add(out->sections, g_strdup(file.sections->pdata[i]));
    for (guint i = 0; i < file.entries->len; i++) {
        const IniEntry *entry = file.entries->pdata[i];
        FoundOption *found = add_option(out, entry->section, entry->name, RAW_INI, entry->value);
        found->value.source = g_strdup_printf("%s:%u", path, entry->line);
    }
}

static void take_toml(const char *path, Bytes text, FoundOptions *out)
{
    static const RawKind kinds[] = {
        [TOML_TEXT] = RAW_TOML_TEXT, [TOML_INT] = RAW_TOML_INT,   [TOML_REAL] = RAW_TOML_REAL,
        [TOML_BOOL] = RAW_TOML_BOOL, [TOML_LIST] = RAW_TOML_LIST, [TOML_OTHER] = RAW_TOML_OTHER,
    };
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) entries = toml_read(text.data, text.size, &problem);
    if (!entries) {
        g_ptr_array_add(out->problems, g_strdup_printf("%s:%s", path, problem));
        return;
    }
    for (guint i = 0; i < entries->len; i++) {
        const TomlEntry *entry = entries->pdata[i];
        FoundOption *found =
            add_option(out, entry->table, entry->name, kinds[entry->type], entry->text);
        found->value.list = g_strdupv(entry->list);
        found->value.source = g_strdup_printf("%s:%u:%u", path, entry->line, entry->column);
    }
}

static void take_file(const ConfigSchema *schema, const char *path, FoundOptions *out)
{
    g_autoptr(GByteArray) content = read_file(path, out->problems);
    if (!content)
        return;
    log_info("Reading configuration from ['%s']", path);
    if (schema->format == CONFIG_INI)
        take_ini(path, bytes_of_array(content), out);
    else
        take_toml(path, bytes_of_array(content), out);
}

/* --- which files ---------------------------------------------------------------------------------
 */

/* The base file if it exists. True: this place counts, also when the file turned out unreadable. */
static bool take_base(const ConfigSchema *schema, const char *root, FoundOptions *out)
{
    g_autofree char *path = g_strdup_printf("%s/keylime/%s.conf", root, schema->component);
    struct stat status;
    if (stat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return false;
    take_file(schema, path, out);
    return true;
}

/* Editors and package managers leave these beside the file that counts (decision D110). */
static bool is_leftover(const char *name)
{
    static const char *const endings[] = {
        "~",        ".bak",    ".bkp",      ".orig",     ".rej",       ".swp", ".rpmsave",
        ".rpmorig", ".rpmnew", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".tmp", NULL,
    };
    if (*name == '.' || *name == '#')
        return true;
    for (guint i = 0; endings[i]; i++) {
        if (g_str_has_suffix(name, endings[i]))
            return true;
    }
    return false;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_snippet(const ConfigSchema *schema, const char *directory, const char *name,
                         FoundOptions *out)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    struct stat status;
    bool found = stat(path, &status) == 0;
    if (!found && errno != ENOENT) {
        g_ptr_array_add(out->problems, unreadable_text(path, errno));
    } else if (is_leftover(name)) {
        log_warning("Configuration file %s skipped: it looks like a back-up or hidden file", path);
    } else if (!found) {
        log_warning("Configuration file %s skipped: it is a link to nowhere", path);
    } else if (S_ISREG(status.st_mode)) {
        take_file(schema, path, out);
    }
}

/* All snippets of one directory in plain byte order of their names, which is code-point order. */
static void take_snippets(const ConfigSchema *schema, const char *root, FoundOptions *out)
{
    g_autofree char *path = g_strdup_printf("%s/keylime/%s.conf.d", root, schema->component);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &error);
    if (!directory) {
        bool absent = g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
                      g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
        if (!absent)
            g_ptr_array_add(out->problems,
                            g_strdup_printf("%s: cannot be read: %s", path, error->message));
        return;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name = g_dir_read_name(directory); name; name = g_dir_read_name(directory))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++)
        take_snippet(schema, path, names->pdata[i], out);
}

static char *component_upper(const ConfigSchema *schema)
{
    return g_ascii_strup(schema->component, -1);
}

/* The file that replaces all others, or NULL. */
static const char *replacement_file(const ConfigSchema *schema)
{
    g_autofree char *upper = component_upper(schema);
    g_autofree char *name = g_strdup_printf("KEYLIME_%s_CONFIG", upper);
    const char *path = g_getenv(name);
    return path && *path ? path : NULL;
}

void sources_read_files(const ConfigSchema *schema, const ConfigRoots *roots, FoundOptions *out)
{
    out->options = g_ptr_array_new_with_free_func(found_option_free);
    out->sections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    out->problems = g_ptr_array_new_with_free_func(g_free);

    /* Named but missing stops the program, too: the operator meant that file, and a server that
     * falls back to other settings than the intended ones is what decision D109 rules out. */
    const char *replacement = replacement_file(schema);
    if (replacement) {
        take_file(schema, replacement, out);
    } else if (schema->format == CONFIG_INI) {
        if (!take_base(schema, roots->etc, out))
            take_base(schema, roots->usr_etc, out);
        take_snippets(schema, roots->usr_etc, out);
        take_snippets(schema, roots->etc, out);
    } else {
        take_base(schema, roots->usr_etc, out);
        take_snippets(schema, roots->usr_etc, out);
        take_base(schema, roots->etc, out);
        take_snippets(schema, roots->etc, out);
    }
}

/* --- environment ---------------------------------------------------------------------------------
 */

char *sources_variable_name(const ConfigSchema *schema, const Option *option)
{
    g_autofree char *plain =
        strcmp(option->section, schema->component) == 0
            ? g_strdup_printf("KEYLIME_%s_%s", schema->component, option->name)
            : g_strdup_printf("KEYLIME_%s_%s_%s", schema->component, option->section, option->name);
    return g_ascii_strup(plain, -1);
}

static bool is_option_variable(const ConfigSchema *schema, const char *variable)
{
    for (const Option *option = schema->options; option->name; option++) {
        g_autofree char *known = sources_variable_name(schema, option);
        if (strcmp(known, variable) == 0)
            return true;
    }
    return false;
}

void sources_warn_unknown_variables(const ConfigSchema *schema)
{
    g_autofree char *upper = component_upper(schema);
    g_autofree char *prefix = g_strdup_printf("KEYLIME_%s_", upper);
    g_autofree char *reserved = g_strdup_printf("%sCONFIG", prefix);
    g_auto(GStrv) names = g_listenv();
    for (guint i = 0; names[i]; i++) {
        if (g_str_has_prefix(names[i], prefix) && strcmp(names[i], reserved) != 0 &&
            !is_option_variable(schema, names[i]))
            log_warning("Environment variable %s names no option of %s: ignored", names[i],
                        schema->component);
    }
}
