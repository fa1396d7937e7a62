/** The media type of what a server answers. */

/** Without parameters; null when there is none. */
export const of = (headers: Headers): string | null =>
  headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? null
