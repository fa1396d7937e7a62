/**
 * Permission rules in a folder of the user, one file per rule. A rule is added by creating its file and removed by
 * removing it, so processes that do so at the same time do not undo each other's changes. Nothing in a session's folder
 * is read.
 *
 * A rule is for all sessions, for those in a folder and below it, whatever links they were named through, or for one
 * session. Only the owner can use the folder and its files. A file that cannot be read or understood may have been a
 * rule that denies: until it is gone no rule decides, and asking for the rules fails with `RulesUnusable`.
 */
import { Clock, Effect, Layer, Schema } from "effect"
import { createHash } from "node:crypto"
import { readdir, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { Rule } from "../../domain/PermissionRule.js"
import { type Session, SessionId } from "../../domain/Session.js"
import { Rules } from "../../services/Permissions.js"
import { codeOf } from "../ErrorCode.js"
import * as FolderCreation from "./FolderCreation.js"
import * as PrivateFile from "./PrivateFile.js"
import * as RealNames from "./RealNames.js"
import { isWithin } from "./Within.js"

/** A rule, and the sessions that it is for: all of them when both `folder` and `session` are null. */
export const StoredRule = Schema.Struct({
  ...Rule.fields,
  /** The absolute path of a folder. */
  folder: Schema.NullOr(Schema.String),
  session: Schema.NullOr(SessionId)
})
export type StoredRule = typeof StoredRule.Type

/** The rules cannot be read or changed. `path` is the folder, or the file that is damaged. */
export class RulesUnusable extends Schema.TaggedError<RulesUnusable>()("RulesUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The permission rules in ${this.path} cannot be used: ${this.reason}`
  }
}

const Text = Schema.parseJson(StoredRule, { space: 2 })
const decode = Schema.decodeUnknown(Text)
const encode = Schema.encodeSync(Text)

const ending = ".json"

/** Returns a rule's name. Rules that say the same have the same name. */
const idOf = ({ folder, pattern, session, word }: StoredRule): string =>
  createHash("sha256")
    .update(JSON.stringify([word, pattern, folder, session]))
    .digest("hex")
    .slice(0, 12)

/**
 * The rules that apply to a session. As long as the name without links of its folder or of a rule's is unknown, a rule
 * that asks or denies applies.
 */
const forSession = Effect.fnUntraced(function* (
  rules: ReadonlyArray<StoredRule>,
  { id, workdir }: Pick<Session, "id" | "workdir">,
  realNames: RealNames.RealNames
) {
  const some = rules.filter(({ session }) => session === null || session === id)
  if (workdir === null) return some.filter(({ folder }) => folder === null)
  const others = new Set(some.flatMap(({ folder }) => (folder === null || isWithin(folder, workdir) ? [] : [folder])))
  if (others.size === 0) return some
  const names = yield* realNames.of(new Set([workdir, ...others]))
  const own = names.get(workdir)
  return some.filter(({ folder, word }) => {
    if (folder === null || !others.has(folder)) return true
    const name = names.get(folder)
    return own === undefined || name === undefined ? word !== "allow" : isWithin(name, own)
  })
})

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, RulesUnusable> =>
  Effect.tryPromise({ try: run, catch: (thrown) => new RulesUnusable({ path, reason: codeOf(thrown) }) })

/** The rules in a folder, which need not exist. */
export const open = (path: string, realNames: RealNames.RealNames = RealNames.make()) => {
  const fileOf = (id: string) => join(path, id + ending)

  const names = attempt(path, () => readdir(path)).pipe(
    Effect.map((found) => found.filter((name) => name.endsWith(ending)).toSorted()),
    Effect.catchIf(
      ({ reason }) => reason === "ENOENT",
      () => Effect.succeed([])
    )
  )

  const read = (name: string) => {
    const file = join(path, name)
    return attempt(file, () => readFile(file, "utf8")).pipe(
      Effect.flatMap((text) =>
        Effect.mapError(decode(text), () => new RulesUnusable({ path: file, reason: "not a rule" }))
      ),
      // It was removed meanwhile.
      Effect.catchIf(
        ({ reason }) => reason === "ENOENT",
        () => Effect.succeed(null)
      )
    )
  }

  const all = Effect.flatMap(names, (names) => Effect.forEach(names, read, { concurrency: 16 })).pipe(
    Effect.map((rules) => rules.filter((rule) => rule !== null))
  )

  /** Stores a rule. Returns whether it is new. */
  const add = (rule: StoredRule): Effect.Effect<boolean, RulesUnusable> =>
    Effect.try({
      try: () => {
        FolderCreation.make(path)
        return PrivateFile.create(fileOf(idOf(rule)), encode(rule))
      },
      catch: (thrown) => new RulesUnusable({ path, reason: codeOf(thrown) })
    })

  /** Removes a rule, which need not exist. */
  const remove = (rule: StoredRule): Effect.Effect<void, RulesUnusable> =>
    attempt(path, () => rm(fileOf(idOf(rule)), { force: true }))

  /** The rules that apply to a session, or would apply to a session in a folder. */
  const of = (session: Pick<Session, "id" | "workdir">) =>
    Effect.flatMap(all, (rules) => forSession(rules, session, realNames))

  return { all, add, remove, of }
}

const grainMillis = 2_000

/** When a folder was last changed, in milliseconds; null when it is missing. */
const changeOf = (path: string) =>
  attempt(path, () => stat(path)).pipe(
    Effect.map(({ mtimeMs }) => mtimeMs),
    Effect.catchIf(
      ({ reason }) => reason === "ENOENT",
      () => Effect.succeed(null)
    )
  )

/**
 * The rules in a folder, for `Permissions.byRules`. Whatever somebody allows for good is stored for the session's
 * folder and below it; if the session has no folder, for all sessions. While the rules cannot be read, calls are
 * denied.
 */
export const layer = (path: string): Layer.Layer<Rules> =>
  Layer.sync(Rules, () => {
    const realNames = RealNames.make()
    const folder = open(path, realNames)
    let known: { readonly change: number | null; readonly rules: ReadonlyArray<StoredRule> } | null = null
    const current = Effect.gen(function* () {
      const change = yield* changeOf(path)
      if (known !== null && known.change === change) return known.rules
      const rules = yield* folder.all
      // A second change within the grain of the file system's clock leaves the same time.
      const isSettled = change === null || (yield* Clock.currentTimeMillis) - change > grainMillis
      known = isSettled ? { change, rules } : null
      return rules
    })
    return {
      of: (session) => Effect.orDie(Effect.flatMap(current, (rules) => forSession(rules, session, realNames))),
      store: ({ workdir }, rule) => Effect.orDie(folder.add({ ...rule, folder: workdir, session: null }))
    }
  })
