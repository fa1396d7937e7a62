/** What this machine allows a test to do. Where it does not, the names of the skipped tests say so. */
import { it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { folder } from "../../unit/services/storage/disk.js"
import * as SharedLibrary from "../../support/programs/SharedLibrary.js"

const works = (command: string, ...args: ReadonlyArray<string>): boolean => spawnSync(command, args).status === 0

const isLinux = process.platform === "linux"

/** Whether a single process can be limited. */
const hasLimits = isLinux && works("prlimit", "--version")

const mayMount = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), "skein-mount-"))
  const isMounted = works("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
  if (isMounted) works("umount", folder)
  rmSync(folder, { recursive: true })
  return isMounted
}

const canMount = isLinux && mayMount()

/** Runs a command as a user who owns nothing; needs the rights of root. */
export const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] as const
const canBeNobody = isLinux && works("setpriv", "--version") && works(nobody[0], ...nobody.slice(1), "true")

/** Runs a command whose monotonic clock began more than a day earlier; needs the rights of root. */
export const elsewhen = ["unshare", "--time", "--monotonic", "100000", "--fork", "--kill-child"] as const
const canBeElsewhen = isLinux && works(elsewhen[0], ...elsewhen.slice(1), "true")

type Test = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) => void

/** Skips a test if the machine lacks what it needs; the name of the test then says why. */
const needing =
  (isThere: boolean, reason: string): Test =>
  (name, body) =>
    it.scopedLive(isThere ? name : `${name} (${reason})`, body, { skip: !isThere })

export const withShim = needing(SharedLibrary.isPossible, "needs Linux and a C compiler")
export const withLimits = needing(hasLimits, "needs prlimit")
export const withMounts = needing(canMount, "needs the right to mount disks")
export const withOtherTime = needing(canBeElsewhen, "needs unshare and the right to use it")
export const withNobody = needing(canBeNobody, "needs setpriv and the right to use it")

/** A disk of its own, of `bytes` bytes. */
export const disk = (bytes: number) =>
  Effect.flatMap(folder, (root) => {
    const mounted = join(root, "disk")
    return Effect.acquireRelease(
      Effect.sync(() => {
        mkdirSync(mounted)
        execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", mounted])
        return mounted
      }),
      () => Effect.sync(() => execFileSync("umount", ["-l", mounted]))
    )
  })
