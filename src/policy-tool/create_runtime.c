/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy create runtime: a policy from what is known of a machine
 * (tenant-and-management-api §11.2).
 */
#include "policy-tool/archive_digests.h"
#include "policy-tool/command.h"
#include "policy-tool/measured_digests.h"
#include "policy-tool/package_repository.h"
#include "policy-tool/tree_digests.h"

#include <string.h>

#define KERNEL_LIST "/sys/kernel/security/ima/ascii_runtime_measurements"
#define DEFAULT_ALGORITHM "sha256"
#define DEFAULT_WORKERS 8
#define MAX_WORKERS 1024

typedef struct {
    CommonOptions common;
    const char *output, *base_policy, *allowlist, *exclude_list, *measurement_list;
    const char *algorithm, *ramdisk_dir, *rootfs, *skip_path, *workers_text;
    const char *local_rpm, *remote_rpm, *local_deb, *remote_deb;
    const char *ignored_keyrings[TOOL_MAX_REPEATS + 1], *keys[TOOL_MAX_REPEATS + 1];
    bool keyrings, buffers, show_allowlist, verbose;
    guint64 workers;
} CreateOptions;

/* What is put together, and what is known of it on the way. */
typedef struct {
    const PolicyCall *call;
    const CreateOptions *options;
    PolicyDocument *document;
    const char *algorithm;        /* of the digests; NULL until something tells */
    const char *algorithm_source; /* what told */
    guint workers;
} Creation;

/* --- the algorithm of the digests ---------------------------------------------------------------
 */

/* All sources must agree: a policy that mixes algorithms fits no machine. */
static bool settle_algorithm(Creation *creation, const char *name, const char *source,
                             GError **error)
{
    if (!name)
        return command_refuse(error, "the digests of the %s are of no known algorithm", source);
    if (!creation->algorithm) {
        creation->algorithm = name;
        creation->algorithm_source = source;
        return true;
    }
    bool same = strcmp(creation->algorithm, name) == 0;
    /* Lengths cannot tell these two apart. */
    bool either = strcmp(creation->algorithm, "sm3_256") == 0 && strcmp(name, "sha256") == 0;
    return same || either ||
           command_refuse(error, "the digests of the %s are %s, those of the %s %s", source, name,
                          creation->algorithm_source, creation->algorithm);
}

static size_t first_digest_length(Json *digests)
{
    json_object_object_foreach (digests, name, list) {
        (void)name;
        Json *first =
            json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, 0) : NULL;
        return first ? (size_t)json_object_get_string_len(first) : 0;
    }
    return 0;
}

/* --- the sources, in the order in which they tell the algorithm ---------------------------------
 */

static bool add_base_policy(Creation *creation, GError **error)
{
    const char *path = creation->options->base_policy;
    g_autoptr(GBytes) text = path ? command_read(path, error) : NULL;
    if (!text)
        return path == NULL;
    g_autoptr(RuntimePolicy) checked =
        runtime_policy_parse(bytes_of_gbytes(text), &runtime_policy_rules_default, error);
    g_autoptr(Json) policy = checked ? runtime_policy_readable(bytes_of_gbytes(text), error) : NULL;
    if (policy && dsse_is_envelope(policy))
        return command_refuse(error, "%s: is signed: give the policy inside of it", path);
    if (!policy) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    policy_document_add_policy(creation->document, policy);
    Json *digests = json_member(policy, "digests");
    return json_object_object_length(digests) == 0 ||
           settle_algorithm(creation, file_digest_name_of_length(first_digest_length(digests)),
                            "base policy", error);
}

