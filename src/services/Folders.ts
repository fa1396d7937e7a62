/** What `FileSystem` cannot do with folders. */
import type { PlatformError } from "@effect/platform/Error"
import { Context } from "effect"
import type { Effect } from "effect"

export interface Service {
  /**
   * Makes the folder's entries survive a power cut: files created, renamed and removed in it. Does nothing where the
   * system has no such call (Windows).
   */
  readonly sync: (path: string) => Effect.Effect<void, PlatformError>
  /** Removes the folder if it is empty, in one step. Does nothing when it has entries or does not exist. */
  readonly removeEmpty: (path: string) => Effect.Effect<void, PlatformError>
}

export class Folders extends Context.Tag("skein/Folders")<Folders, Service>() {}
