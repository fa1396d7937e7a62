/**
 * Which folders sessions may work in if they are made or moved through a server: its root and the folders below it,
 * once links are followed. Other folders are refused with `InvalidInput`, whether they exist or not. A session without
 * a folder of its own works in the root. A session that is imported with a folder from elsewhere comes without one.
 *
 * This bounds what clients name, not what is there already: a session made elsewhere by a terminal continues there.
 */
import { Effect } from "effect"
import { realpath, stat } from "node:fs/promises"
import { relative, isAbsolute, sep } from "node:path"
import type { Placement } from "../../domain/Placement.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import type { AgentName } from "../../domain/AgentName.js"
import type { Service } from "../../services/gateway/Gateway.js"

export interface Options {
  /** The absolute path of a folder, without links. */
  readonly root: string
  /** What a session is made with unless its client says otherwise. */
  readonly newSession: { readonly placement?: Placement; readonly agent?: AgentName }
}

/** Whether a path is `root` or inside it. Both are absolute and without links. */
export const isWithin = (root: string, path: string): boolean => {
  const from = relative(root, path)
  return from !== ".." && !from.startsWith(`..${sep}`) && !isAbsolute(from)
}

/** The folder that a path leads to; null when there is none. */
const folderAt = (path: string): Effect.Effect<string | null> =>
  Effect.tryPromise(async () => {
    const real = await realpath(path)
    return (await stat(real)).isDirectory() ? real : null
  }).pipe(Effect.orElseSucceed(() => null))

/** Returns the same gateway, whose clients can name only these folders. */
export const bound = (gateway: Service, { newSession, root }: Options): Service => {
  const within = (workdir: string): Effect.Effect<string, InvalidInput> =>
    Effect.flatMap(folderAt(workdir), (folder) =>
      folder !== null && isWithin(root, folder)
        ? Effect.succeed(folder)
        : new InvalidInput({ field: "workdir", limit: `an existing folder within ${root}`, actual: "another path" })
    )

  const changed = <A extends { readonly workdir?: string | null | undefined }>(input: A) =>
    typeof input.workdir === "string"
      ? Effect.map(within(input.workdir), (workdir): A => ({ ...input, workdir }))
      : Effect.succeed(input)

  return {
    ...gateway,
    create: (input) =>
      Effect.flatMap(within(input.workdir ?? root), (workdir) => gateway.create({ ...newSession, ...input, workdir })),
    patch: (input) => Effect.flatMap(changed(input), gateway.patch),
    patchMany: (input) => Effect.flatMap(changed(input), gateway.patchMany),
    importSessions: (input) =>
      gateway.importSessions({ ...input, workdirFor: (workdir) => Effect.orElseSucceed(within(workdir), () => null) })
  }
}
