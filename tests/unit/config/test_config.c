/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are read in which order, what beats what, and what is said about it. */
#include "base/log.h"
#include "config/loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include <cmocka.h>

static const char *const modes[] = {"push", "pull", NULL};
static const Option server_options[] = {
    {"verifier", "mode", OPTION_WORD, "push", "Mode.", .words = modes},
    {"verifier", "port", OPTION_INT, "8881", "Port.", 1, 65535, .flag = "port"},
    {"verifier", "uuid", OPTION_TEXT, "default", "Name."},
    {"verifier", "interval", OPTION_REAL, "2", "Seconds."},
    {"verifier", "wait", OPTION_BOOL, "True", "Whether."},
    {"verifier", "names", OPTION_LIST, "['a', 'b']", "Names."},
    {"verifier", "password", OPTION_TEXT, "", "Password.", .secret = true},
    {"verifier", "num_workers", OPTION_INT, "0", "None.", .dead = true},
    {"verifier", "nothing", OPTION_INT, NULL, "Absent by default."},
    {"revocations", "webhook_url", OPTION_TEXT, "", "Where to."},
    {0},
};
static const ConfigSchema server = {"verifier", CONFIG_INI, server_options, "keylime_verifier",
                                    "Test."};

static const Option agent_options[] = {
    {"agent", "keylime_dir", OPTION_TEXT, "/var/lib/keylime", "Directory."},
    {"agent", "uuid", OPTION_TEXT, "d432", "Name."},
    {"agent", "verifier_url", OPTION_TEXT, "https://localhost:8881", "URL.",
     .flag = "verifier-url"},
    {"agent", "registrar_port", OPTION_INT, "8890", "Port.", 1, 65535},
    {"agent", "registrar_tls_enabled", OPTION_BOOL, "false", "TLS."},
    {"agent", "api_versions", OPTION_LIST, "3.0", "Versions."},
    {"agent", "words", OPTION_LIST, "[default, 2.6]", "Bare words."},
    {"agent", "server_key", OPTION_TEXT, "", "Key.", .pull_only = true},
    {0},
};
static const ConfigSchema agent = {"agent", CONFIG_TOML, agent_options, "keylime_push_model_agent",
                                   "Test."};

/* A directory with etc/ and usr/etc/, and the log of the load. */
typedef struct {
    char *root, *etc, *usr_etc, *log_path;
    int log;
} Place;

