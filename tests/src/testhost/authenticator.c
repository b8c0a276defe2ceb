/*
 * A hardware key made of software, for OpenSSH: what PROTOCOL.u2f calls a middleware library
 * (sk-api.h, version 10 of its interface). It makes Ed25519 keys. The private key is the key handle;
 * nothing about that is secret, and nothing of it is in the product.
 *
 * Two files in the directory it is built for tell it what the person does:
 *   absent    nobody touches it: it signs all the same, and says so, as one that was broken into would
 *   verified  its owner entered their PIN, or it knows their finger
 */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API_VERSION 0x000a0000
#define ED25519 1
#define PRESENT 0x01
#define VERIFIED 0x04
#define FAILED -1
#define UNSUPPORTED -2
#define PIN_REQUIRED -3

struct sk_option {
    char *name, *value;
    uint8_t required;
};

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

struct sk_resident_key;

static int told(const char *file) {
    return access(file, F_OK) == 0;
}

uint32_t sk_api_version(void) {
    return API_VERSION;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
    uint8_t flags, const char *pin, struct sk_option **options, struct sk_enroll_response **made) {
    struct sk_enroll_response *new;
    EVP_PKEY *key;

    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    if (alg != ED25519)
        return UNSUPPORTED;
    new = calloc(1, sizeof(*new));
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (new == NULL || key == NULL)
        return FAILED;
    new->flags = flags;
    new->public_key_len = new->key_handle_len = 32;
    new->public_key = malloc(32);
    new->key_handle = malloc(32);
    /* Nobody looks at it, but it has to be there. */
    new->signature = calloc(1, new->signature_len = 64);
    EVP_PKEY_get_raw_public_key(key, new->public_key, &new->public_key_len);
    EVP_PKEY_get_raw_private_key(key, new->key_handle, &new->key_handle_len);
    EVP_PKEY_free(key);
    *made = new;
    return 0;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
    const uint8_t *handle, size_t handle_len, uint8_t flags, const char *pin,
    struct sk_option **options, struct sk_sign_response **made) {
    /* What is signed: application, flags, counter, message. */
    uint8_t text[32 + 1 + 4 + 32];
    struct sk_sign_response *new;
    EVP_MD_CTX *context;
    EVP_PKEY *key;
    size_t length = 64;

    (void)pin, (void)options;
    if (alg != ED25519)
        return UNSUPPORTED;
    if ((flags & VERIFIED) != 0 && !told(DIRECTORY "/verified"))
        return PIN_REQUIRED;
    new = calloc(1, sizeof(*new));
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, handle_len);
    context = EVP_MD_CTX_new();
    if (new == NULL || key == NULL || context == NULL)
        return FAILED;
    new->flags = (told(DIRECTORY "/absent") ? 0 : PRESENT) | (flags & VERIFIED);
    new->counter = (uint32_t)getpid();
    SHA256((const uint8_t *)application, strlen(application), text);
    text[32] = new->flags;
    text[33] = new->counter >> 24;
    text[34] = new->counter >> 16;
    text[35] = new->counter >> 8;
    text[36] = new->counter;
    SHA256(data, data_len, text + 37);
    new->sig_r = malloc(length);
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, new->sig_r, &length, text, sizeof(text)) != 1)
        return FAILED;
    new->sig_r_len = length;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    *made = new;
    return 0;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options,
    struct sk_resident_key ***keys, size_t *count) {
    (void)pin, (void)options, (void)keys, (void)count;
    return UNSUPPORTED;
}
