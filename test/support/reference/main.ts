/** Writes the reference into a folder: `npm run reference`, or `npm run reference -- FOLDER`. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Pages from "./Pages.js"
import * as PublicNames from "./PublicNames.js"

const [folder = "dist/reference"] = process.argv.slice(2)
const types = mkdtempSync(join(tmpdir(), "skein-reference-"))
try {
  const options = ["-p", "src", "--emitDeclarationOnly", "--outDir", types]
  execFileSync(process.execPath, ["node_modules/typescript/lib/tsc.js", ...options], { stdio: "inherit" })
  const pages = Pages.make(PublicNames.read({ folder: pathToFileURL(`${types}/`), extension: ".d.ts" }))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [path, text] of pages) writeFileSync(join(folder, path), text)
  process.stdout.write(`${pages.size} pages in ${folder}\n`)
} finally {
  rmSync(types, { recursive: true, force: true })
}
