/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/keystore.h"

#include "base/encoding.h"
#include "base/secret.h"
#include "pki/pem_file.h"
#include "pki/yaml_map.h"

#include <errno.h>
#include <openssl/kdf.h>
#include <string.h>

/* All four are upstream's and part of the format. */
#define PBKDF2_ROUNDS 100000
#define SEAL_KEY_SIZE 32
#define SEAL_IV_SIZE 16
#define SEAL_TAG_SIZE 16

#define SALT_SIZE 16

Keystore *keystore_new(EVP_PKEY *ca_key)
{
    Keystore *keystore = g_new0(Keystore, 1);
    keystore->ca_key = ca_key;
    keystore->last_serial = 1;
    keystore->revoked = g_ptr_array_new_with_free_func(g_free);
    keystore->others =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    return keystore;
}

void keystore_free(Keystore *keystore)
{
    if (!keystore)
        return;
    EVP_PKEY_free(keystore->ca_key);
    g_ptr_array_unref(keystore->revoked);
    g_hash_table_unref(keystore->others);
    g_free(keystore);
}

/* The salt is the *text*, not what it encodes. */
static bool derive_key(const char *password, const char *salt, uint8_t out[SEAL_KEY_SIZE])
{
    return PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const uint8_t *)salt,
                             (int)strlen(salt), PBKDF2_ROUNDS, EVP_sha256(), SEAL_KEY_SIZE,
                             out) == 1;
}

/* AES-256-GCM over `in`, in either direction. `out` has room for in.size bytes. */
static bool gcm(bool seal, const uint8_t key[SEAL_KEY_SIZE], const uint8_t iv[SEAL_IV_SIZE],
                Bytes in, uint8_t *out, uint8_t tag[SEAL_TAG_SIZE])
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size = 0, rest = 0;
    bool good =
        EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, NULL, NULL, seal) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_IVLEN, SEAL_IV_SIZE, NULL) == 1 &&
        EVP_CipherInit_ex(cipher, NULL, NULL, key, iv, seal) == 1 &&
        EVP_CipherUpdate(cipher, out, &size, in.data, (int)in.size) == 1 &&
        (seal || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) == 1) &&
        EVP_CipherFinal_ex(cipher, out + size, &rest) == 1 &&
        (!seal || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    return good;
}

/* The text under the seal, a secret; NULL when the password is wrong or a byte was changed. */
static char *open_seal(Bytes sealed, const char *password, const char *salt)
{
    Reader reader = reader_of(sealed);
    Bytes iv, content, tag;
    if (sealed.size < SEAL_IV_SIZE + SEAL_TAG_SIZE || !reader_take(&reader, SEAL_IV_SIZE, &iv) ||
        !reader_take(&reader, reader.rest.size - SEAL_TAG_SIZE, &content) ||
        !reader_take(&reader, SEAL_TAG_SIZE, &tag))
        return NULL;
    uint8_t key[SEAL_KEY_SIZE], tag_copy[SEAL_TAG_SIZE];
    memcpy(tag_copy, tag.data, sizeof tag_copy);
    char *text = g_malloc0(content.size + 1);
    bool good = derive_key(password, salt, key) &&
                gcm(false, key, iv.data, content, (uint8_t *)text, tag_copy) &&
                strlen(text) == content.size;
    secret_wipe(key, sizeof key);
    if (!good) {
        secret_wipe(text, content.size);
        g_clear_pointer(&text, g_free);
    }
    return text;
}

/* IV, ciphertext and tag, as base64 text. */
static char *make_seal(const char *text, const char *password, const char *salt)
{
    size_t size = strlen(text);
    g_autofree uint8_t *sealed = g_malloc(SEAL_IV_SIZE + size + SEAL_TAG_SIZE);
    uint8_t key[SEAL_KEY_SIZE];
    secret_random(sealed, SEAL_IV_SIZE);
    bool good =
        derive_key(password, salt, key) && gcm(true, key, sealed, bytes_of_text(text),
                                               sealed + SEAL_IV_SIZE, sealed + SEAL_IV_SIZE + size);
    secret_wipe(key, sizeof key);
    return good ? base64_encode(bytes_of(sealed, SEAL_IV_SIZE + size + SEAL_TAG_SIZE)) : NULL;
}

static const YamlValue *member(GHashTable *map, const char *name, YamlKind kind)
{
    const YamlValue *value = g_hash_table_lookup(map, name);
    return value && value->kind == kind ? value : NULL;
}

static char *text_of_bytes(GBytes *bytes)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    return g_strndup(data, size);
}

