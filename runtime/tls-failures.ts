// How Node says that one side of a TLS connection does not accept the other.

// https://nodejs.org/api/tls.html#x509-certificate-error-codes and https://nodejs.org/api/errors.html#openssl-error-codes
const codes =
  /^(ERR_SSL_|ERR_TLS_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|EPROTO)/;

export const isTlsFailure = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && codes.test(String(error.code));

/**
 * What happened, without where in OpenSSL, and without the advice to trust the authorities of the system, which is none
 * where an authority was named.
 */
export const plainWords = (message: string): string =>
  message
    .replace(/; if the root CA is installed locally.*$/, '')
    .replace(/[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):.*$/s, '$1');
