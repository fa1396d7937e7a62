import { assert, it } from "@effect/vitest"
import * as FileWeight from "../../../src/domain/FileWeight.js"

it("files count by their declared type and size: what may be a text, as one unless it is large", () => {
  for (const [mediaType, size, characters] of [
    ["text/plain", 70, 70],
    ["application/x-yaml", 70_000, 70_000],
    ["application/octet-stream", 70_000, 70_000],
    ["video/mp2t", 100_000, 100_000],
    ["application/vnd.sqlite3", 70_000_000, 4_000],
    ["text/csv", 70_000_000, 100_000],
    ["image/png", 3_000_000, 4_000],
    ["image/jpg", 3_000_000, 4_000],
    ["application/zip", 3_000_000, 4_000],
    ["application/pdf", 250_000, 18_000]
  ] as const) {
    assert.strictEqual(FileWeight.of({ mediaType, size }), characters, mediaType)
    assert.strictEqual(FileWeight.of({ mediaType }), 4_000)
  }
})