/* The opened mapping's members into a key store. */
static Keystore *keystore_from_map(GHashTable *map, GError **error)
{
    const YamlValue *ca = member(map, "ca", YAML_BINARY);
    if (!ca) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED, "it holds no CA key");
        return NULL;
    }
    char *pem = text_of_bytes(ca->bytes);
    EVP_PKEY *key = pem_private_key_from_text(pem, error);
    secret_free_text(pem);
    if (!key)
        return NULL;
    Keystore *keystore = keystore_new(key);
    GHashTableIter iterator;
    gpointer name, data;
    g_hash_table_iter_init(&iterator, map);
    while (g_hash_table_iter_next(&iterator, &name, &data)) {
        const YamlValue *value = data;
        if (value->kind == YAML_BINARY && strcmp(name, "ca") != 0)
            g_hash_table_insert(keystore->others, g_strdup(name), g_bytes_ref(value->bytes));
    }
    const YamlValue *serial = member(map, "lastserial", YAML_TEXT);
    if (serial)
        g_ascii_string_to_signed(serial->text, 10, 0, G_MAXINT64, &keystore->last_serial, NULL);
    const YamlValue *revoked = member(map, "revoked_keys", YAML_LIST);
    for (guint i = 0; revoked && i < revoked->list->len; i++)
        g_ptr_array_add(keystore->revoked, g_strdup(revoked->list->pdata[i]));
    return keystore;
}

/* From the file's text to the opened mapping. */
static GHashTable *open_file(const char *text, const char *password, GError **error)
{
    const char *reason = "it lacks `priv` or `salt`";
    g_autoptr(GHashTable) outer = yaml_map_parse(text, &reason);
    const YamlValue *priv = outer ? member(outer, "priv", YAML_BINARY) : NULL;
    const YamlValue *salt = outer ? member(outer, "salt", YAML_TEXT) : NULL;
    if (!priv || !salt) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED, reason);
        return NULL;
    }
    g_autofree char *encoded = text_of_bytes(priv->bytes);
    g_autoptr(GBytes) sealed = base64_decode(encoded);
    char *opened = sealed ? open_seal(bytes_of_gbytes(sealed), password, salt->text) : NULL;
    if (!opened) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                            "wrong password ([ca] password) or damaged file");
        return NULL;
    }
    GHashTable *map = yaml_map_parse(opened, &reason);
    secret_free_text(opened);
    if (!map)
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED, reason);
    return map;
}

Keystore *keystore_load(const char *path, const char *password, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, &reason)) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "key store %s: %s", path, reason->message);
        return NULL;
    }
    g_autoptr(GHashTable) map = open_file(text, password, &reason);
    Keystore *keystore = map ? keystore_from_map(map, &reason) : NULL;
    if (!keystore)
        g_set_error(error, reason->domain, reason->code,
                    "key store %s: %s; if it is damaged, put a backup of it in its place", path,
                    reason->message);
    return keystore;
}

static char *inner_text(const Keystore *keystore)
{
    GString *text = g_string_new(NULL);
    char *pem = pem_of_private_key(keystore->ca_key, NULL);
    yaml_map_append_binary(text, "ca", bytes_of_text(pem));
    secret_free_text(pem);
    GHashTableIter iterator;
    gpointer name, bytes;
    g_hash_table_iter_init(&iterator, keystore->others);
    while (g_hash_table_iter_next(&iterator, &name, &bytes))
        yaml_map_append_binary(text, name, bytes_of_gbytes(bytes));
    g_autofree char *serial = g_strdup_printf("%" G_GINT64_FORMAT, keystore->last_serial);
    yaml_map_append_text(text, "lastserial", serial);
    yaml_map_append_list(text, "revoked_keys", keystore->revoked);
    return g_string_free(text, FALSE);
}

bool keystore_save(const Keystore *keystore, const char *path, const char *password, GError **error)
{
    uint8_t random[SALT_SIZE];
    secret_random(random, sizeof random);
    g_autofree char *salt = base64_encode(BYTES_OF_ARRAY(random));
    char *inner = inner_text(keystore);
    g_autofree char *sealed = make_seal(inner, password, salt);
    secret_free_text(inner);
    if (!sealed) {
        pki_set_openssl_error(error, "cannot seal the key store");
        return false;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    yaml_map_append_binary(text, "priv", bytes_of_text(sealed));
    yaml_map_append_text(text, "salt", salt);
    return pem_file_write(path, text->str, text->len, PEM_MODE_SECRET, error);
}
