/**
 * Path rules of Linux and macOS: only `/` separates, names compare by code unit, and every other character is ordinary.
 * On a macOS volume that ignores case or Unicode form these rules distinguish names that the disk does not; they err
 * towards refusal.
 */
import { Either } from "effect"
import type { PathRules, Volume } from "./PathRules.js"

const volume: Volume = { root: "/", id: "/" }

export const posixPath: PathRules = {
  separator: "/",
  isRooted: (path) => path.startsWith("/"),
  parse: (path) =>
    Either.right({
      anchor: path.startsWith("/") ? volume : "base",
      segments: path.split("/").filter((segment) => segment !== "" && segment !== ".")
    }),
  isSameName: (one, other) => one === other
}
