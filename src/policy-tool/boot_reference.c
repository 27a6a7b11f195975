/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/boot_reference.h"

#include "base/encoding.h"
#include "evidence/uefi/device_path.h"
#include "evidence/uefi/event_data.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"
#include "evidence/uefi/text.h"
#include "evidence/uefi/variable.h"

#include <string.h>

/* Length of "kernel_cmdline: ", which upstream cuts off whatever stands there. */
#define COMMAND_LINE_PREFIX 16
/* Shim, grub and kernel; some firmware measures the kernel twice. */
enum { SECURE_APPLICATIONS = 3, MAX_SECURE_APPLICATIONS = 4, INSECURE_APPLICATIONS = 2 };

G_DEFINE_QUARK(boot - reference - error - quark, boot_reference_error)

/* What is collected in one walk through the log. */
typedef struct {
    bool secure_boot_seen, secure_boot;
    Json *scrtm; /* digest map; NULL without such an event */
    Json *firmware;
    Json *keys[4]; /* as named by key_variables */
    Json *vendor_db, *mok, *mokx;
    size_t application_count;
    char *application[MAX_SECURE_APPLICATIONS]; /* digests of the first ones; NULL without sha256 */
    bool initrd_seen, kernel_seen;
    char *initrd, *kernel; /* digests */
    GString *command_line; /* whole text of the event */
} Collected;

static const char *const key_variables[G_N_ELEMENTS(((Collected *)0)->keys)] = {"pk", "kek", "db",
                                                                                "dbx"};