static int set_up(void **state)
{
    Place *place = g_new0(Place, 1);
    place->root = g_dir_make_tmp("keylime-config-XXXXXX", NULL);
    place->etc = g_build_filename(place->root, "etc", NULL);
    place->usr_etc = g_build_filename(place->root, "usr/etc", NULL);
    place->log_path = g_build_filename(place->root, "log", NULL);
    place->log = open(place->log_path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    log_open(place->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    *state = place;
    return place->log < 0;
}

static void remove_tree(const char *path)
{
    GDir *directory = g_dir_open(path, 0, NULL);
    for (const char *name = directory ? g_dir_read_name(directory) : NULL; name;
         name = g_dir_read_name(directory)) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
    }
    if (directory)
        g_dir_close(directory);
    g_remove(path);
}

static int tear_down(void **state)
{
    Place *place = *state;
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    close(place->log);
    remove_tree(place->root);
    g_free(place->root);
    g_free(place->etc);
    g_free(place->usr_etc);
    g_free(place->log_path);
    g_free(place);
    return 0;
}

/* `path` is below the place's root. */
static char *put(const Place *place, const char *path, const char *content)
{
    char *whole = g_build_filename(place->root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(whole);
    assert_int_equal(g_mkdir_with_parents(directory, 0755), 0);
    assert_true(g_file_set_contents(whole, content, -1, NULL));
    return whole;
}

#define PUT(place, path, content) g_free(put(place, path, content))

static Config *load(const Place *place, const ConfigSchema *schema, const ConfigOverride *overrides,
                    GError **error)
{
    ConfigRoots roots = {place->etc, place->usr_etc};
    return config_load_from(schema, &roots, overrides, error);
}

static Config *load_good(const Place *place, const ConfigSchema *schema)
{
    g_autoptr(GError) error = NULL;
    Config *config = load(place, schema, NULL, &error);
    if (!config)
        fail_msg("%s", error->message);
    return config;
}

static void assert_refused(const Place *place, const ConfigSchema *schema, const char *part)
{
    g_autoptr(GError) error = NULL;
    assert_null(load(place, schema, NULL, &error));
    assert_true(g_error_matches(error, CONFIG_ERROR, CONFIG_ERROR_VALUE));
    if (!strstr(error->message, part))
        fail_msg("'%s' lacks '%s'", error->message, part);
}

/* How often the log holds `part`. */
static int logged(const Place *place, const char *part)
{
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(place->log_path, &text, NULL, NULL));
    g_auto(GStrv) pieces = g_strsplit(text, part, -1);
    return (int)g_strv_length(pieces) - 1;
}

static void test_defaults_without_files(void **state)
{
    g_autoptr(Config) config = load_good(*state, &server);
    assert_string_equal(config_text(config, NULL, "mode"), "push");
    assert_int_equal(config_int(config, NULL, "port"), 8881);
    assert_true(config_real(config, NULL, "interval") == 2.0);
    assert_true(config_bool(config, NULL, "wait"));
    assert_string_equal(config_list(config, NULL, "names")[1], "b");
    assert_null(config_list(config, NULL, "names")[2]);
    assert_int_equal(config_int(config, NULL, "nothing"), -1);
    assert_string_equal(config_text(config, "revocations", "webhook_url"), "");
    assert_false(config_is_set(config, NULL, "mode"));
    assert_string_equal(config_source(config, NULL, "mode"), "built-in");
}

/* /etc's base file hides that of /usr/etc; snippets of both count, /etc's last. */
static void test_order_of_server_files(void **state)
{
    Place *place = *state;
    PUT(place, "usr/etc/keylime/verifier.conf", "[verifier]\nport = 1\nuuid = usr-base\n");
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 2\ninterval = 2\n");
    PUT(place, "usr/etc/keylime/verifier.conf.d/900.conf", "[verifier]\nport=3\ninterval=3\n");
    PUT(place, "etc/keylime/verifier.conf.d/10.conf", "[verifier]\nport = 10\n");
    g_autofree char *last =
        put(place, "etc/keylime/verifier.conf.d/9.conf", "[verifier]\n\nport = 9\n");
    g_autoptr(Config) config = load_good(place, &server);
    assert_int_equal(config_int(config, NULL, "port"), 9);
    assert_true(config_real(config, NULL, "interval") == 3.0);
    assert_string_equal(config_text(config, NULL, "uuid"), "default");
    g_autofree char *source = g_strdup_printf("%s:3", last);
    assert_string_equal(config_source(config, NULL, "port"), source);
    assert_true(config_is_set(config, NULL, "port"));
}

static void test_vendor_base_and_snippets_without_base(void **state)
{
    Place *place = *state;
    PUT(place, "usr/etc/keylime/verifier.conf", "[verifier]\nuuid = vendor\n");
    g_autoptr(Config) vendor = load_good(place, &server);
    assert_string_equal(config_text(vendor, NULL, "uuid"), "vendor");
    remove_tree(place->usr_etc);
    PUT(place, "etc/keylime/verifier.conf.d/001-push-mode.conf",
        "# push\n[verifier]\nmode = pull\n");
    g_autoptr(Config) config = load_good(place, &server);
    assert_string_equal(config_text(config, NULL, "mode"), "pull");
}

/* The agent reads both base files, each below its snippets. */
static void test_order_of_agent_files(void **state)
{
    Place *place = *state;
    PUT(place, "usr/etc/keylime/agent.conf", "[agent]\nuuid = '1'\nregistrar_port = 1\n");
    PUT(place, "usr/etc/keylime/agent.conf.d/x",
        "[agent]\nuuid = '2'\nregistrar_port = 2\n"
        "registrar_tls_enabled = true\n");
    PUT(place, "etc/keylime/agent.conf", "[agent]\nuuid = '3'\nregistrar_port = 3\n");
    PUT(place, "etc/keylime/agent.conf.d/x", "[agent]\nuuid = '4'\n");
    g_autoptr(Config) config = load_good(place, &agent);
    assert_string_equal(config_text(config, NULL, "uuid"), "4");
    assert_int_equal(config_int(config, NULL, "registrar_port"), 3);
    assert_true(config_bool(config, NULL, "registrar_tls_enabled"));
    g_autofree char *source = g_strdup_printf("%s/keylime/agent.conf:3:18", place->etc);
    assert_string_equal(config_source(config, NULL, "registrar_port"), source);
}

/* Decision D110. */
static void test_leftovers_are_skipped_and_told(void **state)
{
    Place *place = *state;
    static const char *const names[] = {".hidden",    "#x#",         "x~",       "x.bak",
                                        "x.bkp",      "x.orig",      "x.rej",    "x.swp",
                                        "x.rpmsave",  "x.rpmorig",   "x.rpmnew", "x.dpkg-old",
                                        "x.dpkg-new", "x.dpkg-dist", "x.tmp"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strdup_printf("etc/keylime/verifier.conf.d/%s", names[i]);
        PUT(place, path, "[verifier]\nport = 77\n");
    }
    PUT(place, "etc/keylime/verifier.conf.d/sub/x.conf", "[verifier]\nport = 77\n");
    g_autofree char *link = g_build_filename(place->etc, "keylime/verifier.conf.d/to", NULL);
    g_autofree char *target = put(place, "elsewhere", "[verifier]\nuuid = linked\n");
    assert_int_equal(symlink(target, link), 0);
    g_autoptr(Config) config = load_good(place, &server);
    assert_int_equal(config_int(config, NULL, "port"), 8881);
    assert_string_equal(config_text(config, NULL, "uuid"), "linked");
    assert_int_equal(logged(place, " - WARNING - "), (int)G_N_ELEMENTS(names));
}

static void test_replacement_file(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 1\n");
    PUT(place, "etc/keylime/verifier.conf.d/x", "[verifier]\nport = 2\n");
    g_autofree char *path = put(place, "mine", "[verifier]\nuuid = mine\n");
    g_setenv("KEYLIME_VERIFIER_CONFIG", path, TRUE);
    g_autoptr(Config) config = load_good(place, &server);
    assert_int_equal(config_int(config, NULL, "port"), 8881);
    assert_string_equal(config_text(config, NULL, "uuid"), "mine");
    g_setenv("KEYLIME_VERIFIER_CONFIG", "/nonexistent/x", TRUE);
    assert_refused(place, &server, "/nonexistent/x: cannot be read: No such file");
    g_setenv("KEYLIME_VERIFIER_CONFIG", "", TRUE);
    g_autoptr(Config) files = load_good(place, &server);
    assert_int_equal(config_int(files, NULL, "port"), 2);
    g_unsetenv("KEYLIME_VERIFIER_CONFIG");
}

static void test_environment_beats_files(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nmode = pull\npassword = x\n");
    g_setenv("KEYLIME_VERIFIER_MODE", "push", TRUE);
    g_setenv("KEYLIME_VERIFIER_REVOCATIONS_WEBHOOK_URL", "\"https://h/\"", TRUE);
    g_setenv("KEYLIME_VERIFIER_PASSWORD", "", TRUE);
    g_setenv("KEYLIME_VERIFIER_MOED", "push", TRUE);
    g_autoptr(Config) config = load_good(place, &server);
    assert_string_equal(config_text(config, NULL, "mode"), "push");
    assert_string_equal(config_source(config, NULL, "mode"), "KEYLIME_VERIFIER_MODE");
    assert_string_equal(config_text(config, "revocations", "webhook_url"), "https://h/");
    assert_string_equal(config_text(config, NULL, "password"), "");
    assert_int_equal(logged(place, "was overridden by environment variable"), 3);
    assert_int_equal(logged(place, "variable KEYLIME_VERIFIER_MOED names no option"), 1);
    g_setenv("KEYLIME_VERIFIER_MODE", "pish", TRUE);
    assert_refused(place, &server,
                   "KEYLIME_VERIFIER_MODE: [verifier] mode = 'pish': must be one of: push, pull");
    g_unsetenv("KEYLIME_VERIFIER_MODE");
    g_unsetenv("KEYLIME_VERIFIER_MOED");
    g_unsetenv("KEYLIME_VERIFIER_PASSWORD");
    g_unsetenv("KEYLIME_VERIFIER_REVOCATIONS_WEBHOOK_URL");
}

static void test_command_line_beats_all(void **state)
{
    Place *place = *state;
    ConfigOverride overrides[] = {{"port", "3", "--port"}, {NULL, NULL, NULL}};
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 1\n");
    g_setenv("KEYLIME_VERIFIER_PORT", "2", TRUE);
    g_autoptr(Config) config = load(place, &server, overrides, NULL);
    assert_int_equal(config_int(config, NULL, "port"), 3);
    assert_string_equal(config_source(config, NULL, "port"), "--port");
    overrides[0].value = "0";
    g_autoptr(GError) error = NULL;
    assert_null(load(place, &server, overrides, &error));
    assert_true(g_error_matches(error, CONFIG_ERROR, CONFIG_ERROR_USAGE));
    assert_string_equal(error->message, "--port '0': must be a whole number from 1 to 65535");
    g_unsetenv("KEYLIME_VERIFIER_PORT");
}

/* One run tells all (contract U4). A value that another source replaces is no problem. */
static void test_all_problems_are_collected(void **state)
{
    Place *place = *state;
    g_autofree char *path = put(place, "etc/keylime/verifier.conf",
                                "[verifier]\nport =\nmode = pish\nwait = maybe\ninterval = x\n");
    PUT(place, "etc/keylime/verifier.conf.d/x", "[verifier]\nmode = push\n");
    g_autoptr(GError) error = NULL;
    assert_null(load(place, &server, NULL, &error));
    g_autofree char *expected = g_strdup_printf(
        "%s:2: [verifier] port = '': must be a whole number from 1 to 65535\n"
        "%s:5: [verifier] interval = 'x': must be a number\n"
        "%s:4: [verifier] wait = 'maybe': must be true, yes, on, 1, or false, no, off, 0",
        path, path, path);
    assert_string_equal(error->message, expected);
}

/* Decision D109: whatever exists must be readable and well formed. */
/* "names must hold uuid", where both are usable. */
static void check_names(const Config *config, GPtrArray *problems)
{
    const char *uuid = config_text(config, NULL, "uuid");
    const char *const *names = config_list(config, NULL, "names");
    if (!config_was_refused(config, NULL, "names") && !g_strv_contains(names, uuid))
        config_add_problem(config, problems, NULL, "uuid", "must be one of names");
    if (config_int(config, NULL, "port") == 8881)
        config_add_problem(config, problems, NULL, "password", "must not go with port 8881");
}

/* A rule between options is judged with the options' own problems, in one run. */
static void test_rules_between_options(void **state)
{
    Place *place = *state;
    ConfigSchema schema = server;
    schema.check = check_names;
    g_autofree char *path = put(place, "etc/keylime/verifier.conf",
                                "[verifier]\nport = 0\nuuid = c\npassword = hush\n");
    g_autofree char *expected =
        g_strdup_printf("%s:2: [verifier] port = '0': must be a whole number from 1 to 65535\n"
                        "%s:3: [verifier] uuid = 'c': must be one of names\n"
                        "%s:4: [verifier] password = '(secret)': must not go with port 8881",
                        path, path, path);
    g_autoptr(GError) error = NULL;
    assert_null(load(place, &schema, NULL, &error));
    assert_string_equal(error->message, expected);

    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 7\nuuid = c\nnames = [\n");
    g_clear_error(&error);
    assert_null(load(place, &schema, NULL, &error));
    assert_null(strstr(error->message, "uuid"));

    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 7\nuuid = a\n");
    g_autoptr(Config) config = load_good(place, &schema);
    assert_string_equal(config_text(config, NULL, "uuid"), "a");
}

static void test_dev_null_is_an_empty_file(void **state)
{
    Place *place = *state;
    PUT(place, "usr/etc/keylime/verifier.conf", "[verifier]\nport = 2\n");
    g_autofree char *directory = g_build_filename(place->etc, "keylime", NULL);
    g_autofree char *base = g_build_filename(directory, "verifier.conf", NULL);
    assert_int_equal(g_mkdir_with_parents(directory, 0755), 0);
    assert_int_equal(symlink("/dev/null", base), 0);
    g_autoptr(Config) config = load_good(place, &server);
    assert_false(config_is_set(config, NULL, "port"));
}

static void test_unusable_files(void **state)
{
    Place *place = *state;
    g_autofree char *snippet =
        put(place, "etc/keylime/verifier.conf.d/001-push-mode.conf", "[verifier]\nmode push\n");
    assert_refused(place, &server, "001-push-mode.conf:2: 'mode push' is neither");
    g_remove(snippet);
    PUT(place, "etc/keylime/agent.conf", "[agent]\nuuid = abc\n");
    assert_refused(place, &agent, "agent.conf:2:8: ");
    g_autofree char *base = g_build_filename(place->etc, "keylime/verifier.conf", NULL);
    assert_int_equal(g_mkdir(base, 0700), 0);
    assert_refused(place, &server, "verifier.conf: cannot be read: Is a directory");
    g_rmdir(base);
    assert_int_equal(mkfifo(base, 0600), 0);
    assert_refused(place, &server, "verifier.conf: cannot be read: it is no regular file");
    g_remove(base);
    assert_int_equal(symlink(base, base), 0);
    assert_refused(place, &server, "verifier.conf: cannot be read: Too many levels");
}

static void test_unreadable_file(void **state)
{
    Place *place = *state;
    g_autofree char *snippet =
        put(place, "etc/keylime/verifier.conf.d/001-push-mode.conf", "[verifier]\n");
    assert_int_equal(chmod(snippet, 0), 0);
    assert_int_equal(chmod(place->root, 0755), 0);
    bool is_root = geteuid() == 0;
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    assert_refused(place, &server, "cannot be read: Permission denied (mode 0000, owner ");
    if (is_root)
        assert_int_equal(seteuid(0), 0);
}

static void test_unknown_and_dead_options(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/verifier.conf",
        "[verifier]\nversion = 2.5\nmoed = push\nnum_workers = junk\n[other]\nx = 1\n"
        "[DEFAULT]\nfoo = 1\nport = 5\n");
    PUT(place, "etc/keylime/verifier.conf.d/x", "[verifier]\nmoed = push\n");
    g_autoptr(Config) config = load_good(place, &server);
    assert_int_equal(logged(place, "verifier.conf:3: unknown option 'moed' in [verifier]"), 1);
    assert_int_equal(logged(place, "unknown option"), 3);
    assert_int_equal(logged(place, "verifier.conf:4: option 'num_workers' in [verifier] has no "
                                   "effect"),
                     1);
    assert_int_equal(config_int(config, NULL, "port"), 5);
}

/* [DEFAULT] speaks for sections that exist, and loses to what a section says in any file. */
static void test_default_section(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\nport = 1\n");
    PUT(place, "etc/keylime/verifier.conf.d/x",
        "[DEFAULT]\nport = 2\nuuid = inherited\nwebhook_url = https://h/\n");
    g_autoptr(Config) config = load_good(place, &server);
    assert_int_equal(config_int(config, NULL, "port"), 1);
    assert_string_equal(config_text(config, NULL, "uuid"), "inherited");
    assert_string_equal(config_text(config, "revocations", "webhook_url"), "");
}

/* Contract C28. */
static void test_agent_options_outside_their_table(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/agent.conf", "uuid = 'x'\n[agent]\n[other]\nfoo = 1\n");
    assert_refused(place, &agent,
                   "agent.conf:1:8: option 'uuid' stands before any table: it must be in [agent]");
    PUT(place, "etc/keylime/agent.conf", "[other]\nfoo = 1\nserver_key = 'x'\nuuid = 'x'\n");
    assert_refused(place, &agent,
                   "agent.conf:4:8: option 'uuid' stands in [other]: it must be in "
                   "[agent]");
    PUT(place, "etc/keylime/agent.conf", "[agent]\n[agent.uuid]\nfoo = 1\n");
    assert_refused(place, &agent, "agent.conf:2:1: [agent] uuid = '{...}'");
    PUT(place, "etc/keylime/agent.conf", "[agent.uuid]\n");
    assert_refused(place, &agent, "agent.conf:1:1: [agent] uuid = '{...}'");
    PUT(place, "etc/keylime/agent.conf", "[other]\nfoo = 1\n[agent]\nserver_key = 5\n");
    g_autoptr(Config) config = load_good(place, &agent);
    assert_int_equal(logged(place, "WARNING"), 0);
}

/* Contract C31, C33. */
static void test_agent_values(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/agent.conf",
        "[agent]\nregistrar_port = \"8891\"\nregistrar_tls_enabled = \"On\"\n"
        "api_versions = \"2.6, 3.0\"\nuuid = \"\"\n");
    g_autoptr(Config) config = load_good(place, &agent);
    assert_int_equal(config_int(config, NULL, "registrar_port"), 8891);
    assert_true(config_bool(config, NULL, "registrar_tls_enabled"));
    assert_string_equal(config_list(config, NULL, "api_versions")[1], "3.0");
    assert_string_equal(config_text(config, NULL, "uuid"), "d432");
    assert_false(config_is_set(config, NULL, "uuid"));
    assert_int_equal(
        logged(place, "Empty string provided in configuration option uuid, using default d432"), 1);

    g_setenv("KEYLIME_AGENT_REGISTRAR_PORT", "", TRUE);
    g_setenv("KEYLIME_AGENT_REGISTRAR_TLS_ENABLED", "", TRUE);
    assert_refused(place, &agent, "KEYLIME_AGENT_REGISTRAR_PORT: [agent] registrar_port = ''");
    assert_refused(place, &agent, "KEYLIME_AGENT_REGISTRAR_TLS_ENABLED: ");
    g_unsetenv("KEYLIME_AGENT_REGISTRAR_PORT");
    g_unsetenv("KEYLIME_AGENT_REGISTRAR_TLS_ENABLED");
}