static bool add_allowlist(Creation *creation, GError **error)
{
    const char *path = creation->options->allowlist;
    g_autoptr(GBytes) text = path ? command_read(path, error) : NULL;
    if (!text)
        return path == NULL;
    g_autoptr(PolicyDocument) alone = policy_document_new();
    if (!allowlist_digests_add(bytes_of_gbytes(text), alone, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    g_autofree char *lines = policy_document_allowlist(alone);
    if (*lines && !settle_algorithm(creation, file_digest_name_of_length(strcspn(lines, " ")),
                                    "allow list", error))
        return false;
    return allowlist_digests_add(bytes_of_gbytes(text), creation->document, error);
}

static bool add_measurement_list(Creation *creation, GError **error)
{
    const CreateOptions *options = creation->options;
    const char *path = options->measurement_list;
    g_autoptr(GBytes) text = path ? command_read(path, error) : NULL;
    if (!text)
        return path == NULL;
    Bytes list = bytes_of_gbytes(text);
    size_t length = measured_digest_length(list);
    if (length > 0 &&
        !settle_algorithm(creation, file_digest_name_of_length(length), "measurement list", error))
        return false;
    MeasuredSettings settings = {options->keyrings, options->buffers, options->ignored_keyrings};
    measured_digests_add(list, &settings, creation->document);
    return true;
}

static const EVP_MD *digest_algorithm(const Creation *creation)
{
    return file_digest_algorithm(creation->algorithm ? creation->algorithm : DEFAULT_ALGORITHM);
}

static bool add_rootfs(Creation *creation, GError **error)
{
    const CreateOptions *options = creation->options;
    if (!options->rootfs)
        return true;
    g_auto(GStrv) skipped = g_strsplit(options->skip_path ? options->skip_path : "", ",", -1);
    TreeSettings settings = {.root = options->rootfs,
                             .skipped = (const char *const *)skipped,
                             .algorithm = digest_algorithm(creation),
                             .workers = creation->workers};
    return tree_digests_add(&settings, creation->document, error);
}

static bool add_ramdisk(const char *path, PolicyDocument *document, const EVP_MD *algorithm,
                        gpointer unused, GError **error)
{
    g_autoptr(GBytes) image = command_read(path, error);
    return image && ramdisk_digests_add(bytes_of_gbytes(image), path, algorithm, document, error);
}

/* Files whose names begin with "initr" in one folder. */
static bool add_ramdisks(Creation *creation, GError **error)
{
    const char *folder = creation->options->ramdisk_dir;
    g_autoptr(GDir) directory = folder ? g_dir_open(folder, 0, error) : NULL;
    if (!directory)
        return folder == NULL;
    FileWork *work = file_work_new("initial RAM disks", add_ramdisk, creation->document,
                                   digest_algorithm(creation), NULL, creation->workers);
    for (const char *name; (name = g_dir_read_name(directory));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_prefix(name, "initr") && g_file_test(path, G_FILE_TEST_IS_REGULAR))
            file_work_add(work, path);
    }
    guint failed = file_work_finish(work);
    return failed == 0 ||
           command_refuse(error, "%u initial RAM disks could not be unpacked", failed);
}

static bool add_repositories(Creation *creation, GError **error)
{
    const CreateOptions *options = creation->options;
    PackageSettings settings = {digest_algorithm(creation), creation->workers};
    PolicyDocument *document = creation->document;
    return (!options->local_rpm ||
            package_folder_add(options->local_rpm, ".rpm", &settings, document, error)) &&
           (!options->local_deb ||
            package_folder_add(options->local_deb, ".deb", &settings, document, error)) &&
           (!options->remote_rpm ||
            rpm_repository_add(options->remote_rpm, &settings, document, error)) &&
           (!options->remote_deb ||
            deb_repository_add(options->remote_deb, &settings, document, error));
}

/* --- the other members --------------------------------------------------------------------------
 */

/* Each line is a pattern, "#" lines too; blank ones are none. */
static bool add_excludes(Creation *creation, GError **error)
{
    const char *path = creation->options->exclude_list;
    g_autoptr(GBytes) content = path ? command_read(path, error) : NULL;
    if (!content)
        return path == NULL;
    Bytes bytes = bytes_of_gbytes(content);
    g_autofree char *text = g_strndup((const char *)bytes.data, bytes.size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_autoptr(GError) reason = NULL;
        Bytes pattern = bytes_of_text(g_strstrip(lines[i]));
        if (pattern.size == 0)
            continue;
        g_autoptr(ExcludeList) list = exclude_list_compile(&pattern, 1, NULL, &reason);
        if (!list)
            return command_refuse(error, "%s:%u: %s", path, i + 1, reason->message);
        policy_document_add_exclude(creation->document, lines[i]);
    }
    return true;
}

static bool add_keys(Creation *creation, GError **error)
{
    for (const char *const *path = creation->options->keys; *path; path++) {
        g_autoptr(GBytes) data = command_read(*path, error);
        g_autoptr(ImaKey) key = data ? ima_key_parse(bytes_of_gbytes(data), error) : NULL;
        if (!key) {
            if (data)
                g_prefix_error(error, "%s: ", *path);
            return false;
        }
        policy_document_add_key(creation->document, key);
    }
    return true;
}

static void add_ignored_keyrings(Creation *creation)
{
    for (const char *const *name = creation->options->ignored_keyrings; *name; name++)
        policy_document_ignore_keyring(creation->document, *name);
}

/* --- the result ---------------------------------------------------------------------------------
 */

static Json *sizes_told(const PolicyDocument *document)
{
    Json *told = json_object_new_object();
    json_add_int(told, "paths", policy_document_size(document, RUNTIME_POLICY_DIGESTS));
    json_add_int(told, "keyrings", policy_document_size(document, RUNTIME_POLICY_KEYRINGS));
    json_add_int(told, "buffers", policy_document_size(document, RUNTIME_POLICY_IMA_BUF));
    json_add_int(told, "unnamable", policy_document_unnamable(document));
    return told;
}

static bool write_result(const Creation *creation, GError **error)
{
    const CreateOptions *options = creation->options;
    g_autofree char *timestamp = command_timestamp();
    g_autofree char *text = policy_document_text(creation->document, timestamp);
    g_autoptr(RuntimePolicy) checked =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, error);
    if (!checked) {
        g_prefix_error(error, "what came out is no policy: ");
        return false;
    }
    if (policy_document_unnamable(creation->document) > 0)
        command_note("%u names are no UTF-8 and cannot stand in a policy",
                     policy_document_unnamable(creation->document));
    if (options->verbose)
        command_note("%u paths, %u keyrings, %u buffers",
                     policy_document_size(creation->document, RUNTIME_POLICY_DIGESTS),
                     policy_document_size(creation->document, RUNTIME_POLICY_KEYRINGS),
                     policy_document_size(creation->document, RUNTIME_POLICY_IMA_BUF));
    g_autofree char *lines =
        options->show_allowlist ? policy_document_allowlist(creation->document) : NULL;
    return command_write_result(creation->call, options->output,
                                bytes_of_text(lines ? lines : text), sizes_told(creation->document),
                                error);
}

