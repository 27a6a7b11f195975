/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_story.h"

#include "base/encoding.h"
#include "log_builder.h"

#include <string.h>

#define OWNER_TEXT "00000000-0000-0000-0000-000000000000"

static void event_free(void *data)
{
    StoryEvent *event = data;
    g_free(event->label);
    g_byte_array_unref(event->data);
    if (event->measured)
        g_bytes_unref(event->measured);
    g_free(event);
}

static StoryEvent *event_new(const char *label, uint32_t pcr, uint32_t type, Bytes data)
{
    StoryEvent *event = g_new0(StoryEvent, 1);
    event->label = g_strdup(label);
    event->pcr = pcr;
    event->type = type;
    event->data = g_byte_array_new();
    bytes_append(event->data, data);
    return event;
}

static void add(Story *story, const char *label, uint32_t pcr, uint32_t type, Bytes data)
{
    g_ptr_array_add(story, event_new(label, pcr, type, data));
}

/* An event whose digest is that of a file or of code. */
static void add_file(Story *story, const char *label, uint32_t pcr, uint32_t type, Bytes data)
{
    add(story, label, pcr, type, data);
    story_measure(story, label, label);
}

static void add_variable(Story *story, const char *label, uint32_t type, const char *guid_hex,
                         Bytes data)
{
    g_autoptr(GByteArray) variable = log_builder_variable(
        guid_hex, g_str_has_prefix(label, "authority ") ? label + 10 : label, data);
    add(story, label, 7, type, bytes_of_array(variable));
}

static void add_keys(Story *story, const char *label, const char *guid_hex, const char *type_hex,
                     const char *key)
{
    g_autoptr(GByteArray) keys = story_keys(type_hex, (const char *const[]){key, NULL});
    add_variable(story, label, EV_EFI_VARIABLE_DRIVER_CONFIG, guid_hex, bytes_of_array(keys));
}

/* --- the story ------------------------------------------------------------------------------- */

