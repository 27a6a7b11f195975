/* SPDX-License-Identifier: Apache-2.0 */
#include "made_list.h"

#include "base/encoding.h"
#include "evidence/ima/algorithm.h"
#include "evidence/ima/template.h"

#include <string.h>

MadeList *made_list_new(void)
{
    MadeList *list = g_new0(MadeList, 1);
    list->text = g_string_new(NULL);
    return list;
}

void made_list_free(MadeList *list)
{
    g_string_free(list->text, TRUE);
    g_free(list);
}

static void add(MadeList *list, const char *rest, bool violation)
{
    static const uint8_t zeros[20], ones[32] = {[0 ... 31] = 0xff};
    g_autofree char *draft = g_strconcat("10 00 ", rest, NULL);
    g_autofree uint8_t *memory = g_malloc(ima_entry_memory(strlen(draft)));
    g_autoptr(ImaHasher) hasher = ima_hasher_new(TPM_ALG_SHA1, TPM_ALG_SHA256);
    ImaEntry entry;
    ImaTemplateDigests digests;
    g_assert(!ima_entry_parse(bytes_of_text(draft), true, memory, &entry));
    g_assert(ima_hasher_entry(hasher, &entry, &digests));
    g_assert(ima_hasher_extend(hasher, list->pcr, violation ? ones : digests.extended));
    g_autofree char *column = hex_encode(bytes_of(violation ? zeros : digests.column, 20));
    g_string_append_printf(list->text, "10 %s %s\n", column, rest);
    list->entries++;
}

void made_list_add(MadeList *list, const char *rest)
{
    add(list, rest, false);
}

void made_list_add_file(MadeList *list, const char *path, uint8_t digest_byte)
{
    g_autofree char *rest = g_strdup_printf("ima-ng sha256:%s %s", made_digest(digest_byte), path);
    add(list, rest, false);
}

void made_list_add_violation(MadeList *list, const char *path)
{
    g_autofree char *rest = g_strdup_printf("ima-ng sha256:%s %s", made_digest(0), path);
    add(list, rest, true);
}

void made_list_add_buffer(MadeList *list, const char *name, Bytes buffer)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size;
    g_assert(ima_hash_data(bytes_of_text("sha256"), buffer, digest, &size));
    g_autofree char *digest_text = hex_encode(bytes_of(digest, size));
    g_autofree char *buffer_text = hex_encode(buffer);
    g_autofree char *rest =
        g_strdup_printf("ima-buf sha256:%s %s %s", digest_text, name, buffer_text);
    add(list, rest, false);
}

ImaInput made_list_input(const MadeList *list, const RuntimePolicy *policy)
{
    return (ImaInput){.list = bytes_of(list->text->str, list->text->len),
                      .policy = policy,
                      .bank = TPM_ALG_SHA256,
                      .quoted = bytes_of(list->pcr, 32),
                      .rules = ima_rules_default};
}

RuntimePolicy *made_policy(const char *digests, const char *excludes, const char *keyrings,
                           const char *verification_keys)
{
    g_autofree char *text = g_strdup_printf(
        "{\"meta\":{\"version\":1,\"generator\":3},\"release\":0,\"digests\":{\"boot_aggregate\":["
        "\"%s\"]%s%s},\"excludes\":[%s],\"keyrings\":{%s},\"ima\":{\"ignored_keyrings\":[],"
        "\"log_hash_alg\":\"sha1\",\"dm_policy\":null},\"ima-buf\":{},\"verification-keys\":\"%"
        "s\"}",
        made_digest(0xba), *digests ? "," : "", digests, excludes, keyrings, verification_keys);
    g_autoptr(GError) error = NULL;
    RuntimePolicy *policy =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, &error);
    if (!policy)
        g_error("%s", error->message);
    return policy;
}

const char *made_digest(uint8_t byte)
{
    static char texts[2][65];
    static unsigned turn;
    char *text = texts[++turn % 2];
    uint8_t digest[32];
    memset(digest, byte, sizeof digest);
    g_autofree char *hex = hex_encode(BYTES_OF_ARRAY(digest));
    memcpy(text, hex, 65);
    return text;
}

char *events_of(const Verdict *verdict)
{
    GString *events = g_string_new(NULL);
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++)
        g_string_append_printf(
            events, "%s%s", i > 0 ? " " : "",
            json_member_text(json_object_array_get_idx(verdict->failures, i), "event_id"));
    return g_string_free(events, FALSE);
}