static bool create(const PolicyCall *call, const CreateOptions *options, GError **error)
{
    g_autoptr(PolicyDocument) document = policy_document_new();
    Creation creation = {.call = call,
                         .options = options,
                         .document = document,
                         .algorithm = options->algorithm,
                         .algorithm_source = "option --algo",
                         .workers = (guint)options->workers};
    if (!add_base_policy(&creation, error) || !add_allowlist(&creation, error) ||
        !add_measurement_list(&creation, error))
        return false;
    if (options->verbose)
        command_note("digests are %s", creation.algorithm ? creation.algorithm : DEFAULT_ALGORITHM);
    if (!add_repositories(&creation, error) || !add_ramdisks(&creation, error) ||
        !add_rootfs(&creation, error) || !add_excludes(&creation, error) ||
        !add_keys(&creation, error))
        return false;
    add_ignored_keyrings(&creation);
    return write_result(&creation, error);
}

/* What the options say one by one; the reason, or NULL. */
static const char *wrong_usage(CreateOptions *options)
{
    if (options->algorithm && !file_digest_algorithm(options->algorithm))
        return "--algo is one of sha1, sha256, sha384, sha512, sm3_256";
    if (options->workers_text && !g_ascii_string_to_unsigned(options->workers_text, 10, 1,
                                                             MAX_WORKERS, &options->workers, NULL))
        return "--max-workers is a number from 1 to 1024";
    if (options->skip_path && !options->rootfs)
        return "--skip-path is about the tree of --rootfs";
    if ((options->keyrings || options->buffers) && !options->measurement_list)
        return "--keyrings and --ima-buf are about the entries of --ima-measurement-list";
    if (options->common.json && options->show_allowlist && !options->output)
        return "--show-legacy-allowlist prints lines, --json one document: give --output";
    return NULL;
}

