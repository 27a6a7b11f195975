/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/reference_state.h"

#include "base/encoding.h"
#include "policy/tpm_policy.h"

#include <string.h>

/* How the event of a kernel's command line begins (measured-boot §12.5). */
#define CMDLINE_PREFIX "kernel_cmdline: "

#define HEX_DIGITS "0123456789abcdef"
#define GUID_DIGITS HEX_DIGITS "-"
#define GUID_TEXT_LENGTH 36

/* More of them nobody reads. */
#define MAX_NOTES 20

typedef struct {
    bool real_hardware;
    bool secure_boot;
    GPtrArray *notes;
    GError **error;
} Reading;

G_GNUC_PRINTF(3, 4)
static bool invalid(Reading *reading, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(reading->error, POLICY_ERROR, POLICY_ERROR_INVALID, "mb_policy: %s %s", path,
                reason);
    return false;
}

G_GNUC_PRINTF(3, 4)
static void note(Reading *reading, const char *path, const char *format, ...)
{
    if (reading->notes->len >= MAX_NOTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(reading->notes, g_strdup_printf("%s %s", path, text));
}

/* --- digests ------------------------------------------------------------------------------- */

bool reference_digest_equals(const ReferenceDigest *expected, uint16_t algorithm, Bytes digest)
{
    return digest.size > 0 && expected->algorithm == algorithm &&
           bytes_equal(bytes_of(expected->value, expected->size), digest);
}

bool reference_digests_hold(const GArray *digests, uint16_t algorithm, Bytes digest)
{
    for (guint i = 0; i < digests->len; i++)
        if (reference_digest_equals(&g_array_index(digests, ReferenceDigest, i), algorithm, digest))
            return true;
    return false;
}

/* "0x" and lower-case digits. A text of another length than the algorithm's digest is allowed, as
 * upstream does (measured-boot §12.1), and equals no digest. */
static bool read_digest(Reading *reading, const char *path, uint16_t algorithm, Json *value,
                        ReferenceDigest *out)
{
    const char *text = json_text(value);
    if (!text || !g_str_has_prefix(text, "0x") || text[2] == '\0' ||
        text[2 + strspn(text + 2, HEX_DIGITS)] != '\0')
        return invalid(reading, path, "must be a text of \"0x\" and lower-case hexadecimal digits");
    *out = (ReferenceDigest){.algorithm = algorithm};
    g_autoptr(GBytes) bytes = hex_decode(text + 2);
    size_t size = bytes ? g_bytes_get_size(bytes) : 0;
    if (size > 0 && size == tpm_hash_size(algorithm)) {
        memcpy(out->value, g_bytes_get_data(bytes, NULL), size);
        out->size = (uint8_t)size;
    } else {
        note(reading, path, "is no digest of %s and equals none",
             algorithm ? tpm_algorithm_name(algorithm) : "a known algorithm");
    }
    return true;
}

/* Adds the digests of a map from algorithm to digest; those of algorithms that no TPM has equal
 * nothing and are only checked for their form. */
static bool read_digest_map(Reading *reading, const char *path, Json *value, GArray *out)
{
    if (!json_object_is_type(value, json_type_object))
        return invalid(reading, path, "must be an object of digests by algorithm");
    json_object_object_foreach (value, name, text) {
        g_autofree char *member = g_strdup_printf("%s.%s", path, name);
        ReferenceDigest digest = {0};
        if (!read_digest(reading, member, tpm_hash_from_name(name), text, &digest))
            return false;
        if (digest.size > 0)
            g_array_append_val(out, digest);
    }
    return true;
}

static GArray *digests_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(ReferenceDigest));
}

static void digests_free(void *digests)
{
    if (digests)
        g_array_unref(digests);
}

/* --- members ------------------------------------------------------------------------------- */

/* A member that must be there, whatever its type; *out NULL when it is null. */
static bool require(Reading *reading, const char *path, Json *object, const char *name, Json **out)
{
    if (json_object_object_get_ex(object, name, out))
        return true;
    g_autofree char *member = g_strdup_printf("%s%s%s", path, *path ? "." : "", name);
    return invalid(reading, member, "is missing");
}

/* Reads each element of a list into `out` with `read`, which names it by its path. */
typedef bool (*ElementReader)(Reading *reading, const char *path, Json *value, void *out);

static bool read_list(Reading *reading, const char *path, Json *value, ElementReader read,
                      void *out)
{
    if (!json_object_is_type(value, json_type_array))
        return invalid(reading, path, "must be a list");
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        g_autofree char *element = g_strdup_printf("%s[%zu]", path, i);
        if (!read(reading, element, json_object_array_get_idx(value, i), out))
            return false;
    }
    return true;
}

/* --- firmware ------------------------------------------------------------------------------ */

static void firmware_free(void *data)
{
    ReferenceFirmware *firmware = data;
    digests_free(firmware->scrtm);
    g_ptr_array_unref(firmware->blobs);
    g_free(firmware);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReferenceFirmware, firmware_free)

