/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/accept.h"

#include <string.h>

/* Every word that upstream's lists know (tpm-formats §2.2); those we never verify with are known,
 * so that an operator's list made for upstream is not refused, and match no key (decision D6). */
static const char *const hash_words[] = {"sha1", "sha256", "sha384", "sha512", "sm3_256", NULL};
static const char *const signing_words[] = {"rsassa",    "rsapss", "ecdsa",
                                            "ecschnorr", "ecdaa",  NULL};

/* A word of the list of key algorithms: the family, and the size it stands for; 0 admits every
 * size. */
static const struct {
    const char *word;
    const char *family;
    unsigned bits;
} encryption_words[] = {
    {"rsa", "rsa", 0},        {"rsa1024", "rsa", 1024},
    {"rsa2048", "rsa", 2048}, {"rsa3072", "rsa", 3072},
    {"rsa4096", "rsa", 4096}, {"ecc", "ecc", 0},
    {"ecc192", "ecc", 192},   {"ecc_nist_p192", "ecc", 192},
    {"ecc224", "ecc", 224},   {"ecc_nist_p224", "ecc", 224},
    {"ecc256", "ecc", 256},   {"ecc_nist_p256", "ecc", 256},
    {"ecc384", "ecc", 384},   {"ecc_nist_p384", "ecc", 384},
    {"ecc521", "ecc", 521},   {"ecc_nist_p521", "ecc", 521},
    {"ecc_sm2", "sm2", 256},  {"ecc_sm2_p256", "sm2", 256},
};

bool accept_hash_is_known(const char *word)
{
    return word && g_strv_contains(hash_words, word);
}

bool accept_signing_is_known(const char *word)
{
    return word && g_strv_contains(signing_words, word);
}

bool accept_encryption_is_known(const char *word)
{
    for (size_t i = 0; word && i < G_N_ELEMENTS(encryption_words); i++)
        if (strcmp(encryption_words[i].word, word) == 0)
            return true;
    return false;
}

bool accept_allows_hash(const AcceptLists *lists, const char *hash)
{
    return lists->hashes && hash && g_strv_contains(lists->hashes, hash);
}

bool accept_allows_signing(const AcceptLists *lists, const char *scheme)
{
    return lists->signing && scheme && g_strv_contains(lists->signing, scheme);
}

static bool word_allows_key(const char *word, const char *family, unsigned bits)
{
    for (size_t i = 0; i < G_N_ELEMENTS(encryption_words); i++)
        if (strcmp(encryption_words[i].word, word) == 0)
            return strcmp(encryption_words[i].family, family) == 0 &&
                   (encryption_words[i].bits == 0 || encryption_words[i].bits == bits);
    return false;
}

bool accept_allows_key(const AcceptLists *lists, const char *family, unsigned bits)
{
    for (const char *const *word = lists->encryption; family && word && *word; word++)
        if (word_allows_key(*word, family, bits))
            return true;
    return false;
}