static int run(PolicyCall *call)
{
    CreateOptions options = {.workers = DEFAULT_WORKERS};
    int status;
    if (!command_parse(call, &options, &status))
        return status;
    const char *wrong = wrong_usage(&options);
    if (wrong)
        return command_fail(call, STATUS_USAGE, "%s", wrong);
    g_autoptr(GError) error = NULL;
    if (!create(call, &options, &error))
        return command_fail(call, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(CreateOptions, TOOL_TEXT, brief_, full_, member_, value_)
#define REPEATED(brief_, full_, member_, value_) TOOL_OPTION(CreateOptions, TOOL_REPEATED, brief_, full_, member_, value_)
#define FLAG(brief_, full_, member_) TOOL_OPTION(CreateOptions, TOOL_FLAG, brief_, full_, member_, NULL)

#define MEASURED "What a machine measured"
#define TREES    "Files and packages"
#define KNOWN    "What is known already"
#define RULES    "Rules"

static const ToolOption options[] = {
    {TOOL_OPTION(CreateOptions, TOOL_OPTIONAL, "-m", "--ima-measurement-list", measurement_list, "FILE"),
     .group = MEASURED, .implied = KERNEL_LIST, .help = "Files that were measured; without FILE, on this machine."},
    {FLAG("-k", "--keyrings", keyrings), .group = MEASURED, .help = "Take keys from the measurement list."},
    {FLAG("-b", "--ima-buf", buffers), .group = MEASURED, .help = "Take other buffers from the measurement list."},

    {TEXT(NULL, "--rootfs", rootfs, "DIR"), .group = TREES,
     .help = "Tree of a machine's files; those of root are taken."},
    {TEXT("-s", "--skip-path", skip_path, "DIRS"), .group = TREES,
     .help = "Directories of the tree that are passed over, with commas between."},
    {TEXT(NULL, "--ramdisk-dir", ramdisk_dir, "DIR"), .group = TREES,
     .help = "Folder with initial RAM disks, files named initr*."},
    {TEXT(NULL, "--local-rpm-repo", local_rpm, "DIR"), .group = TREES,
     .help = "Folder with RPM packages, in folders below it too."},
    {TEXT(NULL, "--remote-rpm-repo", remote_rpm, "URL"), .group = TREES,
     .help = "RPM repository: the folder of repodata/."},
    {TEXT(NULL, "--local-deb-repo", local_deb, "DIR"), .group = TREES,
     .help = "Folder with Debian packages, in folders below it too."},
    {TEXT(NULL, "--remote-deb-repo", remote_deb, "URL"), .group = TREES,
     .help = "Debian repository: the folder of a Packages file, paths in which are below the part of the URL before"
             " /dists/."},
    {TEXT(NULL, "--max-workers", workers_text, "NUMBER"), .group = TREES, .default_text = "8",
     .help = "So many cores at the most."},

    {TEXT("-p", "--base-policy", base_policy, "FILE"), .group = KNOWN,
     .help = "A policy whose content is taken over."},
    {TEXT("-a", "--allowlist", allowlist, "FILE"), .group = KNOWN,
     .help = "Lines of digest and path, as sha256sum prints them."},

    {TEXT("-e", "--excludelist", exclude_list, "FILE"), .group = RULES,
     .help = "Expressions, one a line, for names that are not judged."},
    {REPEATED(NULL, "--ignored-keyrings", ignored_keyrings, "NAME"), .group = RULES,
     .help = "A keyring that is not judged."},
    {REPEATED(NULL, "--add-ima-signature-verification-key", keys, "FILE"), .group = RULES,
     .help = "Certificate or key of file signatures."},
    {TEXT(NULL, "--algo", algorithm, "NAME"), .group = RULES, .words = "sha1 sha256 sha384 sha512 sm3_256",
     .default_text = "that of the other input, or " DEFAULT_ALGORITHM, .help = "Algorithm of the digests."},

    {TEXT("-o", "--output", output, "FILE"), .group = "Output", .default_text = "standard output",
     .help = "Where the policy goes. A file is replaced whole or not at all."},
    {FLAG(NULL, "--show-legacy-allowlist", show_allowlist), .group = "Output",
     .help = "Print lines of digest and path in place of the policy."},
    {FLAG("-v", "--verbose", verbose), .group = "Output", .help = "Say what is done."},
    {0},
};

const PolicyCommand create_runtime_command = {
    {"create runtime", "Runtime policies", "make a runtime policy from what is known of a machine",
     .details = "Which files, by their digests, may be found in a machine's measurement list. Each option adds what it"
                " names; the result is sorted and free of doubles, one line of JSON. Digests of all sources must be of one"
                " algorithm.",
     .json = "the policy; with --output the members output, its file, and the numbers of paths, keyrings, buffers and"
             " unnamable names.",
     .examples = "keylime-policy create runtime --ima-measurement-list -o policy.json\n"
                 "keylime-policy create runtime --rootfs /mnt/image --ramdisk-dir /mnt/image/boot -o policy.json\n"
                 "keylime-policy create runtime -p policy.json -a more.txt -e excludes.txt -o policy.json",
     .options = options},
    run};
/* clang-format on */