static bool read_blob(Reading *reading, const char *path, Json *value, void *out)
{
    GArray *digests = digests_new();
    g_ptr_array_add(out, digests);
    return read_digest_map(reading, path, value, digests);
}

static bool read_firmware(Reading *reading, const char *path, Json *value, void *out)
{
    if (!json_object_is_type(value, json_type_object))
        return invalid(reading, path, "must be an object");
    g_autoptr(ReferenceFirmware) firmware = g_new0(ReferenceFirmware, 1);
    firmware->blobs = g_ptr_array_new_with_free_func(digests_free);
    Json *scrtm, *blobs;
    if (!reading->real_hardware || json_object_object_get_ex(value, "scrtm", NULL)) {
        g_autofree char *member = g_strdup_printf("%s.scrtm", path);
        firmware->scrtm = digests_new();
        if (!require(reading, path, value, "scrtm", &scrtm) ||
            !read_digest_map(reading, member, scrtm, firmware->scrtm))
            return false;
    }
    g_autofree char *member = g_strdup_printf("%s.platform_firmware", path);
    if (!require(reading, path, value, "platform_firmware", &blobs) ||
        !read_list(reading, member, blobs, read_blob, firmware->blobs))
        return false;
    g_ptr_array_add(out, g_steal_pointer(&firmware));
    return true;
}

/* --- kernels ------------------------------------------------------------------------------- */

static void kernel_free(void *data)
{
    ReferenceKernel *kernel = data;
    text_pattern_free(kernel->cmdline);
    g_free(kernel);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReferenceKernel, kernel_free)

static bool read_file(Reading *reading, const char *path, Json *object, const char *name,
                      bool required, ReferenceFile *out)
{
    Json *value;
    out->given = required || json_object_object_get_ex(object, name, NULL);
    if (!out->given)
        return true;
    if (!require(reading, path, object, name, &value))
        return false;
    g_autofree char *member = g_strdup_printf("%s.%s", path, name);
    return read_digest(reading, member, TPM_ALG_SHA256, value, &out->digest);
}

static bool read_cmdline(Reading *reading, const char *path, Json *object, bool required,
                         ReferenceKernel *kernel)
{
    Json *value;
    if (!required && !json_object_object_get_ex(object, "kernel_cmdline", NULL))
        return true;
    if (!require(reading, path, object, "kernel_cmdline", &value))
        return false;
    g_autofree char *member = g_strdup_printf("%s.kernel_cmdline", path);
    if (!json_object_is_type(value, json_type_string))
        return invalid(reading, member, "must be a regular expression as a text");
    g_autoptr(GByteArray) pattern = g_byte_array_new();
    bytes_append(pattern, bytes_of_text(CMDLINE_PREFIX));
    bytes_append(pattern, bytes_of(json_object_get_string(value),
                                   (size_t)json_object_get_string_len(value)));
    g_autoptr(GError) reason = NULL;
    kernel->cmdline = text_pattern_new(bytes_of_array(pattern), &reason);
    return kernel->cmdline
               ? true
               : invalid(reading, member, "is no usable regular expression: %s", reason->message);
}

static bool read_kernel(Reading *reading, const char *path, Json *value, void *out)
{
    if (!json_object_is_type(value, json_type_object))
        return invalid(reading, path, "must be an object");
    g_autoptr(ReferenceKernel) kernel = g_new0(ReferenceKernel, 1);
    bool exact = !reading->real_hardware, secure = reading->secure_boot;
    if (!read_file(reading, path, value, "shim_authcode_sha256", true, &kernel->shim) ||
        !read_file(reading, path, value, "grub_authcode_sha256", true, &kernel->grub) ||
        (secure &&
         !read_file(reading, path, value, "kernel_authcode_sha256", true, &kernel->kernel)) ||
        (!secure &&
         !read_file(reading, path, value, "vmlinuz_plain_sha256", exact, &kernel->vmlinuz)) ||
        !read_file(reading, path, value, "initrd_plain_sha256", exact, &kernel->initrd) ||
        !read_cmdline(reading, path, value, exact, kernel))
        return false;
    g_ptr_array_add(out, g_steal_pointer(&kernel));
    return true;
}

/* --- keys ---------------------------------------------------------------------------------- */

void reference_key(GString *text, const char *owner, const char *data)
{
    g_string_printf(text, "%s %s", owner, data);
}

static bool read_key(Reading *reading, const char *path, Json *value, void *out)
{
    if (!json_object_is_type(value, json_type_object))
        return invalid(reading, path, "must be an object with SignatureOwner and SignatureData");
    const char *owner = json_member_text(value, "SignatureOwner");
    const char *data = json_member_text(value, "SignatureData");
    if (!owner || !data)
        return invalid(reading, path, "must have the texts SignatureOwner and SignatureData");
    if (!g_str_has_prefix(data, "0x"))
        return invalid(reading, path, "must have a SignatureData that begins with \"0x\"");
    if (strlen(owner) != GUID_TEXT_LENGTH || owner[strspn(owner, GUID_DIGITS)] != '\0' ||
        data[2 + strspn(data + 2, HEX_DIGITS)] != '\0' || strlen(data) % 2 != 0)
        note(reading, path, "is not written as in a log, in lower case, and equals no key");
    g_autoptr(GString) text = g_string_new(NULL);
    reference_key(text, owner, data + 2);
    if (!g_hash_table_contains(out, text->str))
        g_hash_table_insert(out, g_strdup(text->str), GUINT_TO_POINTER(g_hash_table_size(out) + 1));
    return true;
}

