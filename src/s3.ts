/** `skein/s3`: assets in a bucket of an S3-compatible store. */
export * as S3Assets from "./adapters/s3/S3Assets.js"
