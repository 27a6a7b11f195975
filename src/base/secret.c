/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "base/encoding.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

void secret_random(void *out, size_t size)
{
    g_assert(size <= G_MAXINT);
    if (RAND_bytes(out, (int)size) != 1)
        g_error("no random bytes from the operating system");
}

bool secret_equal(Bytes a, Bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

void secret_wipe(void *data, size_t size)
{
    if (data)
        OPENSSL_cleanse(data, size);
}

void secret_free_text(char *text)
{
    if (text)
        secret_wipe(text, strlen(text));
    g_free(text);
}

typedef struct {
    void *data;
    gsize size;
} SecretBlock;

static void secret_block_free(gpointer pointer)
{
    SecretBlock *block = pointer;
    secret_wipe(block->data, block->size);
    g_free(block->data);
    g_free(block);
}

static GBytes *secret_bytes_of(void *data, gsize size)
{
    SecretBlock *block = g_new(SecretBlock, 1);
    *block = (SecretBlock){data, size};
    return g_bytes_new_with_free_func(data, size, secret_block_free, block);
}

GBytes *secret_bytes_copy(Bytes secret)
{
    return secret_bytes_of(g_memdup2(secret.data, secret.size), secret.size);
}

GBytes *secret_bytes_take(GBytes *bytes)
{
    if (!bytes)
        return NULL;
    gsize size;
    void *data = g_bytes_unref_to_data(bytes, &size); /* no copy of the only reference */
    return secret_bytes_of(data, size);
}

/* One-shot digests of OpenSSL 3 look the algorithm up by name on every call; fetched once, they
 * cost only the hash. */
static const EVP_MD *fetched(const char *name, gsize *once)
{
    if (g_once_init_enter(once)) {
        EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
        if (!md)
            g_error("OpenSSL provides no %s", name);
        g_once_init_leave(once, (gsize)md);
    }
    return (const EVP_MD *)*once;
}

static const EVP_MD *md_sha256(void)
{
    static gsize once;
    return fetched("SHA256", &once);
}

static const EVP_MD *md_sha384(void)
{
    static gsize once;
    return fetched("SHA384", &once);
}

void sha256(Bytes data, uint8_t out[SHA256_SIZE])
{
    if (EVP_Digest(data.data, data.size, out, NULL, md_sha256(), NULL) != 1)
        g_error("SHA-256 failed");
}

static void hmac(const EVP_MD *md, Bytes key, Bytes data, uint8_t *out)
{
    static const uint8_t none[1];
    g_assert(key.size <= G_MAXINT);
    if (!HMAC(md, key.data ? key.data : none, (int)key.size, data.data ? data.data : none,
              data.size, out, NULL))
        g_error("HMAC failed");
}

void hmac_sha256(Bytes key, Bytes data, uint8_t out[SHA256_SIZE])
{
    hmac(md_sha256(), key, data, out);
}

void hmac_sha384(Bytes key, Bytes data, uint8_t out[SHA384_SIZE])
{
    hmac(md_sha384(), key, data, out);
}

static char *uuid_text(const uint8_t raw[16])
{
    g_autofree char *hex = hex_encode(bytes_of(raw, 16));
    return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

char *uuid_generate(void)
{
    uint8_t raw[16];
    secret_random(raw, sizeof raw);
    raw[6] = (raw[6] & 0x0f) | 0x40;
    raw[8] = (raw[8] & 0x3f) | 0x80;
    return uuid_text(raw);
}

char *uuid_normalise(const char *text)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);
    char *body = lower;
    size_t length = strlen(body);
    if (g_str_has_prefix(body, "urn:uuid:")) {
        body += strlen("urn:uuid:");
    } else if (length == 38 && body[0] == '{' && body[37] == '}') {
        body[37] = '\0';
        body++;
    }
    if (g_uuid_string_is_valid(body))
        return g_strdup(body);
    if (body != lower || strlen(body) != 32)
        return NULL;
    g_autoptr(GBytes) raw = hex_decode(body);
    return raw ? uuid_text(g_bytes_get_data(raw, NULL)) : NULL;
}

char *secret_fingerprint(const char *secret)
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_of_text(secret), digest);
    return hex_encode(bytes_of(digest, 4));
}