/* push-agent §3.2: KEYLIME_DIR beats even the option's own variable. */
static void test_agent_directory(void **state)
{
    g_setenv("KEYLIME_AGENT_KEYLIME_DIR", "/a", TRUE);
    g_autoptr(Config) own = load_good(*state, &agent);
    assert_string_equal(config_text(own, NULL, "keylime_dir"), "/a");
    g_setenv("KEYLIME_DIR", "/b", TRUE);
    g_autoptr(Config) config = load_good(*state, &agent);
    assert_string_equal(config_text(config, NULL, "keylime_dir"), "/b");
    assert_string_equal(config_source(config, NULL, "keylime_dir"), "KEYLIME_DIR");
    assert_string_equal(config_work_dir(), "/b");
    g_unsetenv("KEYLIME_DIR");
    g_unsetenv("KEYLIME_AGENT_KEYLIME_DIR");
    assert_string_equal(config_work_dir(), "/var/lib/keylime");
}

static char *printed(const Config *config, const ConfigSchema *schema)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (config)
        config_print(config, out);
    else
        config_print_example(schema, out);
    fclose(out);
    return text;
}

static void test_print_shows_values_sources_and_no_secret(void **state)
{
    Place *place = *state;
    PUT(place, "etc/keylime/verifier.conf", "[verifier]\npassword = hunter2\nport = 5\n");
    g_autoptr(Config) config = load_good(place, &server);
    char *text = printed(config, NULL);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "password = (set)"));
    assert_non_null(strstr(text, "/etc/keylime/verifier.conf:3\n"));
    assert_non_null(strstr(text, "mode = push  "));
    assert_non_null(strstr(text, "# built-in\n"));
    assert_non_null(strstr(text, "\n[revocations]\n"));
    assert_null(strstr(text, "num_workers"));
    free(text);
}

