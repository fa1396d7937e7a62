/** The bucket of the tests, and assets in it. Its secrets are recognizable by their names: no text may contain them. */
import { Redacted } from "effect"
import { S3Assets } from "skein/s3"

export const bucket = {
  bucket: "test-bucket",
  region: "eu-test-1",
  accessKeyId: "CANARYACCESSKEY",
  secretAccessKey: "canary/secret+key",
  sessionToken: "canary-session-token"
}

/** Assets in the bucket of the server at `endpoint`. */
export const bucketAt = (endpoint: string, options: Partial<S3Assets.Options> = {}) =>
  S3Assets.layer({
    ...bucket,
    endpoint,
    secretAccessKey: Redacted.make(bucket.secretAccessKey),
    sessionToken: Redacted.make(bucket.sessionToken),
    ...options
  })