static void add_firmware(Story *story)
{
    static const uint8_t blob[16], on[1] = {1}, order[2];
    add(story, "version", 0, EV_S_CRTM_VERSION, bytes_of("1\0", 2));
    add_file(story, "blob", 0, EV_EFI_PLATFORM_FIRMWARE_BLOB, BYTES_OF_ARRAY(blob));
    add_variable(story, "SecureBoot", EV_EFI_VARIABLE_DRIVER_CONFIG, GLOBAL_HEX,
                 BYTES_OF_ARRAY(on));
    add_keys(story, "PK", GLOBAL_HEX, X509_HEX, "platform key");
    add_keys(story, "KEK", GLOBAL_HEX, X509_HEX, "exchange key");
    add_keys(story, "db", SECURITY_HEX, X509_HEX, "allowed key");
    add_keys(story, "dbx", SECURITY_HEX, SHA256_HEX, "a hash of thirty-two bytes......");
    g_autoptr(GByteArray) variable =
        log_builder_variable(GLOBAL_HEX, "BootOrder", BYTES_OF_ARRAY(order));
    add(story, "boot order", 1, EV_EFI_VARIABLE_BOOT, bytes_of_array(variable));
    for (uint32_t pcr = 0; pcr < 8; pcr++) {
        static const uint8_t zeros[4];
        g_autofree char *label = g_strdup_printf("separator %u", pcr);
        add(story, label, pcr, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    }
}

static void add_loaders(Story *story)
{
    static const uint8_t image[32], gpt[100];
    static const uint8_t signature[20];
    add(story, "calling", 4, EV_EFI_ACTION,
        bytes_of_text("Calling EFI Application from Boot Option"));
    add(story, "gpt", 5, EV_EFI_GPT_EVENT, BYTES_OF_ARRAY(gpt));
    add_variable(story, "authority db", EV_EFI_VARIABLE_AUTHORITY, SECURITY_HEX,
                 BYTES_OF_ARRAY(signature));
    add_file(story, "shim", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    add_file(story, "MokList", 14, EV_IPL, bytes_of("MokList\0", 8));
    add_file(story, "MokListX", 14, EV_IPL, bytes_of("MokListX\0", 9));
    add_variable(story, "SbatLevel", EV_EFI_VARIABLE_AUTHORITY, SHIM_HEX,
                 bytes_of_text("sbat,1,2023"));
    add(story, "MokListTrusted", 14, EV_IPL, bytes_of("MokListTrusted\0", 15));
    story_measure(story, "MokListTrusted", "\x01");
    add_file(story, "grub", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    add_file(story, "grub.cfg", 9, EV_IPL, bytes_of_text("(hd0,gpt1)/grub/grub.cfg"));
    add(story, "grub command", 8, EV_IPL, bytes_of("grub_cmd: linux /vmlinuz ro\0", 28));
    story_measure(story, "grub command", "linux /vmlinuz ro");
    add_file(story, "vmlinuz", 9, EV_IPL, bytes_of("(hd0,gpt2)/vmlinuz\0", 19));
    add_file(story, "kernel", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    add(story, "command line", 8, EV_IPL, bytes_of("kernel_cmdline: /vmlinuz ro\0", 28));
    story_measure(story, "command line", "/vmlinuz ro");
    add_file(story, "initrd", 9, EV_IPL, bytes_of("(hd0,gpt2)/initrd.img\0", 22));
    add(story, "exit", 5, EV_EFI_ACTION, bytes_of_text("Exit Boot Services Invocation"));
}

Story *story_new(void)
{
    Story *story = g_ptr_array_new_with_free_func(event_free);
    add_firmware(story);
    add_loaders(story);
    return story;
}

/* --- changes --------------------------------------------------------------------------------- */

static guint position_of(Story *story, const char *label)
{
    for (guint i = 0; i < story->len; i++)
        if (strcmp(((StoryEvent *)g_ptr_array_index(story, i))->label, label) == 0)
            return i;
    g_error("the story has no event \"%s\"", label);
}

StoryEvent *story_find(Story *story, const char *label)
{
    return g_ptr_array_index(story, position_of(story, label));
}

void story_drop(Story *story, const char *label)
{
    g_ptr_array_remove_index(story, position_of(story, label));
}

void story_say(Story *story, const char *label, Bytes data, bool forged)
{
    StoryEvent *event = story_find(story, label);
    if (forged && !event->measured)
        event->measured = bytes_copy(bytes_of_array(event->data));
    if (!forged)
        g_clear_pointer(&event->measured, g_bytes_unref);
    g_byte_array_set_size(event->data, 0);
    bytes_append(event->data, data);
}

void story_measure(Story *story, const char *label, const char *measured)
{
    StoryEvent *event = story_find(story, label);
    g_clear_pointer(&event->measured, g_bytes_unref);
    event->measured = bytes_copy(bytes_of_text(measured));
}

void story_insert(Story *story, const char *after, uint32_t pcr, uint32_t type, Bytes data)
{
    gint position = after ? (gint)position_of(story, after) + 1 : 0;
    g_ptr_array_insert(story, position, event_new("inserted", pcr, type, data));
}

void story_insert_variable(Story *story, const char *after, uint32_t type, const char *guid_hex,
                           const char *name, Bytes data)
{
    g_autoptr(GByteArray) variable = log_builder_variable(guid_hex, name, data);
    story_insert(story, after, 7, type, bytes_of_array(variable));
}

void story_set_variable(Story *story, const char *label, const char *guid_hex, Bytes data)
{
    g_autoptr(GByteArray) variable = log_builder_variable(guid_hex, label, data);
    story_say(story, label, bytes_of_array(variable), false);
}

GByteArray *story_keys(const char *type_hex, const char *const *texts)
{
    static const uint8_t owner[16];
    GByteArray *list = g_byte_array_new();
    g_autoptr(GBytes) type = hex_decode(type_hex);
    size_t size = texts[0] ? strlen(texts[0]) : 0, count = 0;
    while (texts[count])
        count++;
    bytes_append(list, bytes_of_gbytes(type));
    append_u32_le(list, (uint32_t)(28 + count * (16 + size)));
    append_u32_le(list, 0);
    append_u32_le(list, (uint32_t)(16 + size));
    for (; *texts; texts++) {
        g_assert(strlen(*texts) == size);
        bytes_append(list, BYTES_OF_ARRAY(owner));
        bytes_append(list, bytes_of_text(*texts));
    }
    return list;
}

/* --- what it comes to ------------------------------------------------------------------------ */

GByteArray *story_log(const Story *story)
{
    GByteArray *log = log_builder_new();
    for (guint i = 0; i < story->len; i++) {
        const StoryEvent *event = g_ptr_array_index(story, i);
        Bytes data = bytes_of_array(event->data);
        log_builder_add_measuring(log, event->pcr, event->type, data,
                                  event->measured ? bytes_of_gbytes(event->measured) : data);
    }
    return log;
}

char *story_digest(const char *text)
{
    g_autofree char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    return g_strconcat("0x", hex, NULL);
}

static void add_digest(Json *object, const char *member, const char *text)
{
    g_autofree char *digest = story_digest(text);
    json_add_text(object, member, digest);
}

static Json *list_of(Json *element)
{
    Json *list = json_object_new_array();
    json_object_array_add(list, element);
    return list;
}

static Json *digest_map(Bytes measured)
{
    g_autofree char *hex =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, measured.data, measured.size);
    g_autofree char *digest = g_strconcat("0x", hex, NULL);
    Json *map = json_object_new_object();
    json_add_text(map, "sha256", digest);
    return map;
}

static Json *keys_of(const char *text)
{
    g_autofree char *hex = hex_encode(bytes_of_text(text));
    g_autofree char *data = g_strconcat("0x", hex, NULL);
    Json *key = json_object_new_object();
    json_add_text(key, "SignatureOwner", OWNER_TEXT);
    json_add_text(key, "SignatureData", data);
    return list_of(key);
}

Json *story_reference(void)
{
    Json *kernel = json_object_new_object();
    add_digest(kernel, "shim_authcode_sha256", "shim");
    add_digest(kernel, "grub_authcode_sha256", "grub");
    add_digest(kernel, "kernel_authcode_sha256", "kernel");
    add_digest(kernel, "initrd_plain_sha256", "initrd");
    json_add_text(kernel, "kernel_cmdline", "/vmlinuz ro");
    Json *firmware = json_object_new_object();
    json_add(firmware, "scrtm", digest_map(bytes_of("1\0", 2)));
    json_add(firmware, "platform_firmware", list_of(digest_map(bytes_of_text("blob"))));
    Json *reference = json_object_new_object();
    json_add(reference, "kernels", list_of(kernel));
    json_add(reference, "scrtm_and_bios", list_of(firmware));
    json_add(reference, "pk", keys_of("platform key"));
    json_add(reference, "kek", keys_of("exchange key"));
    json_add(reference, "db", keys_of("allowed key"));
    json_add(reference, "dbx", keys_of("a hash of thirty-two bytes......"));
    json_add(reference, "mokdig", list_of(digest_map(bytes_of_text("MokList"))));
    json_add(reference, "mokxdig", list_of(digest_map(bytes_of_text("MokListX"))));
    return reference;
}

Verdict *story_check(const Story *story, Json *reference, const StoryCheck *check)
{
    uint16_t bank = check->bank ? check->bank : TPM_ALG_SHA256;
    g_autoptr(GByteArray) bytes = story_log(story);
    UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    bool parsed = uefi_log_parse(bytes_of_array(bytes), &rules, &log, NULL);
    g_assert(parsed);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree PcrValues *pcrs = g_new0(PcrValues, 1);
    uint32_t quoted = check->pcrs ? check->pcrs : BOOT_PCRS;
    pcr_selection_add(&pcrs->selection, bank, quoted);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if ((quoted >> pcr & 1) != 0)
            pcr_values_set(pcrs, bank, pcr, uefi_replay_pcr(replay, bank, pcr));
    g_autofree char *text = json_to_text(reference);
    g_autoptr(BootPolicy) policy = boot_policy_new(check->rules, text);
    BootInput boot = {.log = bytes_of_array(bytes),
                      .policy = policy,
                      .profile = check->profile,
                      .evaluate = BOOT_EVALUATE_ALWAYS,
                      .pcrs = check->pcrs};
    PcrCheck input = {.pcrs = pcrs, .bank = bank, .boot = &boot};
    BootState state = {0};
    Verdict *verdict = verdict_new();
    pcr_check(&input, &state, verdict);
    g_assert(state.passed == (verdict->failure_count == 0));
    return verdict;
}