static void test_secret_is_not_in_messages(void **state)
{
    static const Option options[] = {
        {"verifier", "password", OPTION_INT, "0", "Number.", .secret = true}, {0}};
    ConfigSchema schema = {"verifier", CONFIG_INI, options, "p", "s"};
    PUT(*state, "etc/keylime/verifier.conf", "[verifier]\npassword = hunter2\n");
    assert_refused(*state, &schema, "password = '(secret)': must be a whole number");
}

/* The example without its '#' is a configuration that loads, and changes nothing. */
static void assert_example_loads(Place *place, const ConfigSchema *schema, const char *path)
{
    char *text = printed(NULL, schema);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (lines[i][0] == '#' && g_ascii_isalpha(lines[i][1]))
            lines[i][0] = ' ';
        g_strchug(lines[i]);
    }
    g_autofree char *active = g_strjoinv("\n", lines);
    PUT(place, path, active);
    g_autoptr(Config) config = load_good(place, schema);
    for (size_t i = 0; i < config->count; i++) {
        const Setting *setting = &config->settings[i];
        if (setting->option->default_text && !setting->option->dead && !setting->option->pull_only)
            assert_true(setting->set);
    }
    free(text);
}

static void test_example_configuration(void **state)
{
    static const Option options[] = {
        {"verifier", "port", OPTION_INT, "8881", "Port.", 1, 65535},
        {"verifier", "names", OPTION_LIST, "['a', 'b']", "Names."},
        {"verifier", "wait", OPTION_BOOL, "True", "Whether."},
        {"revocations", "url", OPTION_TEXT, "", "Where to."},
        {0},
    };
    ConfigSchema schema = {"verifier", CONFIG_INI, options, "p", "s"};
    assert_example_loads(*state, &schema, "etc/keylime/verifier.conf");
    assert_example_loads(*state, &agent, "etc/keylime/agent.conf");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults_without_files),
        TEST(test_order_of_server_files),
        TEST(test_vendor_base_and_snippets_without_base),
        TEST(test_order_of_agent_files),
        TEST(test_leftovers_are_skipped_and_told),
        TEST(test_replacement_file),
        TEST(test_environment_beats_files),
        TEST(test_command_line_beats_all),
        TEST(test_all_problems_are_collected),
        TEST(test_rules_between_options),
        TEST(test_dev_null_is_an_empty_file),
        TEST(test_unusable_files),
        TEST(test_unreadable_file),
        TEST(test_unknown_and_dead_options),
        TEST(test_default_section),
        TEST(test_agent_options_outside_their_table),
        TEST(test_agent_values),
        TEST(test_agent_directory),
        TEST(test_print_shows_values_sources_and_no_secret),
        TEST(test_secret_is_not_in_messages),
        TEST(test_example_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
