/**
 * What kind of file a media type tells of. A hint only: browsers and tools declare types by the ends of names, so that
 * TypeScript is called a video and a Dockerfile nothing at all. Pure.
 */

/** `binary`: nothing that a model can be shown. `unknown`: only the content can tell. */
export type FileKind = "picture" | "pdf" | "text" | "binary" | "unknown"

const text =
  /^text\/|[/+](?:json|xml|yaml|toml|x-ndjson|javascript|typescript|sql|x-sh)$|^application\/x-(?:yaml|shellscript)$/u

/** What no text is declared as. Others may be: "video/mp2t" is often TypeScript, and "audio/x-mod" a go.mod. */
const binary =
  /^(?:font\/.+|(?:audio|video)\/(?:aac|flac|mp4|mpeg|ogg|quicktime|wav|webm|x-m4a|x-matroska|x-msvideo|x-wav))$|^application\/(?:gzip|java-archive|msword|wasm|x-7z-compressed|x-gzip|x-tar|zip|vnd\.(?:ms-|oasis\.|openxmlformats-|rar).*)$/u

export const of = (mediaType: string): FileKind => {
  if (text.test(mediaType)) return "text"
  if (mediaType.startsWith("image/")) return "picture"
  if (mediaType === "application/pdf") return "pdf"
  return binary.test(mediaType) ? "binary" : "unknown"
}
