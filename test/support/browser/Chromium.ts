/**
 * A real browser: headless Chromium. It is looked for at the path in `SKEIN_TEST_CHROMIUM`, then where systems install
 * it; nothing is downloaded.
 */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { chromium } from "playwright-core"

const places = [
  process.env["SKEIN_TEST_CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
]

const executable = places.find((path) => path !== undefined && path !== "" && existsSync(path))

/** Why there is no browser; null if there is one. */
export const missing =
  executable === undefined
    ? "There is no Chromium: apt-get install chromium, or name one by SKEIN_TEST_CHROMIUM."
    : null

/**
 * A browser that lives as long as the scope. It has no sandbox when run as root, because Chromium offers none to root.
 */
export const launched = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({ executablePath: executable ?? "", args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] })
  ),
  (browser) => Effect.promise(() => browser.close())
)
