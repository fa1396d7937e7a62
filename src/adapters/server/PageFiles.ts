/**
 * The files of the page: its document at `/`, script, style and icon under `/page/`. They say nothing about anybody's
 * sessions, so they need no credentials. All are read once, at the start, and kept in memory, also compressed.
 *
 * The document is made here from the names of script and style, which contain a hash of their contents: browsers keep
 * those two forever, and ask for the document each time. All addresses are relative, so the page works under any path.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

interface File {
  readonly type: string
  readonly etag: string
  readonly cached: string
  readonly plain: Uint8Array
  readonly zipped: Uint8Array
}

const revalidated = "no-cache"
const kept = "public, max-age=31536000, immutable"

const fileOf = (type: string, cached: string, plain: Uint8Array): File => ({
  type,
  cached,
  plain,
  zipped: gzipSync(plain, { level: 9 }),
  etag: `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`
})

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="none" stroke="#3f9c89" stroke-width="2" stroke-linecap="round"><path d="M2 4c6 0 6 8 12 8"/><path d="M2 8h12"/><path d="M2 12c6 0 6-8 12-8"/></g></svg>`

const documentOf = (script: string, style: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Skein</title>
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/${style}">
<script type="module" src="page/${script}"></script>
</head>
<body><div id="page"><noscript>This page needs JavaScript.</noscript></div></body>
</html>
`

/** Where the page may be: next to the bundle, above one of its pieces, or as seen from the sources. */
const places = ["page/", "../page/", "../../page/", "../../../dist/page/"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url))
)

const namesOf = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.orElseSucceed(
    Effect.tryPromise(() => readdir(folder)),
    () => []
  )

const find = Effect.gen(function* () {
  for (const folder of places) {
    const names = yield* namesOf(folder)
    const script = names.find((name) => /^main-\w+\.js$/.test(name))
    const style = names.find((name) => /^page-\w+\.css$/.test(name))
    if (script !== undefined && style !== undefined) return { folder, script, style }
  }
  return null
})

const responseTo = ({ headers, method }: HttpServerRequest, file: File): HttpServerResponse.HttpServerResponse => {
  const about = { etag: file.etag, "cache-control": file.cached, vary: "accept-encoding" }
  if (headers["if-none-match"] === file.etag) return HttpServerResponse.empty({ status: 304, headers: about })
  const zips = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
  const body = zips ? file.zipped : file.plain
  return HttpServerResponse.uint8Array(method === "HEAD" ? new Uint8Array() : body, {
    contentType: file.type,
    headers: zips ? { ...about, "content-encoding": "gzip" } : about
  })
}

const missing = HttpServerResponse.text("The page was not built: npm run bundle", { status: 404 })
const notFound = HttpServerResponse.empty({ status: 404 })

/** Loads an app of the page's files. If they were not built, the app says so in every answer. */
export const load: Effect.Effect<HttpApp.Default> = Effect.gen(function* () {
  const found = yield* find
  if (found === null) return Effect.succeed(missing)
  const read = (name: string) => Effect.promise(() => readFile(found.folder + name))
  const text = new TextEncoder()
  const files = new Map([
    ["/", fileOf("text/html; charset=utf-8", revalidated, text.encode(documentOf(found.script, found.style)))],
    ["/page/icon.svg", fileOf("image/svg+xml", revalidated, text.encode(icon))],
    [`/page/${found.script}`, fileOf("text/javascript; charset=utf-8", kept, yield* read(found.script))],
    [`/page/${found.style}`, fileOf("text/css; charset=utf-8", kept, yield* read(found.style))]
  ])
  return Effect.map(HttpServerRequest, (request) => {
    const [path = ""] = request.url.split("?")
    const file = files.get(path)
    return file === undefined ? notFound : responseTo(request, file)
  })
})
