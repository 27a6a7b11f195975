/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_list.h"

#include "base/encoding.h"
#include "evidence/ima/template.h"
#include "measure.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

ListKey list_key_new(ListKind kind)
{
    if (kind == LIST_PLAIN)
        return (ListKey){0};
    ListKey key = {.pkey = kind == LIST_SIGNED_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key.pkey, &der);
    g_assert(size > 0);
    key.public = g_bytes_new(der, (gsize)size);
    OPENSSL_free(der);
    g_autoptr(ImaKey) parsed = ima_key_parse_public(bytes_of_gbytes(key.public), NULL);
    key.id = ima_key_id(parsed);
    return key;
}

void list_key_clear(ListKey *key)
{
    EVP_PKEY_free(key->pkey);
    g_clear_pointer(&key->public, g_bytes_unref);
}

static const char *path_of(size_t number, char path[64])
{
    g_snprintf(path, 64, "/usr/lib/x86_64-linux-gnu/module-%08zu/file.so.1", number);
    return number == 0 ? "boot_aggregate" : path;
}

static void digest_of(size_t number, uint8_t out[32])
{
    char path[64];
    const char *name = path_of(number, path);
    EVP_Digest(name, strlen(name), out, NULL, tpm_hash_md(TPM_ALG_SHA256), NULL);
}

/* The signature field: its header, then RSA PKCS#1 v1.5 or ECDSA over the digest. */
static GByteArray *sign(const ListKey *key, const uint8_t digest[32])
{
    uint8_t signature[512];
    size_t size = sizeof signature;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool done = EVP_PKEY_sign_init(context) == 1;
    if (EVP_PKEY_is_a(key->pkey, "RSA"))
        done = done && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    done = done && EVP_PKEY_CTX_set_signature_md(context, tpm_hash_md(TPM_ALG_SHA256)) == 1 &&
           EVP_PKEY_sign(context, signature, &size, digest, 32) == 1;
    EVP_PKEY_CTX_free(context);
    g_assert(done);
    GByteArray *field = g_byte_array_new();
    append_u8(field, 3);
    append_u8(field, 2);
    append_u8(field, 4);
    append_u32_be(field, key->id);
    append_tpm2b(field, bytes_of(signature, size));
    return field;
}

/* What follows the second column. */
static char *rest_of_line(size_t number, const ListKey *key, const uint8_t digest[32])
{
    char path[64];
    g_autofree char *hex = hex_encode(bytes_of(digest, 32));
    if (!key->pkey)
        return g_strdup_printf("ima-ng sha256:%s %s", hex, path_of(number, path));
    g_autoptr(GByteArray) field = number == 0 ? g_byte_array_new() : sign(key, digest);
    g_autofree char *signature = hex_encode(bytes_of_array(field));
    return g_strdup_printf("ima-sig sha256:%s %s %s", hex, path_of(number, path), signature);
}

static void add_entry(List *list, ImaHasher *hasher, const char *rest)
{
    g_autofree char *draft = g_strconcat("10 00 ", rest, NULL);
    g_autofree uint8_t *memory = g_malloc(ima_entry_memory(strlen(draft)));
    ImaEntry entry;
    ImaTemplateDigests digests;
    g_assert(!ima_entry_parse(bytes_of_text(draft), true, memory, &entry));
    g_assert(ima_hasher_entry(hasher, &entry, &digests));
    ima_hasher_extend(hasher, list->pcr, digests.extended);
    gsize before = list->floor->len;
    ima_template_append(&entry, list->floor);
    gsize size = list->floor->len - before;
    g_array_append_val(list->floor_sizes, size);
    g_autofree char *column = hex_encode(bytes_of(digests.column, 20));
    g_string_append_printf(list->text, "10 %s %s\n", column, rest);
}

List *list_new(size_t entries, const ListKey *key, ListKind kind)
{
    List *list = g_new0(List, 1);
    list->text = g_string_new(NULL);
    list->floor = g_byte_array_new();
    list->floor_sizes = g_array_new(FALSE, FALSE, sizeof(gsize));
    list->kind = kind;
    list->entries = entries;
    g_autoptr(ImaHasher) hasher = ima_hasher_new(TPM_ALG_SHA1, TPM_ALG_SHA256);
    for (size_t i = 0; i < entries; i++) {
        uint8_t digest[32];
        digest_of(i, digest);
        g_autofree char *rest = rest_of_line(i, key, digest);
        add_entry(list, hasher, rest);
    }
    return list;
}

void list_free(List *list)
{
    g_string_free(list->text, TRUE);
    g_byte_array_unref(list->floor);
    g_array_unref(list->floor_sizes);
    g_free(list);
}

static void append_keys(GString *text, const ListKey *key)
{
    if (!key || !key->public)
        return;
    g_autofree char *base64 = base64_encode(bytes_of_gbytes(key->public));
    g_string_append_printf(text, "{\\\"pubkeys\\\":[\\\"%s\\\"],\\\"keyids\\\":[%u]}", base64,
                           key->id);
}

GString *policy_text_new(size_t digests, size_t listed, const char *excludes, const ListKey *key)
{
    GString *text = g_string_new("{\"meta\":{\"version\":1,\"generator\":3},\"release\":0,"
                                 "\"digests\":{");
    for (size_t i = 0; i < digests; i++) {
        size_t number = i < listed ? i : 10000000 + i;
        uint8_t digest[32];
        char path[64];
        digest_of(number, digest);
        g_autofree char *hex = hex_encode(BYTES_OF_ARRAY(digest));
        g_string_append_printf(text, "%s\"%s\":[\"%s\"]", i > 0 ? "," : "", path_of(number, path),
                               hex);
    }
    g_string_append_printf(text,
                           "},\"excludes\":[%s],\"keyrings\":{},\"ima\":{\"ignored_keyrings\":[],"
                           "\"log_hash_alg\":\"sha1\",\"dm_policy\":null},\"ima-buf\":{},"
                           "\"verification-keys\":\"",
                           excludes);
    append_keys(text, key);
    g_string_append(text, "\"}");
    return text;
}

static bool digest_again(EVP_MD_CTX *context, const uint8_t *data, size_t size, uint8_t *out)
{
    return EVP_DigestInit_ex2(context, NULL, NULL) == 1 &&
           EVP_DigestUpdate(context, data, size) == 1 &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

double list_floor_seconds(const List *list)
{
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new(), *sha256 = EVP_MD_CTX_new();
    EVP_DigestInit_ex2(sha1, tpm_hash_md(TPM_ALG_SHA1), NULL);
    EVP_DigestInit_ex2(sha256, tpm_hash_md(TPM_ALG_SHA256), NULL);
    uint8_t column[20], both[64] = {0};
    double start = thread_cpu_seconds();
    const uint8_t *data = list->floor->data;
    for (guint i = 0; i < list->floor_sizes->len; i++) {
        gsize size = g_array_index(list->floor_sizes, gsize, i);
        g_assert(digest_again(sha1, data, size, column) &&
                 digest_again(sha256, data, size, both + 32) &&
                 digest_again(sha256, both, sizeof both, both));
        data += size;
    }
    double seconds = thread_cpu_seconds() - start;
    g_assert(memcmp(both, list->pcr, 32) == 0);
    EVP_MD_CTX_free(sha1);
    EVP_MD_CTX_free(sha256);
    return seconds;
}
