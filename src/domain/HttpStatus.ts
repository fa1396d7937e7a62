/** The statuses of errors over HTTP. */

/** The status that `HttpApi` of @effect/platform answers with, by that package's own annotation. */
export const httpStatus = (status: 403 | 404 | 409 | 410 | 421 | 422 | 500 | 502 | 503) => ({
  [Symbol.for("@effect/platform/HttpApiSchema/AnnotationStatus")]: status
})