static void collected_clear(Collected *collected)
{
    json_object_put(collected->scrtm);
    json_object_put(collected->firmware);
    for (size_t i = 0; i < G_N_ELEMENTS(collected->keys); i++)
        json_object_put(collected->keys[i]);
    json_object_put(collected->vendor_db);
    json_object_put(collected->mok);
    json_object_put(collected->mokx);
    for (size_t i = 0; i < MAX_SECURE_APPLICATIONS; i++)
        g_free(collected->application[i]);
    g_free(collected->initrd);
    g_free(collected->kernel);
    if (collected->command_line)
        g_string_free(collected->command_line, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Collected, collected_clear)

static bool unfit(GError **error, const char *reason)
{
    g_set_error_literal(error, BOOT_REFERENCE_ERROR, BOOT_REFERENCE_ERROR_UNFIT, reason);
    return false;
}

/* "0x..." of the event's sha256 digest; NULL without one. */
static char *digest_text(const UefiEvent *event)
{
    Bytes digest = uefi_event_digest(event, TPM_ALG_SHA256);
    if (digest.size == 0)
        return NULL;
    g_autofree char *hex = hex_encode(digest);
    return g_strconcat("0x", hex, NULL);
}

static Json *digest_map(const UefiEvent *event)
{
    g_autofree char *text = digest_text(event);
    Json *map = json_object_new_object();
    if (text)
        json_add_text(map, "sha256", text);
    return map;
}

/* --- keys --------------------------------------------------------------------------------------*/

static void add_key(Json *keys, Bytes owner, Bytes data)
{
    char guid[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(owner, guid);
    g_autofree char *hex = hex_encode(data);
    g_autofree char *text = g_strconcat("0x", hex, NULL);
    Json *key = json_object_new_object();
    json_add_text(key, "SignatureOwner", guid);
    json_add_text(key, "SignatureData", text);
    json_object_array_add(keys, key);
}

/* The keys of all lists of a variable, flattened. NULL and an error for a list without keys: the
 * reference state would not say what the machine has. */
static Json *keys_of_lists(Bytes data, GError **error)
{
    g_autoptr(Json) keys = json_object_new_array();
    Reader reader = reader_of(data);
    UefiSignatureList list;
    while (uefi_signature_list_next(&reader, &list)) {
        UefiSignature signature;
        size_t before = json_object_array_length(keys);
        while (uefi_signature_next(&list, &signature))
            add_key(keys, signature.owner, signature.data);
        if (json_object_array_length(keys) == before) {
            unfit(error, "a signature list of PK, KEK, db or dbx holds no keys");
            return NULL;
        }
    }
    return g_steal_pointer(&keys);
}

static bool collect_driver_config(Collected *collected, const UefiVariable *variable,
                                  GError **error)
{
    g_autofree char *name = uefi_variable_name(variable);
    g_autofree char *lower = g_ascii_strdown(name, -1);
    if (strcmp(name, "SecureBoot") == 0 && !collected->secure_boot_seen) {
        collected->secure_boot_seen = true;
        collected->secure_boot = uefi_variable_flag(variable->data);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(key_variables); i++) {
        if (strcmp(lower, key_variables[i]) != 0)
            continue;
        json_object_put(collected->keys[i]); /* the last event counts */
        collected->keys[i] = keys_of_lists(variable->data, error);
        return collected->keys[i] != NULL;
    }
    return true;
}

static void collect_authority(Collected *collected, const UefiVariable *variable)
{
    g_autofree char *name = uefi_variable_name(variable);
    Reader reader = reader_of(variable->data);
    Bytes owner;
    if (g_ascii_strcasecmp(name, "vendor_db") == 0 && reader_take(&reader, UEFI_GUID_SIZE, &owner))
        add_key(collected->vendor_db, owner, reader.rest);
}

static bool collect_variable(Collected *collected, const UefiEvent *event, GError **error)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return true;
    if (event->type == EV_EFI_VARIABLE_DRIVER_CONFIG)
        return collect_driver_config(collected, &variable, error);
    if (event->type == EV_EFI_VARIABLE_AUTHORITY)
        collect_authority(collected, &variable);
    return true;
}

/* --- images and texts --------------------------------------------------------------------------*/

static void collect_application(Collected *collected, const UefiEvent *event)
{
    UefiImageLoad image;
    if (!uefi_image_load_parse(event->data, &image) ||
        uefi_device_path_is_firmware_file(image.path))
        return;
    if (collected->application_count < MAX_SECURE_APPLICATIONS)
        collected->application[collected->application_count] = digest_text(event);
    collected->application_count++;
}

static bool contains(const GString *text, const char *word)
{
    return g_strstr_len(text->str, (gssize)text->len, word) != NULL;
}

/* A file that grub read: the first initrd, the first kernel. */
static void collect_file(Collected *collected, const UefiEvent *event, const GString *text)
{
    if (!collected->initrd_seen && (contains(text, "initrd") || contains(text, "initramfs"))) {
        collected->initrd_seen = true;
        collected->initrd = digest_text(event);
    }
    if (!collected->kernel_seen && contains(text, "vmlinuz")) {
        collected->kernel_seen = true;
        collected->kernel = digest_text(event);
    }
}

static void collect_text(Collected *collected, const UefiEvent *event)
{
    g_autoptr(GString) text = uefi_text_transform(event->data);
    Bytes bytes = bytes_of(text->str, text->len);
    if (bytes_equal(bytes, bytes_of_text("MokList")))
        json_object_array_add(collected->mok, digest_map(event));
    if (bytes_equal(bytes, bytes_of_text("MokListX")))
        json_object_array_add(collected->mokx, digest_map(event));
    if (event->pcr == 9)
        collect_file(collected, event, text);
    if (event->pcr == 8 && !collected->command_line && contains(text, "kernel_cmdline"))
        collected->command_line = g_steal_pointer(&text);
}

static bool collect_event(Collected *collected, const UefiEvent *event, GError **error)
{
    switch (event->type) {
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_VARIABLE_AUTHORITY:
        return collect_variable(collected, event, error);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        json_object_array_add(collected->firmware, digest_map(event));
        break;
    case EV_S_CRTM_VERSION:
        if (!collected->scrtm)
            collected->scrtm = digest_map(event);
        break;
    case EV_EFI_BOOT_SERVICES_APPLICATION:
        collect_application(collected, event);
        break;
    case EV_IPL:
        collect_text(collected, event);
        break;
    default:
        break;
    }
    return true;
}

static bool collect(Collected *collected, const UefiLog *log, GError **error)
{
    collected->firmware = json_object_new_array();
    collected->vendor_db = json_object_new_array();
    collected->mok = json_object_new_array();
    collected->mokx = json_object_new_array();
    UefiLogCursor cursor = uefi_log_begin(log);
    UefiEvent event;
    while (uefi_log_next(&cursor, &event))
        if (!collect_event(collected, &event, error))
            return false;
    return true;
}

/* --- the kernel object -------------------------------------------------------------------------*/

/* As Python's re.escape(). */
static GString *escape_pattern(const char *text, size_t size)
{
    static const char special[] = " \t\n\r\v\f#$&()*+-.?[\\]^{|}~";
    GString *out = g_string_sized_new(size);
    for (size_t i = 0; i < size; i++) {
        if (text[i] && strchr(special, text[i]))
            g_string_append_c(out, '\\');
        g_string_append_c(out, text[i]);
    }
    return out;
}

static bool add_command_line(Json *kernel, const GString *text, GError **error)
{
    if (!uefi_text_is_utf8(bytes_of(text->str, text->len)))
        return unfit(error, "the kernel command line is not UTF-8");
    const char *rest = text->str, *end = text->str + text->len;
    for (unsigned i = 0; i < COMMAND_LINE_PREFIX && rest < end; i++)
        rest = g_utf8_next_char(rest);
    g_autoptr(GString) pattern = escape_pattern(rest, (size_t)(end - rest));
    json_add(kernel, "kernel_cmdline", json_object_new_string_len(pattern->str, (int)pattern->len));
    return true;
}

static bool add_digest(Json *kernel, const char *name, const char *digest, GError **error)
{
    if (!digest)
        return unfit(error, "an application, kernel or initrd has no sha256 digest in this log");
    json_add_text(kernel, name, digest);
    return true;
}

static Json *kernel_object(const Collected *collected, GError **error)
{
    g_autoptr(Json) kernel = json_object_new_object();
    char *const *application = collected->application;
    bool secure = collected->secure_boot;
    bool done =
        (!secure || add_digest(kernel, "kernel_authcode_sha256", application[2], error)) &&
        add_digest(kernel, "shim_authcode_sha256", application[0], error) &&
        add_digest(kernel, "grub_authcode_sha256", application[1], error) &&
        (!collected->initrd_seen ||
         add_digest(kernel, "initrd_plain_sha256", collected->initrd, error)) &&
        (secure || !collected->kernel_seen ||
         add_digest(kernel, "vmlinuz_plain_sha256", collected->kernel, error)) &&
        (!collected->command_line || add_command_line(kernel, collected->command_line, error));
    return done ? g_steal_pointer(&kernel) : NULL;
}

static bool applications_fit(const Collected *collected)
{
    size_t count = collected->application_count;
    return collected->secure_boot ? count >= SECURE_APPLICATIONS && count <= MAX_SECURE_APPLICATIONS
                                  : count == INSECURE_APPLICATIONS;
}

/* --- the whole ---------------------------------------------------------------------------------*/

static void warn(GPtrArray *warnings, const char *text)
{
    g_ptr_array_add(warnings, g_strdup(text));
}

static void warn_about_gaps(const Collected *collected, GPtrArray *warnings)
{
    if (!collected->secure_boot_seen)
        warn(warnings, "the log has no SecureBoot variable: taken as off");
    if (!collected->scrtm)
        warn(warnings, "no EV_S_CRTM_VERSION event: the policy `example` will always refuse");
    if (!applications_fit(collected)) {
        g_ptr_array_add(warnings,
                        g_strdup_printf("%zu boot applications instead of %s: no `kernels`, and "
                                        "the policy `example` will always refuse",
                                        collected->application_count,
                                        collected->secure_boot ? "3 or 4" : "2"));
        return;
    }
    if (!collected->initrd_seen)
        warn(warnings, "no initrd in PCR 9: the policy `example` will always refuse");
    if (!collected->secure_boot && !collected->kernel_seen)
        warn(warnings, "no vmlinuz in PCR 9: the policy `example` will always refuse");
    if (!collected->command_line)
        warn(warnings, "no kernel_cmdline in PCR 8: the policy `example` will always refuse");
}

static void add_firmware(Json *reference, Collected *collected)
{
    Json *alternative = json_object_new_object();
    if (collected->scrtm)
        json_add(alternative, "scrtm", g_steal_pointer(&collected->scrtm));
    json_add(alternative, "platform_firmware", g_steal_pointer(&collected->firmware));
    Json *alternatives = json_object_new_array();
    json_object_array_add(alternatives, alternative);
    json_add(reference, "scrtm_and_bios", alternatives);
}

static bool add_kernels(Json *reference, const Collected *collected, GError **error)
{
    if (!applications_fit(collected))
        return true;
    Json *kernel = kernel_object(collected, error);
    if (!kernel)
        return false;
    Json *kernels = json_object_new_array();
    json_object_array_add(kernels, kernel);
    json_add(reference, "kernels", kernels);
    return true;
}

Json *boot_reference_create(const UefiLog *log, bool without_secureboot, GPtrArray *warnings,
                            GError **error)
{
    g_auto(Collected) collected = {0};
    if (!collect(&collected, log, error))
        return NULL;
    if (!collected.secure_boot && !without_secureboot) {
        unfit(error, "Secure Boot is off in this log; -i (--without-secureboot) allows that");
        return NULL;
    }
    if (collected.secure_boot && without_secureboot)
        warn(warnings, "Secure Boot is on in this log: -i (--without-secureboot) has no effect");
    warn_about_gaps(&collected, warnings);
    g_autoptr(Json) reference = json_object_new_object();
    json_add_bool(reference, "has_secureboot", collected.secure_boot);
    add_firmware(reference, &collected);
    for (size_t i = 0; i < G_N_ELEMENTS(key_variables); i++) {
        Json *keys = g_steal_pointer(&collected.keys[i]);
        json_add(reference, key_variables[i], keys ? keys : json_object_new_array());
    }
    json_add(reference, "vendor_db", g_steal_pointer(&collected.vendor_db));
    json_add(reference, "mokdig", g_steal_pointer(&collected.mok));
    json_add(reference, "mokxdig", g_steal_pointer(&collected.mokx));
    return add_kernels(reference, &collected, error) ? g_steal_pointer(&reference) : NULL;
}
