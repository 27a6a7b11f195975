/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/pem_file.h"

#include "base/readable.h"
#define LOG_NAME "keylime.web"
#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* No key or certificate file is near this; a wrong path cannot fill the memory. */
#define PEM_FILE_MAX (1024 * 1024)

GQuark pki_error_quark(void)
{
    return g_quark_from_static_string("pki-error");
}

void pki_set_openssl_error(GError **error, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    g_set_error(error, PKI_ERROR, PKI_ERROR_OPENSSL, "%s: %s", what,
                reason ? reason : "unknown OpenSSL error");
    ERR_clear_error();
}

bool pem_file_check_readable(const char *path, const char *role, GError **error)
{
    g_autofree char *problem = readable_problem(path);
    if (!problem)
        return true;
    g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "%s %s: %s", role, path, problem);
    return false;
}

void pem_file_warn_world_readable(const char *key)
{
    struct stat status;
    if (stat(key, &status) == 0 && (status.st_mode & S_IROTH))
        log_warning("Private key %s is readable by every user (mode %04o): chmod 0600 %s", key,
                    (unsigned)(status.st_mode & 07777), key);
}

static BIO *open_pem(const char *path, GError **error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "%s: %s", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > PEM_FILE_MAX) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "%s is no PEM file", path);
        return NULL;
    }
    BIO *file = BIO_new_file(path, "r");
    if (!file) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "%s: %s", path, g_strerror(errno));
        ERR_clear_error();
    }
    return file;
}

X509 *pem_file_certificate(const char *path, GError **error)
{
    g_autoptr(BIO) file = open_pem(path, error);
    if (!file)
        return NULL;
    X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
    if (!certificate) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                    "%s holds no readable PEM certificate: is it cut short? Copy it anew", path);
        ERR_clear_error();
    }
    return certificate;
}

/* Gives the configured password; without one nothing, so that OpenSSL never asks on the terminal.
 */
static int give_password(char *buffer, int size, int writing, void *context)
{
    const char *password = context;
    size_t length = password ? strlen(password) : 0;
    if (length == 0 || length > (size_t)size)
        return -1;
    memcpy(buffer, password, length);
    return (int)length;
}

EVP_PKEY *pem_file_private_key(const char *path, const char *password, GError **error)
{
    g_autoptr(BIO) file = open_pem(path, error);
    if (!file)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, give_password, (void *)password);
    if (!key) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                    "%s holds no private key that can be read %s", path,
                    password && *password ? "with the configured password"
                                          : "without a password (is it encrypted?)");
        ERR_clear_error();
    }
    return key;
}

/* Content of a memory BIO as text, newly allocated. */
static char *text_of(BIO *memory)
{
    char *data = NULL;
    long size = BIO_get_mem_data(memory, &data);
    return g_strndup(data, size > 0 ? (gsize)size : 0);
}

char *pem_of_certificate(X509 *certificate)
{
    g_autoptr(BIO) memory = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(memory, certificate);
    return text_of(memory);
}

char *pem_of_public_key(EVP_PKEY *key)
{
    g_autoptr(BIO) memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(memory, key);
    return text_of(memory);
}

char *pem_of_private_key(EVP_PKEY *key, const char *password)
{
    bool encrypted = password && *password;
    g_autoptr(BIO) memory = BIO_new(BIO_s_secmem());
    PEM_write_bio_PKCS8PrivateKey(memory, key, encrypted ? EVP_aes_256_cbc() : NULL, password,
                                  encrypted ? (int)strlen(password) : 0, NULL, NULL);
    return text_of(memory);
}

EVP_PKEY *pem_private_key_from_text(const char *text, GError **error)
{
    g_autoptr(BIO) memory = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(memory, NULL, give_password, NULL);
    if (!key)
        pki_set_openssl_error(error, "private key");
    return key;
}

/* A tool that root runs must not take the servers' files away from them. The directory may be the
 * servers': a link that one of them puts in the file's place must not turn this on another file. */
static bool keep_owner(const char *path, const struct stat *before)
{
    return geteuid() != 0 || lchown(path, before->st_uid, before->st_gid) == 0;
}

bool pem_file_write_beside(const char *new_path, const char *path, const char *text, size_t size,
                           int mode, GError **error)
{
    g_autoptr(GError) reason = NULL;
    struct stat before;
    bool replaces = stat(path, &before) == 0;
    bool written = g_file_set_contents_full(
        new_path, text, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
        mode, &reason);
    if (written && (!replaces || keep_owner(new_path, &before)))
        return true;
    g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "cannot write %s: %s", new_path,
                !reason                                                     ? g_strerror(errno)
                : g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? g_strerror(ENOSPC)
                : g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_ACCES) ? g_strerror(EACCES)
                                                                            : reason->message);
    return false;
}

bool pem_file_write(const char *path, const char *text, size_t size, int mode, GError **error)
{
    return pem_file_write_beside(path, path, text, size, mode, error);
}

int directory_lock(const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, ".lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    int reason = errno;
    g_autofree char *problem = writable_problem(directory);
    if (problem)
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "cannot write into directory %s: %s",
                    directory, problem);
    else
        g_set_error(error, PKI_ERROR, PKI_ERROR_FILE, "cannot lock %s: %s", path,
                    g_strerror(reason));
    if (fd >= 0)
        close(fd);
    return -1;
}