/* A list of keys. null is as good as an empty one where an empty one is not looked at: without
 * Secure Boot. */
static ReferenceKeys *read_keys(Reading *reading, const char *name, Json *value)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if ((value || reading->secure_boot) && !read_list(reading, name, value, read_key, keys))
        return NULL;
    return g_steal_pointer(&keys);
}

/* --- the whole ----------------------------------------------------------------------------- */

static bool read_mok(Reading *reading, const char *path, Json *value, void *out)
{
    return read_digest_map(reading, path, value, out);
}

static bool read_kernels(Reading *reading, Json *object, ReferenceState *state)
{
    Json *kernels;
    if (reading->real_hardware && !json_object_object_get_ex(object, "kernels", NULL)) {
        note(reading, "kernels",
             "is absent: what is started in PCR 4 and read in PCR 8 and 9 is not judged");
        return true;
    }
    state->kernels = g_ptr_array_new_with_free_func(kernel_free);
    return require(reading, "", object, "kernels", &kernels) &&
           read_list(reading, "kernels", kernels, read_kernel, state->kernels);
}

static bool read_all_keys(Reading *reading, Json *object, ReferenceState *state)
{
    const struct {
        const char *name;
        ReferenceKeys **out;
    } lists[] = {
        {"pk", &state->pk}, {"kek", &state->kek}, {"db", &state->db}, {"dbx", &state->dbx}};
    Json *value;
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        if (!require(reading, "", object, lists[i].name, &value) ||
            !(*lists[i].out = read_keys(reading, lists[i].name, value)))
            return false;
    g_autoptr(Json) none = json_object_new_array();
    if (!json_object_object_get_ex(object, "vendor_db", &value))
        value = none;
    state->vendor_db = read_keys(reading, "vendor_db", value);
    return state->vendor_db != NULL;
}

static bool read_moks(Reading *reading, Json *object, ReferenceState *state)
{
    Json *mok, *mokx;
    state->mok = digests_new();
    state->mokx = digests_new();
    if (!require(reading, "", object, "mokdig", &mok) ||
        !read_list(reading, "mokdig", mok, read_mok, state->mok) ||
        !require(reading, "", object, "mokxdig", &mokx) ||
        !read_list(reading, "mokxdig", mokx, read_mok, state->mokx))
        return false;
    state->expects_mok = json_object_array_length(mok) > 0;
    state->expects_mokx = json_object_array_length(mokx) > 0;
    return true;
}

ReferenceState *reference_state_parse(Json *value, bool real_hardware, GError **error)
{
    Reading reading = {.real_hardware = real_hardware, .error = error};
    if (!json_object_is_type(value, json_type_object)) {
        g_set_error_literal(error, POLICY_ERROR, POLICY_ERROR_INVALID,
                            "mb_policy: the reference state must be an object");
        return NULL;
    }
    g_autoptr(ReferenceState) state = g_new0(ReferenceState, 1);
    state->notes = reading.notes = g_ptr_array_new_with_free_func(g_free);
    Json *secure_boot, *firmware;
    reading.secure_boot = !json_object_object_get_ex(value, "has_secureboot", &secure_boot) ||
                          json_is_truthy(secure_boot);
    state->secure_boot = reading.secure_boot;
    state->firmware = g_ptr_array_new_with_free_func(firmware_free);
    bool good = read_kernels(&reading, value, state) &&
                require(&reading, "", value, "scrtm_and_bios", &firmware) &&
                read_list(&reading, "scrtm_and_bios", firmware, read_firmware, state->firmware) &&
                read_all_keys(&reading, value, state) && read_moks(&reading, value, state);
    if (state->kernels && state->kernels->len == 0)
        note(&reading, "kernels", "is empty and allows no boot");
    if (state->firmware->len == 0)
        note(&reading, "scrtm_and_bios", "is empty and allows no boot");
    return good ? g_steal_pointer(&state) : NULL;
}

void reference_state_free(ReferenceState *state)
{
    if (!state)
        return;
    g_clear_pointer(&state->kernels, g_ptr_array_unref);
    g_clear_pointer(&state->firmware, g_ptr_array_unref);
    ReferenceKeys *keys[] = {state->pk, state->kek, state->db, state->dbx, state->vendor_db};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (keys[i])
            g_hash_table_unref(keys[i]);
    digests_free(state->mok);
    digests_free(state->mokx);
    g_clear_pointer(&state->notes, g_ptr_array_unref);
    g_free(state);
}
